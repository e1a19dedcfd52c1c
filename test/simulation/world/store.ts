import type { Digest } from "../../../src/delivery/types.ts";
import type { Store } from "../../../src/store/store.ts";

/** The frozen contents of one data folder. They outlive its processes. */
export class SimStore {
  readonly id: string;
  readonly #digests = new Set<Digest>();

  constructor(id: string) {
    this.id = id;
  }

  add(digest: Digest): void {
    this.#digests.add(digest);
  }

  async has(digest: Digest): Promise<boolean> {
    return this.#digests.has(digest);
  }

  /** The disk is lost. */
  clear(): void {
    this.#digests.clear();
  }

  /** What the stations use of `Store`. */
  asStore(): Store {
    const store: Pick<Store, "has" | "contentOf" | "list" | "remove"> = {
      has: (digest) => this.has(digest),
      contentOf: async () => ({ manifests: [], blobs: [], size: 0 }),
      list: async () => [],
      remove: async (digest) => void this.#digests.delete(digest),
    };
    return store as unknown as Store;
  }
}
