import { once } from "node:events";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";
import { TransientError } from "../../src/delivery/errors.ts";
import type { Registry } from "../../src/registries/registry.ts";

/** What a registry of the tests hands out, whoever asks: the bytes, or what it fails with. */
export type Handed = Buffer | Error | ((into: Writable) => Promise<void>);

/** A registry that only hands out, by artifact (the last part of a location's repository). */
export function shelf(contents: Record<string, Handed>): Registry {
  const never = () => Promise.reject(new Error("nothing is put here"));
  return {
    check: never,
    find: never,
    publish: never,
    restore: never,
    async pull({ repository }, into) {
      const artifact = /[^/:]+$/.exec(repository)?.[0] ?? "";
      const handed = contents[artifact];
      if (typeof handed === "function") return handed(into);
      if (handed instanceof Error) throw handed;
      if (handed === undefined) throw new TransientError("registry-unreachable", `nothing called ${artifact}`);
      await pipeline(Readable.from([handed]), into);
    },
  };
}

export interface Entry {
  name: string;
  text?: string;
  type?: "file" | "directory" | "symlink" | "link";
  linkname?: string;
}

/** A tar of just these entries, as hostile as they are. */
export async function tarOf(entries: Entry[]): Promise<Buffer> {
  const tar = pack();
  const chunks: Buffer[] = [];
  tar.on("data", (chunk) => chunks.push(chunk as Buffer));
  const ended = once(tar, "end");
  for (const { text = "", ...header } of entries) tar.entry(header, text);
  tar.finalize();
  await ended;
  return Buffer.concat(chunks);
}
