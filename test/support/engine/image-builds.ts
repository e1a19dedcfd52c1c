import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough, type Readable } from "node:stream";
import type Dockerode from "dockerode";
import tar from "tar-stream";
import type { Builder, BuildOrder, CacheUses } from "../../../src/builders/builder.ts";
import { type ImageBuilderOptions, imageBuilder } from "../../../src/builders/image.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { type Intake, startIntake } from "../../../src/store/intake.ts";
import { Store } from "../../../src/store/store.ts";
import { artifactPlan } from "../fixtures/plans.ts";
import { tempDir } from "../processes/process.ts";
import { type Engine, type EngineOptions, startEngine } from "./engine.ts";

/** A Docker Engine with a shell image in it, an intake to freeze into, and builders of both. */
export interface Yard {
  engine: Engine;
  store: Store;
  intake: Intake;
  cacheUses: CacheUses;
  builder(options?: Partial<ImageBuilderOptions>): Builder<BuildOrder>;
  stop(): Promise<void>;
}

/** Stands in the engine and nowhere else: nobody listens on that port, so that pulling it fails at once. */
export const shellImage = "127.0.0.1:9/shell:1";

export async function startYard(options: EngineOptions = {}): Promise<Yard> {
  const dir = await tempDir();
  const engine = await startEngine(options);
  const store = new Store(join(dir.path, "store"));
  const intake = await startIntake({ store, listen: "127.0.0.1:0" });
  await importShell(engine.docker, shellImage);
  const common = { docker: engine.docker, intake, store, log: silentLog, registryAuth: () => null };
  return {
    engine,
    store,
    intake,
    cacheUses: new Map(),
    builder: (more) => imageBuilder({ ...common, ...more }),
    async stop() {
      await intake.stop();
      await engine.stop();
      await dir.remove();
    },
  };
}

const APPLETS = "sh sleep cat env find grep seq dd ls yes true id mkdir ln mkfifo mknod tar cp rm ps touch kill".split(
  " ",
);

/** A root of busybox alone, under the given reference. */
export async function importShell(docker: Dockerode, reference: string): Promise<void> {
  const busybox = await readFile("/bin/busybox");
  const root = tar.pack();
  root.entry({ name: "bin/busybox", mode: 0o755 }, busybox);
  for (const name of APPLETS) root.entry({ name: `bin/${name}`, type: "symlink", linkname: "busybox" });
  root.entry({ name: "tmp", type: "directory", mode: 0o1777 });
  root.finalize();
  const colon = reference.lastIndexOf(":");
  const answer = await docker.importImage(root.pipe(new PassThrough()), {
    repo: reference.slice(0, colon),
    tag: reference.slice(colon + 1),
  });
  for await (const _ of answer);
}

let counter = 0;

/** An order for an image of these files, with everything else at its plainest. */
export function orderOf(files: Record<string, string>, more: Partial<BuildOrder> = {}): BuildOrder {
  return {
    id: `t${process.pid}-${counter++}`,
    artifact: artifactPlan({ name: "app", platforms: ["linux/amd64"] }),
    openContext: async () => treeOf(files),
    dockerfileApart: false,
    dockerfile: files.Dockerfile ?? "",
    args: {},
    // Never without: the classic builder's last step, the one that goes with the temporary name, is then the labels'.
    labels: { "dev.deliverd.delivery": "d0" },
    secrets: {},
    limits: { memoryBytes: null, cpus: null, time: 60_000 },
    ...more,
  };
}

/** As `git archive` streams a commit: every file with one and the same time. */
export function treeOf(files: Record<string, string>): Readable {
  const pack = tar.pack();
  for (const [name, text] of Object.entries(files)) pack.entry({ name, mode: 0o644, mtime: new Date(1e12) }, text);
  pack.finalize();
  return pack.pipe(new PassThrough());
}

/** What stands frozen: the image's configuration and the digests of its layers. */
export async function readFrozen(store: Store, digest: string) {
  const manifest = await store.manifest(digest);
  const [config, ...layers] = manifest.blobs;
  if (!config) throw new Error("no config");
  const chunks: Buffer[] = [];
  for await (const chunk of store.open(config.digest)) chunks.push(chunk);
  const image = JSON.parse(Buffer.concat(chunks).toString()) as {
    config: { Labels: Record<string, string>; Env: string[]; Cmd: string[] };
    rootfs: { diff_ids: string[] };
  };
  return { ...image, layers: layers.map((layer) => layer.digest) };
}
