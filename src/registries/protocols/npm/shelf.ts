import { valid } from "semver";
import { Refused, UserError } from "../../../delivery/errors.ts";
import type { FrozenFile } from "../../../delivery/types.ts";
import { bodyOf, MAX_LIST_BYTES } from "../../../http/body.ts";
import { UnreadablePackage } from "../../../packages/archive.ts";
import { type NpmPackage, readNpmPackage } from "../../../packages/npm-package.ts";
import type { Run } from "../../../run/run.ts";
import { hashesOf } from "../files/hashes.ts";
import { findFileAt } from "../files/http-files.ts";
import type { ExistingFile, Shelf, Source, Version, VersionUpload } from "../files/shelf.ts";
import { HttpClient, type HttpEndpoint } from "../http/client.ts";
import { requireData } from "../http/failures.ts";
import { oneAtATime } from "../http/one-at-a-time.ts";
import { distTagFor, tagToRaise } from "./dist-tag.ts";
import { NO_PACKUMENT, type Packument, packumentSchema, whoamiSchema } from "./packument.ts";
import { publicationBody } from "./publication.ts";

/**
 * An npm registry: https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md. It has no place for our metadata.
 */
export class NpmShelf implements Shelf {
  readonly label: string;
  readonly #client: HttpClient;
  /**
   * One turn for each package: tags are read and then written, and with two versions at once the last writer would win.
   */
  readonly #turns = new Map<string, ReturnType<typeof oneAtATime>>();

  constructor(endpoint: HttpEndpoint) {
    this.label = endpoint.label;
    this.#client = new HttpClient(endpoint);
  }

  /** No registry shows a token's rights on packages, only its owner. */
  async check(signal: AbortSignal): Promise<void> {
    const ask = { method: "GET", url: this.#at("-/whoami"), headers: {}, repository: null, signal } as const;
    const { bytes } = await this.#client.read({ ...ask, to: "log in", expect: [200] }, MAX_LIST_BYTES);
    if (whoamiSchema.safeParse(asJson(bytes)).success) return;
    throw new Refused(
      "registry-denied",
      `${this.label} answers the request to log in without the name of a user. ` +
        "Check username and password (or the token) of this registry.",
    );
  }

  async look(_file: FrozenFile, version: Version, signal: AbortSignal): Promise<ExistingFile | null> {
    const { repository, tag } = requireName(version);
    const { versions } = await this.#packument(repository, signal);
    const tarball = versions[tag]?.dist.tarball;
    if (tarball === undefined) return null;
    return findFileAt(this.#client, this.#tarballUrl(tarball, repository), repository, signal);
  }

  async begin(release: VersionUpload): Promise<void> {
    requireName(release);
    const [file, ...others] = release.files;
    if (file !== undefined && others.length === 0) return;
    throw new UserError(
      "npm-package",
      `${release.name.repository} has ${release.files.length} files, and a version of an npm package is one file: ` +
        "let `files` match only that one.",
    );
  }

  async put(file: FrozenFile, release: VersionUpload, run: Run): Promise<void> {
    await this.#inTurn(release.name.repository, () => this.#put(file, release, run));
  }

  /** Raises a tag again that a lower version got because it was published at the same time. */
  async finish(release: VersionUpload, run: Run): Promise<void> {
    await this.#inTurn(release.name.repository, () => this.#raiseTag(release, null, run));
  }

  async #put(file: FrozenFile, release: VersionUpload, run: Run): Promise<void> {
    const { signal } = run;
    const { repository: name, tag: version } = release.name;
    const body = release.source(file);
    const pack = await publishable(body, file.name);
    const [sha1, sha512] = await hashesOf(body, ["sha1", "sha512"]);
    if (sha1 === undefined || sha512 === undefined) throw new TypeError("a digest is missing");
    const before = await this.#packument(name, signal);
    const tarball = this.#at(`${name}/-/${name.replace(/^@[^/]+\//, "")}-${version}.tgz`).href;
    const tag = distTagFor(version, before["dist-tags"]);
    const gitHead = release.content.metadata["org.opencontainers.image.revision"];
    await this.#client.status({
      method: "PUT",
      url: this.#at(escaped(name)),
      headers: { "Content-Type": "application/json" },
      body: publicationBody({ pack, name, version, tag, gitHead, sha1, sha512, tarball, body }),
      repository: name,
      to: `publish ${name}@${version}`,
      expect: [200, 201, 202, 204],
      signal,
    });
    await this.#raiseTag(release, before, run);
  }

  /** Another process may write the tag at the same time, so it is read after each write. */
  async #raiseTag({ name }: VersionUpload, before: Packument | null, run: Run): Promise<void> {
    const { repository, tag: version } = name;
    for (let turn = 0; turn < 4; turn++) {
      const now = await this.#packument(repository, run.signal);
      // A document without the version is too old to show the present tags.
      const raise = now.versions[version] === undefined ? null : tagToRaise(version, before, now);
      if (raise === null || !(await this.#setTag(repository, raise, run))) return;
    }
  }

  /**
   * https://docs.npmjs.com/cli/commands/npm-dist-tag
   * @returns false if the registry refuses: not every registry can set tags
   */
  async #setTag(name: string, { tag, version }: { tag: string; version: string }, run: Run): Promise<boolean> {
    try {
      await this.#client.status({
        method: "PUT",
        url: this.#at(`-/package/${escaped(name)}/dist-tags/${tag}`),
        headers: { "Content-Type": "application/json" },
        body: bodyOf(JSON.stringify(version)),
        repository: name,
        to: `set the tag ${tag}`,
        expect: [200, 201, 202, 204],
        signal: run.signal,
      });
      return true;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      run.log.line(`The tag ${tag} of ${name} should be ${version}, and was not set: ${error.message}`);
      return false;
    }
  }

  #inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const turn = this.#turns.get(name) ?? oneAtATime();
    this.#turns.set(name, turn);
    return turn(work);
  }

  locate(version: Version): { url: string; pull: string } {
    const { repository, tag } = version.name;
    const { publicUrl } = this.#client;
    return {
      url: this.#at(`${escaped(repository)}/${tag}`, publicUrl).href,
      pull: `npm pack ${repository}@${tag} --registry=${this.#at("", publicUrl).href}`,
    };
  }

  async #packument(name: string, signal: AbortSignal): Promise<Packument> {
    const ask = {
      method: "GET",
      url: this.#at(escaped(name)),
      repository: name,
      to: "read a package",
      signal,
    } as const;
    // This form is shorter, without readmes:
    // https://github.com/npm/registry/blob/main/docs/responses/package-metadata.md
    const headers = {
      Accept: "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8",
      "Cache-Control": "no-cache",
    };
    const { status, bytes } = await this.#client.read({ ...ask, headers, expect: [200, 404] }, MAX_LIST_BYTES);
    if (status === 404) return NO_PACKUMENT;
    requireData(bytes, { registry: this.label, repository: name, to: "read a package" });
    const parsed = packumentSchema.safeParse(asJson(bytes));
    if (parsed.success) return parsed.data;
    throw new Refused(
      "registry-refused",
      `${this.label} answers with no package document: is the url that of an npm registry?`,
    );
  }

  /**
   * The registry's URL of a tarball. It may be on another host, or, behind a proxy, on one that only the proxy can
   * reach.
   */
  #tarballUrl(text: string, name: string): URL {
    const url = URL.canParse(text) ? new URL(text) : null;
    if (url && !url.username && (url.protocol === "https:" || url.origin === this.#client.url.origin)) return url;
    return this.#at(`${name}/-/${text.slice(text.lastIndexOf("/") + 1)}`);
  }

  #at(path: string, base = this.#client.url): URL {
    const url = new URL(base);
    url.pathname = `${url.pathname.replace(/\/+$/, "")}/${path}`;
    return url;
  }
}

/** @throws UserError `npm-package` */
async function publishable(tarball: Source, file: string): Promise<NpmPackage> {
  const pack = await readNpmPackage(tarball).catch((error: unknown) => {
    if (!(error instanceof UnreadablePackage)) throw error;
    throw new UserError("npm-package", `${file} is not a package as \`npm pack\` makes it: ${error.message}.`);
  });
  if (pack.manifest.private !== true) return pack;
  throw new UserError(
    "npm-package",
    `${file}: its package.json says "private": true, which keeps it from being published. Remove that line.`,
  );
}

/** The slash of a scoped name is part of the name. */
function escaped(name: string): string {
  return name.replace("/", "%2f");
}

/**
 * Requires a name that npm can publish: https://github.com/npm/validate-npm-package-name
 * @throws Refused `name-invalid`
 */
function requireName({ name }: Version) {
  const isName = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/.test(name.repository);
  if (isName && name.repository.length <= 214 && valid(name.tag) === name.tag) return name;
  throw new Refused(
    "name-invalid",
    `${JSON.stringify(`${name.repository}@${name.tag}`.slice(0, 250))} is not a name and version of an npm package: ` +
      `use lower-case letters, digits, "-", "." and "_", with or without a @scope/`,
  );
}

function asJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    return null;
  }
}
