import type { Writable } from "node:stream";
import type { Frozen } from "../../../builders/builder.ts";
import { ConfigError, Refused, TransientError } from "../../../delivery/errors.ts";
import type { ArtifactName, Digest, Location } from "../../../delivery/types.ts";
import type { Run } from "../../../run.ts";
import type { Content, Store } from "../../../store/store.ts";
import type { Found, Registry } from "../../registry.ts";
import { type Endpoint, RegistryClient } from "./client.ts";
import { splitName } from "./names.ts";
import { pullLayout } from "./pull.ts";
import { pushContent } from "./push.ts";
import { restoreContent } from "./restore.ts";

export interface ImageRegistryOptions extends Endpoint {
  /** What `docker pull` is told before the repository, as in `docker.io`. */
  pullHost: string;
  /** Where `check` tries the right to push; null: it only logs in. */
  checkRepository: string | null;
}

/** Where frozen content comes from. */
export interface Stock {
  store: Store;
  /** A repository of that registry that holds the blob by the ledger's knowledge; null: none is known. */
  holderOf?: ((registry: string, digest: Digest) => Promise<string | null>) | undefined;
}

const SENT_MAX = 1_000;

/** A registry of container images: what every type that speaks OCI distribution shares. */
export class ImageRegistry implements Registry {
  readonly #options: ImageRegistryOptions;
  readonly #stock: Stock;
  readonly #client: RegistryClient;
  /** Contents whose blobs went to a repository a while ago: their names need not ask again. One that was collected since is sent anew. */
  readonly #sent = new Set<string>();

  constructor(options: ImageRegistryOptions, stock: Stock) {
    this.#options = options;
    this.#stock = stock;
    this.#client = new RegistryClient(options);
  }

  async check(): Promise<void> {
    const { key, checkRepository } = this.#options;
    const signal = AbortSignal.timeout(60_000);
    try {
      await this.#client.ping(signal);
      if (checkRepository !== null) await this.#client.tryPush(checkRepository, signal);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const tried =
        checkRepository === null
          ? ""
          : ` The right to push was tried in ${checkRepository}: name one of yours in registries.${key}.checkRepository.`;
      throw new ConfigError(error.code, `registries.${key}: ${error.message}${tried}`, { cause: error });
    }
  }

  async find(name: ArtifactName, run: Run): Promise<Found | null> {
    const digest = await this.#client.headManifest(name.repository, name.tag, run.signal);
    return digest === null ? null : { digest };
  }

  async upload(content: Frozen, name: ArtifactName, run: Run): Promise<void> {
    const { repository } = name;
    const sent = `${repository}@${content.digest}`;
    if (this.#sent.has(sent)) return;
    // One question instead of one for each blob: a repository that has the manifest has what it lists.
    if ((await this.#client.headManifest(repository, content.digest, run.signal)) === null) {
      await this.#push(await this.#stock.store.contentOf(content.digest), repository, run);
    }
    if (this.#sent.size >= SENT_MAX) this.#sent.clear();
    this.#sent.add(sent);
  }

  async publish(content: Frozen, name: ArtifactName, run: Run): Promise<Location> {
    const { digest } = content;
    const { repository, tag } = name;
    const found = await this.find(name, run);
    if (found?.digest !== digest) {
      if (found && name.immutable) throw this.#taken(name, found.digest, digest);
      await this.upload(content, name, run);
      await this.#putName(await this.#stock.store.contentOf(digest), name, run);
      const now = await this.#client.headManifest(repository, tag, run.signal);
      if (now !== digest) {
        throw new TransientError(
          "read-back-differs",
          `${this.#client.label}: ${repository}:${tag} was put on ${digest}, but read back it is ${now ?? "nothing"}.`,
        );
      }
      run.log.line(`${this.#label(repository)}: ${tag} is ${digest}`);
    }
    const { key, pullHost, url } = this.#options;
    return {
      registry: key,
      name: `${repository}:${tag}`,
      digest,
      url: `${url.origin}/v2/${repository}/manifests/${digest}`,
      pull: `docker pull ${pullHost}/${repository}@${digest}`,
    };
  }

  async restore(location: Location, run: Run): Promise<boolean> {
    const { repository } = splitName(location.name);
    return restoreContent(this.#client, this.#stock.store, repository, location.digest, run.signal);
  }

  async pull(location: Location, into: Writable, run: Run): Promise<void> {
    const { repository, tag } = splitName(location.name);
    await pullLayout(this.#client, repository, { digest: location.digest, tag }, into, run.signal);
  }

  async #putName(content: Content, { repository, tag }: ArtifactName, run: Run): Promise<void> {
    const manifest = content.manifests.at(-1);
    if (!manifest) throw new TypeError("a content without a manifest");
    try {
      await this.#client.putManifest(repository, tag, manifest, run.signal);
    } catch (error) {
      // The registry collected blobs while it kept the manifest that listed them.
      if (!(error instanceof TransientError && error.code === "registry-upload-lost")) throw error;
      await this.#push(content, repository, run);
      await this.#client.putManifest(repository, tag, manifest, run.signal);
    }
  }

  #push(content: Content, repository: string, run: Run): Promise<void> {
    const { store, holderOf } = this.#stock;
    return pushContent({
      client: this.#client,
      store,
      content,
      repository,
      holderOf: async (digest) => (await holderOf?.(this.#options.key, digest)) ?? null,
      label: this.#label(repository),
      run,
    });
  }

  #label(repository: string): string {
    return `${this.#options.key} ${repository}`;
  }

  #taken({ repository, tag }: ArtifactName, found: Digest, ours: Digest): Refused {
    return new Refused(
      "name-taken",
      `${this.#client.label}: ${repository}:${tag} holds ${found} already, and may not be changed to ${ours}. Deliver under another version, or find out who wrote it.`,
    );
  }
}
