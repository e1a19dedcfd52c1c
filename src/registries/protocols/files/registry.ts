import type { Writable } from "node:stream";
import { BoundedCache } from "../../../async/bounded-cache.ts";
import { mapLimit } from "../../../async/map-limit.ts";
import { ConfigError, Refused, TransientError } from "../../../delivery/errors.ts";
import type { Frozen } from "../../../delivery/frozen.ts";
import { type Attachment, envelopeLines, SIDECAR_SUFFIX } from "../../../delivery/proof/attachment.ts";
import type { ArtifactName, Digest, FrozenFile, Location, RegistryName } from "../../../delivery/types.ts";
import type { Run } from "../../../run/run.ts";
import { digestOfFiles } from "../../../store/files.ts";
import type { Store } from "../../../store/store.ts";
import type { AttachOptions, Found, Registry, StampedContent } from "../../registry.ts";
import { place } from "../http/failures.ts";
import { Accepted, claimsToStand, mayStand } from "../http/refusals.ts";
import { untilShown } from "../http/until-shown.ts";
import { differs } from "../http/verified.ts";
import { pullFiles } from "./pull.ts";
import { readDigest } from "./read.ts";
import { restoreFiles } from "./restore.ts";
import type { Shelf, Version, VersionUpload } from "./shelf.ts";
import { sourceOf } from "./source.ts";

const FILES_AT_ONCE = 3;
const MAX_DIGESTS = 10_000;
/** A registry that took a file and does not show it yet is asked again after so long. */
const NOT_SHOWN_RETRY_MS = 5_000;

/** A registry of files. Its shelf does what is special to the registry's type, for one file at a time. */
export class FileRegistry implements Registry {
  readonly #key: string;
  readonly #shelf: Shelf;
  readonly #store: Store;
  /** Digests of files that were read: names are looked at every hour, and their files may be large. */
  readonly #digests = new BoundedCache<Digest>(MAX_DIGESTS);
  readonly #accepted = new Accepted();
  /** Files that were sent and whose answer was lost: the registry may have accepted them. */
  readonly #lost = new Accepted();

  /** @param key under `registries` */
  constructor(key: string, shelf: Shelf, { store }: { store: Store }) {
    this.#key = key;
    this.#shelf = shelf;
    this.#store = store;
  }

  async check(): Promise<void> {
    try {
      await this.#shelf.check(AbortSignal.timeout(60_000));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      throw new ConfigError(error.code, `registries.${this.#key}: ${error.message}`, { cause: error });
    }
  }

  async find(name: ArtifactName, run: Run, content: Frozen): Promise<Found | null> {
    const version = versionOf(name, content);
    const standing = await this.#lookAtAll(version, run.signal);
    const there = standing.flatMap(({ file, digest }) => (digest === null ? [] : [{ name: file.name, digest }]));
    return there.length === 0 ? null : { digest: digestOfFiles(there) };
  }

  async publish(content: StampedContent, name: ArtifactName, run: Run): Promise<Location> {
    const release: VersionUpload = {
      ...versionOf(name, content),
      content,
      source: (file) => sourceOf(this.#store, file, `${this.#key} ${name.repository}`, run),
    };
    await this.#shelf.begin?.(release, run);
    // All files are looked up before one is sent: a version that cannot be published completely is not started.
    const standing = await this.#lookAtAll(release, run.signal);
    for (const { file, digest } of standing) {
      if (digest === null || digest === file.digest) continue;
      if (name.immutable) throw this.#taken(release, file, digest);
    }
    const wanting = standing.filter(({ file, digest }) => digest !== file.digest);
    await mapLimit(wanting, FILES_AT_ONCE, ({ file, digest }) => this.#putFile(file, digest, release, run));
    await this.#shelf.finish?.(release, run);
    const { repository, tag } = name;
    run.log.line(
      `${this.#key} ${repository}: ${tag} is ${content.digest}${wanting.length === 0 ? ", and was already" : ""}`,
    );
    return {
      ...{ registry: this.#key, repository, tag, digest: content.digest },
      ...this.#shelf.locate(release),
    };
  }

  restore(name: RegistryName, run: Run, content: Frozen): Promise<boolean> {
    return restoreFiles(this.#shelf, this.#store, versionOf(name, content), run.signal);
  }

  pull(name: RegistryName, into: Writable, run: Run, content: Frozen): Promise<void> {
    return pullFiles(this.#shelf, versionOf(name, content), into, run.signal);
  }

  /** The proof goes beside each file: a person who has the file finds it there. */
  async attach(
    proof: Attachment,
    names: readonly RegistryName[],
    _how: AttachOptions,
    run: Run,
    content: Frozen,
  ): Promise<string | null> {
    const { putBeside } = this.#shelf;
    if (putBeside === undefined) return null;
    const text = envelopeLines(proof);
    for (const name of names) {
      const version = versionOf(name, content);
      for (const file of version.files)
        await this.#shelf.putBeside?.(`${file.name}${SIDECAR_SUFFIX}`, text, version, run);
    }
    return `beside each file, as *${SIDECAR_SUFFIX}`;
  }

  #lookAtAll(version: Version, signal: AbortSignal): Promise<{ file: FrozenFile; digest: Digest | null }[]> {
    return mapLimit(version.files, FILES_AT_ONCE, async (file) => ({
      file,
      digest: await this.#digestAt(file, version, signal),
    }));
  }

  /** The digest of the bytes in the registry. Null: there is no such file. */
  async #digestAt(file: FrozenFile, version: Version, signal: AbortSignal): Promise<Digest | null> {
    const standing = await this.#shelf.look(file, version, signal);
    if (standing === null) return null;
    if (standing.digest !== null) return standing.digest;
    const { repository, tag } = version.name;
    const key = standing.mark ? JSON.stringify([repository, tag, file.name, standing.mark]) : null;
    const known = key && this.#digests.get(key);
    if (known) return known;
    const digest = await readDigest(this.#shelf, standing, version, signal);
    if (key) this.#digests.set(key, digest);
    return digest;
  }

  /**
   * Sends one file and reads it back. Only the bytes decide whether it was accepted, not the answer: the file may be
   * there, ours or another's, even if the answer was lost or was a refusal.
   * @param standing digest of the file that was there before. Null: none
   */
  async #putFile(file: FrozenFile, standing: Digest | null, release: VersionUpload, run: Run): Promise<void> {
    if (!(await this.#store.has(file.digest))) {
      throw new TransientError("content-gone", `The store no longer has ${file.digest}.`);
    }
    const key = JSON.stringify([release.name.repository, release.name.tag, file.name]);
    const isNoted = (where: Accepted) => where.has(key, file.digest, run.clock.now());
    // A file that was accepted a while ago may not be in the index yet. Sent again, it would be refused.
    const isTaken = standing === null && isNoted(this.#accepted);
    const failure = isTaken ? null : await this.#send(file, release, run);
    if (failure === null && !isTaken) this.#accepted.note(key, file.digest, run.clock.now());
    if (failure instanceof TransientError) this.#lost.note(key, file.digest, run.clock.now());
    const mayShow = failure === null || mayStand(failure);
    const look = () => this.#digestAt(file, release, run.signal);
    const now = mayShow ? await untilShown(look, (seen) => seen !== null, run.signal) : await look();
    if (now === file.digest) return this.#accepted.forget(key);
    if (now !== null) {
      if (failure !== null) throw this.#taken(release, file, now);
      throw differs(place({ registry: this.#shelf.label, repository: release.name.repository }), file.digest);
    }
    const isBehind = failure instanceof Refused && (claimsToStand(failure) || isNoted(this.#lost));
    if (failure !== null && !isBehind) throw failure;
    throw new TransientError(
      "registry-behind",
      `${this.#shelf.label}: ${release.name.repository} ${release.name.tag} has ${file.name}, ` +
        "but does not show it yet.",
      { retryAfter: NOT_SHOWN_RETRY_MS },
    );
  }

  /** @returns the failure after which the registry may still have the file. Null: it was accepted */
  async #send(file: FrozenFile, release: VersionUpload, run: Run): Promise<Refused | TransientError | null> {
    try {
      await this.#shelf.put(file, release, run);
      return null;
    } catch (error) {
      const mayBeThere = error instanceof Refused || (error instanceof TransientError && isLost(error));
      if (!mayBeThere || run.signal.aborted) throw error;
      return error;
    }
  }

  #taken({ name }: Version, file: FrozenFile, found: Digest): Refused {
    return new Refused(
      "name-taken",
      `${this.#shelf.label}: ${file.name} of ${name.repository} ${name.tag} is ${found} there already, ` +
        `and may not be changed to ${file.digest}. Deliver under another version, or find out who wrote it.`,
    );
  }
}

function versionOf(name: RegistryName, content: Frozen): Version {
  const { files = [] } = content;
  if (files.length === 0) throw new TypeError("a registry of files was handed a content without any");
  return { name, content, files };
}

function isLost(error: TransientError): boolean {
  return error.code === "registry-unreachable" || error.code === "registry-unavailable";
}
