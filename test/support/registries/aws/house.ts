import { randomBytes } from "node:crypto";
import { Readable } from "node:stream";
import type { ArtifactName } from "../../../../src/delivery/types.ts";
import type { StampedContent } from "../../../../src/registries/registry.ts";
import { freezeFiles } from "../../../../src/store/files.ts";
import { Store } from "../../../../src/store/store.ts";
import { tempDir } from "../../processes/process.ts";
import { Aws, useAws } from "./index.ts";

/** A store, the stand-in, and an environment that leads to it. */
export interface House {
  store: Store;
  aws: Aws;
  remove(): Promise<void>;
}

export async function openHouse(): Promise<House> {
  const dir = await tempDir();
  const aws = await new Aws().start();
  const restore = useAws(aws);
  return {
    store: new Store(dir.path),
    aws,
    async remove() {
      restore();
      await aws.stop();
      await dir.remove();
    },
  };
}

/** What a release is stamped with. */
export const metadata = {
  "org.opencontainers.image.revision": "ab12cd3".padEnd(40, "0"),
  "org.opencontainers.image.version": "1.0.0",
  "dev.deliverd.delivery": "d-1",
};

/** Random files of so many bytes, or these. */
export async function freeze(
  store: Store,
  kind: StampedContent["kind"],
  contents: Record<string, number | Buffer>,
): Promise<StampedContent> {
  const files = await Promise.all(
    Object.entries(contents).map(async ([name, content]) => {
      const bytes = Buffer.isBuffer(content) ? content : randomBytes(content);
      return { name, ...(await store.write(Readable.from([bytes]), { maxBytes: bytes.length })) };
    }),
  );
  return { ...(await freezeFiles(store, files)), kind, metadata };
}

export function named(registry: string, repository: string, tag: string, immutable = true): ArtifactName {
  return { registry, repository, tag, immutable };
}
