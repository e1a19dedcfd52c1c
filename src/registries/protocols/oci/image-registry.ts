import type { Writable } from "node:stream";
import { BoundedCache } from "../../../async/bounded-cache.ts";
import type { KeyedMutex } from "../../../async/keyed-mutex.ts";
import { ConfigError, Refused, TransientError } from "../../../delivery/errors.ts";
import type { Frozen } from "../../../delivery/frozen.ts";
import type { Attachment } from "../../../delivery/proof/attachment.ts";
import type { ArtifactName, Digest, Location, RegistryName } from "../../../delivery/types.ts";
import type { Run } from "../../../run/run.ts";
import type { Content, Store } from "../../../store/store.ts";
import type { AttachOptions, Found, Registry } from "../../registry.ts";
import { Accepted, claimsToStand, mayStand } from "../http/refusals.ts";
import { untilShown } from "../http/until-shown.ts";
import { attachToImage } from "./attach.ts";
import { type Endpoint, type Look, RegistryClient } from "./client.ts";
import { CompleteImages } from "./complete-images.ts";
import { pullLayout } from "./pull.ts";
import { pushContent } from "./push.ts";
import { restoreContent } from "./restore.ts";

export interface ImageRegistryOptions extends Endpoint {
  /** The host for `docker pull`, as in `docker.io`. */
  pullHost: string;
  /** What people are told in place of `url` and `pullHost`. A path in it goes before the name of each repository. */
  publicUrl?: URL | undefined;
  /** The repository in which `check` tries to push. Null: it only logs in. */
  checkRepository: string | null;
}

/** What registries get from deliverd: the store with frozen content, and what all registries of a process share. */
export interface Stock {
  store: Store;
  /** A repository of the registry that has the blob, by the ledger. Null: none is known. */
  holderOf?: ((registry: string, digest: Digest) => Promise<string | null>) | undefined;
  /** Called with every secret that a registry gives out, so that no log and no answer shows it. */
  learn?: ((secret: string) => void) | undefined;
  /** For what several registries change in one place. `openRegistries` adds one for all registries that it opens. */
  mutex?: KeyedMutex | undefined;
}

/** A delivery sends its content a few times within minutes: ahead of its names, and with them. */
const MAX_SENT = 1_000;

/** A registry of container images, for every type with the OCI distribution API. */
export class ImageRegistry implements Registry {
  readonly #options: ImageRegistryOptions;
  readonly #stock: Stock;
  readonly #client: RegistryClient;
  readonly #wholeness: CompleteImages;
  readonly #accepted = new Accepted();
  /** Which content was sent to which repository, so that a log tells once what was there before. */
  readonly #sent = new BoundedCache<true>(MAX_SENT);

  constructor(options: ImageRegistryOptions, stock: Stock) {
    this.#options = options;
    this.#stock = stock;
    this.#client = new RegistryClient({ learn: stock.learn, ...options });
    this.#wholeness = new CompleteImages(this.#client);
  }

  async check(): Promise<void> {
    const { key, checkRepository } = this.#options;
    const signal = AbortSignal.timeout(60_000);
    try {
      await this.#client.ping(signal);
      if (checkRepository !== null) await this.#client.uploads.try(checkRepository, signal);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const tried =
        checkRepository === null
          ? ""
          : ` deliverd tried to push to ${checkRepository}: set registries.${key}.checkRepository to one of yours.`;
      throw new ConfigError(error.code, `registries.${key}: ${error.message}${tried}`, { cause: error });
    }
  }

  /** An incomplete image counts as missing: nobody can run it. */
  async find(name: ArtifactName, run: Run, content?: Pick<Frozen, "digest">): Promise<Found | null> {
    const { repository, tag } = name;
    const look = await this.#client.lookUp(repository, tag, run.signal);
    if (look.kind === "stands") {
      const { digest } = look;
      // Another content counts as it is: its parts are not checked.
      const isOurs = content === undefined || digest === content.digest;
      return isOurs && !(await this.#wholeness.isWhole(repository, digest, run)) ? null : { digest };
    }
    if (look.kind === "nothing") return null;
    // Some registries deny a look at a repository that does not exist yet, even to users who may push there.
    await this.#client.uploads.try(repository, run.signal).catch((error: unknown) => {
      throw error instanceof Refused ? look.why : error;
    });
    return null;
  }

  async upload(content: Frozen, { repository }: Pick<ArtifactName, "repository">, run: Run): Promise<void> {
    if (this.#wholeness.isKnown(repository, content.digest, run)) return;
    await this.#push(await this.#stock.store.contentOf(content.digest), repository, run);
    this.#wholeness.note(repository, content.digest, run);
  }

  async publish(content: Frozen, name: ArtifactName, run: Run): Promise<Location> {
    const { digest } = content;
    const { repository, tag } = name;
    const found = await this.#lookBefore(content, name, run);
    if (found !== null && found !== digest && name.immutable) throw this.#taken(name, found, digest);
    if (found !== digest || !(await this.#wholeness.isWhole(repository, digest, run))) {
      await this.upload(content, name, run);
      await this.#putName(content, name, run);
      run.log.line(`${this.#label(repository)}: ${tag} is ${digest}`);
    }
    return { ...{ registry: this.#options.key, repository, tag, digest }, ...this.#shown(repository, digest) };
  }

  #shown(repository: string, digest: Digest): Pick<Location, "url" | "pull"> {
    const { publicUrl, pullHost, url } = this.#options;
    const folder = publicUrl?.pathname.slice(1) ?? "";
    return {
      url: `${(publicUrl ?? url).origin}/v2/${folder}${repository}/manifests/${digest}`,
      pull: `docker pull ${publicUrl?.host ?? pullHost}/${folder}${repository}@${digest}`,
    };
  }

  restore({ repository }: RegistryName, run: Run, { digest }: Pick<Frozen, "digest">): Promise<boolean> {
    return restoreContent(this.#client, this.#stock.store, repository, digest, run.signal);
  }

  async pull(
    { repository, tag }: RegistryName,
    into: Writable,
    run: Run,
    content: Pick<Frozen, "digest">,
  ): Promise<void> {
    await pullLayout(this.#client, repository, { digest: content.digest, tag }, into, run.signal);
  }

  /** @param names of the image: all in one repository */
  async attach(
    proof: Attachment,
    [name]: readonly RegistryName[],
    how: AttachOptions,
    run: Run,
  ): Promise<string | null> {
    return name === undefined ? null : attachToImage(this.#client, name.repository, proof, how, run);
  }

  /** The digest under the name. Without a certain answer, nothing is overwritten. */
  async #lookBefore(content: Frozen, { repository, tag }: ArtifactName, run: Run): Promise<Digest | null> {
    let look = await this.#client.lookUp(repository, tag, run.signal);
    if (look.kind === "denied") {
      // The repository may not exist yet. Pushing the content by digest, without a name, creates it.
      await this.upload(content, { repository }, run);
      const { manifests } = await this.#stock.store.contentOf(content.digest);
      await this.#client.putManifest(repository, content.digest, topOf(manifests), run.signal);
      look = await this.#client.lookUp(repository, tag, run.signal);
    }
    if (look.kind === "denied") throw look.why;
    return look.kind === "stands" ? look.digest : null;
  }

  async #putName({ digest }: Frozen, name: ArtifactName, run: Run): Promise<void> {
    const { repository, tag } = name;
    const key = `${repository}:${tag}`;
    const content = await this.#stock.store.contentOf(digest);
    const failure = await this.#putManifest(content, name, run).then(
      () => null,
      (error: unknown) => {
        if (mayStand(error)) return error;
        // If the answer was lost, the registry may have accepted it.
        if (error instanceof TransientError) this.#accepted.note(key, digest, run.clock.now());
        throw error;
      },
    );
    if (failure === null) this.#accepted.note(key, digest, run.clock.now());
    const stands = (look: Look) => look.kind === "stands" && look.digest === digest;
    const now = await untilShown(
      () => this.#client.lookUp(repository, tag, run.signal),
      (look) => stands(look) || (failure !== null && look.kind === "stands"),
      run.signal,
    );
    if (stands(now)) return this.#accepted.forget(key);
    if (now.kind === "denied") throw failure ?? now.why;
    if (now.kind === "stands" && failure !== null && name.immutable) throw this.#taken(name, now.digest, digest);
    const isOwn = this.#accepted.has(key, digest, run.clock.now());
    if (failure !== null && !isOwn && (now.kind === "stands" || !claimsToStand(failure))) throw failure;
    throw new TransientError(
      "read-back-differs",
      `${this.#client.label}: ${key} was set to ${digest}, ` +
        `but the registry shows ${now.kind === "stands" ? now.digest : "nothing"} there.`,
    );
  }

  async #putManifest(content: Content, { repository, tag }: ArtifactName, run: Run): Promise<void> {
    const manifest = topOf(content.manifests);
    try {
      await this.#client.putManifest(repository, tag, manifest, run.signal);
    } catch (error) {
      // The registry lacks a blob that it said it had, or had mounted.
      if (!(error instanceof TransientError && error.code === "registry-upload-lost")) throw error;
      await this.#push(content, repository, run, false);
      await this.#client.putManifest(repository, tag, manifest, run.signal);
    }
  }

  #push(content: Content, repository: string, run: Run, mayMount = true): Promise<void> {
    const { store, holderOf } = this.#stock;
    const sent = `${repository}@${topOf(content.manifests).digest}`;
    const isRepeat = this.#sent.get(sent) ?? false;
    this.#sent.set(sent, true);
    return pushContent({
      client: this.#client,
      store,
      content,
      repository,
      holderOf: async (digest) => (mayMount && (await holderOf?.(this.#options.key, digest))) || null,
      label: this.#label(repository),
      isRepeat,
      run,
    });
  }

  #label(repository: string): string {
    return `${this.#options.key} ${repository}`;
  }

  #taken({ repository, tag }: ArtifactName, found: Digest, ours: Digest): Refused {
    return new Refused(
      "name-taken",
      `${this.#client.label}: ${repository}:${tag} holds ${found} already, ` +
        `and may not be changed to ${ours}. Deliver under another version, or find out who wrote it.`,
    );
  }
}

function topOf(manifests: Content["manifests"]): Content["manifests"][number] {
  const manifest = manifests.at(-1);
  if (manifest) return manifest;
  throw new TypeError("a content without a manifest");
}
