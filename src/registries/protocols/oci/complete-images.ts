import { mapLimit } from "../../../async/map-limit.ts";
import type { Digest } from "../../../delivery/types.ts";
import type { Run } from "../../../run/run.ts";
import type { RegistryClient } from "./client.ts";

const AT_ONCE = 5;

/**
 * Whether images in a registry are complete: manifest, config, layers, and all that an index lists. What was found is
 * remembered for one run, by repository and digest, since images of one run share base layers. The next run asks again,
 * since registries lose content or collect it as garbage.
 */
export class CompleteImages {
  readonly #client: RegistryClient;
  readonly #seen = new WeakMap<Run, Set<string>>();

  constructor(client: RegistryClient) {
    this.#client = client;
  }

  isKnown(repository: string, digest: Digest, run: Run): boolean {
    return this.#of(run).has(`${repository}@${digest}`);
  }

  note(repository: string, digest: Digest, run: Run): void {
    this.#of(run).add(`${repository}@${digest}`);
  }

  /** @throws TransientError, Refused if the manifest may not be read */
  async isWhole(repository: string, digest: Digest, run: Run): Promise<boolean> {
    if (this.isKnown(repository, digest, run)) return true;
    const manifest = await this.#client.getManifest(repository, digest, run.signal);
    if (manifest === null) return false;
    for (const child of manifest.children) {
      if (!(await this.isWhole(repository, child.digest, run))) return false;
    }
    const unseen = manifest.blobs.filter((blob) => !this.isKnown(repository, blob.digest, run));
    const there = await mapLimit(unseen, AT_ONCE, async (blob) => {
      // If the registry does not let us ask for a blob, it counts as there: the registry accepted a manifest that lists
      // it.
      if ((await this.#client.hasBlob(repository, blob.digest, run.signal)) === "missing") return false;
      this.note(repository, blob.digest, run);
      return true;
    });
    if (!there.every(Boolean)) return false;
    this.note(repository, digest, run);
    return true;
  }

  #of(run: Run): Set<string> {
    const seen = this.#seen.get(run) ?? new Set();
    this.#seen.set(run, seen);
    return seen;
  }
}
