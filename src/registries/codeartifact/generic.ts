import { Refused } from "../../delivery/errors.ts";
import type { FrozenFile, RegistryName } from "../../delivery/types.ts";
import { bodyOf } from "../../http/body.ts";
import type { Run } from "../../run/run.ts";
import { digestOf } from "../../store/digest.ts";
import { isAnswer } from "../protocols/aws/ask.ts";
import type { ExistingFile, Shelf, Version, VersionUpload } from "../protocols/files/shelf.ts";
import { SIDECAR, sidecarOf } from "../protocols/files/sidecar.ts";
import type { CodeArtifactApi, PackageVersion } from "./api.ts";

/** Generic packages: files under a namespace, a package and a version, with `deliverd.json` among them. */
export class GenericShelf implements Shelf {
  readonly label: string;
  readonly #api: CodeArtifactApi;

  constructor(api: CodeArtifactApi) {
    this.label = api.label;
    this.#api = api;
  }

  /** Tests the credentials, and that the repository exists. It writes nothing: a write would leave something here. */
  async check(signal: AbortSignal): Promise<void> {
    await this.#api.endpoint("generic", signal);
    await this.#api.token(() => false);
  }

  look(file: FrozenFile, version: Version, signal: AbortSignal): Promise<ExistingFile | null> {
    return standingOf(this.#api, genericVersion(version.name), file.name, signal);
  }

  /** A published version takes no more files, so one that lacks any will never have it. */
  async begin({ name, files }: VersionUpload, { signal }: Run): Promise<void> {
    if (files.some((file) => file.name === SIDECAR)) {
      throw new Refused("name-invalid", `deliverd itself adds a file with the name ${SIDECAR}: rename yours.`);
    }
    const version = genericVersion(name);
    const status = await this.#api.status(version, signal);
    if (status === null || status === "Unfinished") return;
    const standing = (await this.#api.assets(version, signal)) ?? [];
    const names = standing.map((asset) => asset.name).filter((asset) => asset !== SIDECAR);
    if (status === "Published" && isSame(names, files)) return;
    throw new Refused(
      "name-taken",
      `${this.label}: ${name.repository} ${name.tag} is ${status} already, ` +
        `and holds ${names.join(", ") || "nothing"} instead of ${files.map((file) => file.name).join(", ")}. ` +
        `Deliver under another version, or find out who wrote it.`,
    );
  }

  async put(file: FrozenFile, release: VersionUpload, { signal }: Run): Promise<void> {
    const asset = { ...file, body: release.source(file), unfinished: true };
    try {
      await this.#api.publish(genericVersion(release.name), asset, signal);
    } catch (error) {
      if (!isAnswer(error, "ConflictException")) throw error;
      throw new Refused("name-taken", (error as Error).message, { cause: error });
    }
  }

  async finish(release: VersionUpload, { signal }: Run): Promise<void> {
    const version = genericVersion(release.name);
    if ((await this.#api.status(version, signal)) === "Published") return;
    const text = sidecarOf(release);
    const sidecar = { name: SIDECAR, digest: digestOf(Buffer.from(text)), body: bodyOf(text), unfinished: false };
    try {
      await this.#api.publish(version, sidecar, signal);
    } catch (error) {
      const [file] = release.files;
      if (file === undefined || !isAnswer(error, "ConflictException")) throw error;
      // An earlier try wrote it otherwise, and that stays: a file that stands already ends the version as well.
      await this.#api.publish(version, { ...file, body: release.source(file), unfinished: false }, signal);
    }
  }

  locate({ name, files }: Version): { url: string; pull: string } {
    const { region, domain, domainOwner, repository } = this.#api.config;
    const { namespace, package: pkg, version } = genericVersion(name);
    const at = ["d", domainOwner, domain, "r", repository, "p", "generic", namespace, pkg, "v", version];
    const words = [
      ...["aws", "codeartifact", "get-package-version-asset", "--region", region],
      ...["--domain", domain, "--domain-owner", domainOwner, "--repository", repository, "--format", "generic"],
      ...["--namespace", namespace, "--package", pkg, "--package-version", version],
    ];
    return {
      url: `https://${region}.console.aws.amazon.com/codesuite/codeartifact/${at.map(encodeURIComponent).join("/")}`,
      pull: files.map((file) => [...words, "--asset", file.name, file.name].map(quoted).join(" ")).join(" && "),
    };
  }
}

/** What CodeArtifact says of an asset, be its version finished or not. */
export async function standingOf(
  api: CodeArtifactApi,
  version: PackageVersion,
  asset: string,
  signal: AbortSignal,
): Promise<ExistingFile | null> {
  const found = (await api.assets(version, signal))?.find(({ name }) => name === asset);
  if (found === undefined) return null;
  return { digest: found.digest, open: () => api.open(version, asset, signal) };
}

/**
 * `acme/api/docs` is the package `docs` in the namespace `acme:api`. CodeArtifact allows no slash. A colon replaces it,
 * so a name may not hold a colon: two names could become one. @throws Refused `name-invalid`
 */
export function genericVersion({ repository, tag }: RegistryName): PackageVersion {
  const parts = repository.split("/");
  const name = parts.pop() ?? "";
  const namespace = parts.join(":");
  const isValid = [...parts, name, tag].every((part) => /^[^#/:\s]+$/.test(part)) && parts.length > 0;
  if (isValid && [namespace, name, tag].every((text) => text.length <= 255)) {
    return { format: "generic", namespace, package: name, version: tag };
  }
  throw new Refused(
    "name-invalid",
    `${JSON.stringify(`${repository} ${tag}`.slice(0, 150))} is not a path and version for CodeArtifact: ` +
      `no part may be empty or hold "#", ":" or blanks.`,
  );
}

function isSame(names: string[], files: readonly FrozenFile[]): boolean {
  return names.length === files.length && files.every((file) => names.includes(file.name));
}

function quoted(word: string): string {
  return /^[\w.,:@/+=-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
