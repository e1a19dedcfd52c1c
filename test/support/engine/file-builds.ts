import { createHash } from "node:crypto";
import type { Builder, FilesOrder } from "../../../src/builders/builder.ts";
import { type FilesBuilderOptions, filesBuilder } from "../../../src/builders/files.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { testRun } from "../fixtures/run.ts";
import { orderOf, shellImage, treeOf, type Yard } from "./image-builds.ts";

/** Everything of an order that a test may want to be otherwise. */
export type Asked = Partial<Omit<FilesOrder, "artifact">> & {
  run: string[];
  files?: string[];
  kind?: FilesOrder["artifact"]["kind"];
  tree?: Record<string, string>;
  build?: Partial<FilesOrder["artifact"]["build"]>;
};

/** An order for what these commands leave, with everything else at its plainest. */
export function filesOrder({ run, files = ["out"], kind = "file", tree = {}, build, ...more }: Asked): FilesOrder {
  const { id, artifact, limits } = orderOf({});
  return {
    id,
    artifact: {
      ...artifact,
      kind,
      files,
      build: {
        image: shellImage,
        run,
        cache: [],
        env: {},
        secrets: [],
        network: true,
        limits: { memoryBytes: null, cpus: null, time: null },
        ...build,
      },
    },
    openTree: async () => treeOf(tree),
    environment: { DELIVERD_VERSION: "1.2.3", DELIVERD_VERSION_PEP440: "1.2.3", DELIVERD_VERSION_MAVEN: "1.2.3" },
    secrets: {},
    cacheOf: "github:1",
    limits,
    ...more,
  };
}

export function filesBuilderOf(yard: Yard, more: Partial<FilesBuilderOptions> = {}): Builder<FilesOrder> {
  const { engine, store, cacheUses } = yard;
  const common = { docker: engine.docker, store, log: silentLog, registryAuth: () => null, cacheUses };
  return filesBuilder({ ...common, ...more });
}

/** Builds it and tells what came of it, as text by the file's name. */
export async function buildFiles(yard: Yard, asked: Asked, run = testRun(), more: Partial<FilesBuilderOptions> = {}) {
  const built = await filesBuilderOf(yard, more).build(filesOrder(asked), run);
  const texts: Record<string, string> = {};
  for (const { name, digest } of built.files ?? []) {
    const chunks: Buffer[] = [];
    for await (const chunk of yard.store.open(digest)) chunks.push(chunk);
    texts[name] = Buffer.concat(chunks).toString();
  }
  return { ...built, texts, log: run.text() };
}

export function sha256(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}
