import { Refused } from "../../../delivery/errors.ts";
import type { FrozenFile } from "../../../delivery/types.ts";
import { type Body, bodyOf } from "../../../http/body.ts";
import type { Run } from "../../../run/run.ts";
import { hashesOf } from "../files/hashes.ts";
import { findFileAt } from "../files/http-files.ts";
import { hasSidecar } from "../files/http-sidecar.ts";
import type { ExistingFile, Shelf, Version, VersionUpload } from "../files/shelf.ts";
import { sidecarOf } from "../files/sidecar.ts";
import { HttpClient, type HttpEndpoint } from "../http/client.ts";
import { isHtml, requireData } from "../http/failures.ts";
import { oneAtATime } from "../http/one-at-a-time.ts";
import { below } from "../http/paths.ts";
import { putFile, putOnce, tryPut } from "../http/put.ts";
import { artifactFolder, type Coordinates, coordinatesOf, isPom, pathOf, suffixOf } from "./coordinates.ts";
import { isUpToDate, type MavenMetadata, NO_METADATA, readMetadata, withVersion } from "./metadata.ts";
import { pomOf } from "./pom.ts";

export interface MavenOptions extends HttpEndpoint {
  /** Send `maven-metadata.xml` even if it already lists the version: some registries complete a version by it. */
  alwaysPutMetadata?: boolean;
}

/** They are written in this order, so if the last one exists, all exist. */
const CHECKSUMS = ["sha256", "md5", "sha1"] as const;
/** Our metadata has its own classifier, so that no build resolves it by mistake. */
const SIDECAR_SUFFIX = "-deliverd.json";
const METADATA_MAX_BYTES = 16 * 1024 * 1024;

/** A Maven repository in its default layout: https://maven.apache.org/repository/layout.html */
export class MavenShelf implements Shelf {
  readonly label: string;
  readonly #client: HttpClient;
  readonly #alwaysPutMetadata: boolean;
  /** If two lists of versions were merged at the same time, each would drop the other's version. */
  readonly #inTurn = oneAtATime();

  constructor(options: MavenOptions) {
    this.label = options.label;
    this.#client = new HttpClient(options);
    this.#alwaysPutMetadata = options.alwaysPutMetadata ?? false;
  }

  check(signal: AbortSignal): Promise<void> {
    return tryPut(this.#client, signal);
  }

  look(file: FrozenFile, version: Version, signal: AbortSignal): Promise<ExistingFile | null> {
    const at = coordinatesOf(version);
    return findFileAt(this.#client, pathOf(at, suffixOf(file, version, at)), version.name.repository, signal);
  }

  async begin(release: VersionUpload, { signal }: Run): Promise<void> {
    const at = coordinatesOf(release);
    const suffixes = release.files.map((file) => suffixOf(file, release, at));
    const twice = suffixes.find((suffix, index) => suffixes.indexOf(suffix) !== index);
    if (twice !== undefined || suffixes.includes(SIDECAR_SUFFIX)) {
      throw new Refused(
        "name-invalid",
        `Two files of ${release.name.repository} get the name ` +
          `${at.artifact}-${at.version}${twice ?? SIDECAR_SUFFIX}: give each its own classifier.`,
      );
    }
    await hasSidecar(this.#client, pathOf(at, SIDECAR_SUFFIX), release, signal);
  }

  async put(file: FrozenFile, release: VersionUpload, { signal }: Run): Promise<void> {
    const at = coordinatesOf(release);
    await this.#put(pathOf(at, suffixOf(file, release, at)), release.source(file), release, signal, true);
  }

  async finish(release: VersionUpload, { signal, clock }: Run): Promise<void> {
    const at = coordinatesOf(release);
    for (const file of release.files) {
      await this.#ensureChecksums(pathOf(at, suffixOf(file, release, at)), release.source(file), release, signal);
    }
    if (!release.files.some(isPom)) {
      await this.#ensureFile(pathOf(at, ".pom"), () => pomOf(release, at), release, signal);
    }
    const sidecar = pathOf(at, SIDECAR_SUFFIX);
    // The first one that was written stays.
    if (!(await hasSidecar(this.#client, sidecar, release, signal))) {
      await this.#ensureFile(sidecar, async () => Buffer.from(sidecarOf(release)), release, signal);
    }
    await this.#inTurn(() => this.#list(at, release, new Date(clock.now()), signal));
  }

  locate(version: Version): { url: string; pull: string } {
    const at = coordinatesOf(version);
    const { publicUrl } = this.#client;
    const suffixes = version.files.map((file) => suffixOf(file, version, at));
    const main = suffixes.find((suffix) => /^\.\w+$/.test(suffix) && suffix !== ".pom") ?? ".pom";
    const packaging = main === ".jar" ? "" : `:${main.slice(1)}`;
    return {
      url: below(publicUrl, pathOf(at, main)).href,
      pull:
        `mvn dependency:get -Dtransitive=false -DremoteRepositories=${publicUrl.href} ` +
        `-Dartifact=${at.group}:${at.artifact}:${at.version}${packaging}`,
    };
  }

  /** @param make called only if there is no such file */
  async #ensureFile(
    path: string,
    make: () => Promise<Buffer>,
    release: VersionUpload,
    signal: AbortSignal,
  ): Promise<void> {
    const standing = await this.#read(path, release, signal);
    const bytes = standing ?? (await make());
    if (standing === null) await this.#putOnce(path, bodyOf(bytes), release, signal, true);
    await this.#ensureChecksums(path, bodyOf(bytes), release, signal);
  }

  async #ensureChecksums(path: string, body: Body, release: VersionUpload, signal: AbortSignal): Promise<void> {
    if (await this.#isThere(`${path}.sha1`, release, signal)) return;
    for (const [name, hex] of await checksumsOf(body)) {
      await this.#putOnce(`${path}.${name}`, bodyOf(hex), release, signal, false);
    }
  }

  /** Writes the checksums of a file that may change. */
  async #putChecksums(path: string, body: Body, release: VersionUpload, signal: AbortSignal): Promise<void> {
    for (const [name, hex] of await checksumsOf(body)) {
      await this.#put(`${path}.${name}`, bodyOf(hex), release, signal, false);
    }
  }

  async #isThere(path: string, { name }: VersionUpload, signal: AbortSignal): Promise<boolean> {
    return (await findFileAt(this.#client, path, name.repository, signal)) !== null;
  }

  /**
   * Adds the version to the list. Another process may write the list at the same time, so it is read again afterwards.
   */
  async #list(at: Coordinates, release: VersionUpload, now: Date, signal: AbortSignal): Promise<void> {
    const path = `${artifactFolder(at)}/maven-metadata.xml`;
    let mayPut = this.#alwaysPutMetadata;
    for (let turn = 0; turn < 4; turn++) {
      const xml = await this.#read(path, release, signal);
      const metadata = xml === null ? NO_METADATA : this.#listed(xml, path);
      if (xml !== null && isUpToDate(metadata, at) && !mayPut) {
        const [sha1] = await hashesOf(bodyOf(xml), ["sha1"]);
        const told = await this.#read(`${path}.sha1`, release, signal);
        if (told?.toString().trim().split(/\s/)[0] === sha1?.toString("hex")) return;
        await this.#putChecksums(path, bodyOf(xml), release, signal);
        return;
      }
      mayPut = false;
      const merged = withVersion(metadata, at, now);
      await this.#put(path, bodyOf(merged), release, signal, false);
      await this.#putChecksums(path, bodyOf(merged), release, signal);
    }
    // A registry may change the list by itself. The version is published all the same.
  }

  /** @throws Refused if the list cannot be read: overwriting it would remove the versions that it lists */
  #listed(xml: Buffer, path: string): MavenMetadata {
    const metadata = readMetadata(xml.toString());
    if (metadata !== null) return metadata;
    throw new Refused(
      "registry-refused",
      `${this.label}: ${path} is not the metadata of a Maven repository, ` +
        "so deliverd did not add the version to it. Repair or delete that file.",
    );
  }

  async #read(path: string, release: VersionUpload, signal: AbortSignal): Promise<Buffer | null> {
    const url = below(this.#client.url, path);
    const ask = { method: "GET", url, headers: {}, to: `read ${path}`, expect: [200, 404], signal } as const;
    const { repository } = release.name;
    const { status, bytes } = await this.#client.read({ ...ask, repository }, METADATA_MAX_BYTES);
    if (status === 404) return null;
    requireData(bytes, { registry: this.label, repository, to: ask.to }, isHtml);
    return bytes;
  }

  #put(path: string, body: Body, { name }: VersionUpload, signal: AbortSignal, guard: boolean): Promise<void> {
    return putFile(this.#client, { path, body, repository: name.repository, guard, signal });
  }

  #putOnce(path: string, body: Body, release: VersionUpload, signal: AbortSignal, guard: boolean): Promise<void> {
    const put = { path, body, repository: release.name.repository, guard, signal };
    return putOnce(this.#client, put, () => this.#isThere(path, release, signal));
  }
}

async function checksumsOf(body: Body): Promise<[string, string][]> {
  const hashes = await hashesOf(body, CHECKSUMS);
  return CHECKSUMS.map((name, index) => [name, hashes[index]?.toString("hex") ?? ""]);
}
