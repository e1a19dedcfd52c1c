import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { TransientError } from "../../../src/delivery/errors.ts";
import type { Registry } from "../../../src/registries/registry.ts";
import { RangeFilter } from "../../../src/store/range-filter.ts";

/** What a pull yields: these bytes, this error, or whatever the function writes. */
export type Download = Buffer | Error | ((into: Writable) => Promise<void>);

/**
 * A registry that can only be pulled from. `contents` is keyed by artifact: the last part of a location's repository.
 * It has no server: `pull` is called directly. Every other method of the port rejects.
 */
export function downloadOnlyRegistry(contents: Record<string, Download>): Registry {
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
      // As the OCI registry does, which knows the size of the tar before its first byte.
      if (into instanceof RangeFilter) into.expect(handed.length);
      await pipeline(Readable.from([handed]), into);
    },
  };
}
