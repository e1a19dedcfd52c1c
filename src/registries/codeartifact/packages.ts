import type { FrozenFile } from "../../delivery/types.ts";
import { type Authorize, basicAuth } from "../../http/login.ts";
import type { ExistingFile, Shelf, Version } from "../protocols/files/shelf.ts";
import { readPublicUrl } from "../protocols/http/endpoint.ts";
import { type Coordinates, coordinatesOf, pathOf, suffixOf } from "../protocols/maven/coordinates.ts";
import { type MavenOptions, MavenShelf } from "../protocols/maven/shelf.ts";
import { NpmShelf } from "../protocols/npm/shelf.ts";
import { PypiShelf } from "../protocols/pypi/shelf.ts";
import type { CodeArtifactApi, PackageVersion } from "./api.ts";
import { standingOf } from "./generic.ts";

/** The package managers' own protocols, by CodeArtifact's names of them. */
export type PackageFormat = "npm" | "pypi" | "maven";

/** A shelf that speaks to the package endpoint of that format, with the API's token. */
export async function packageShelf(
  api: CodeArtifactApi,
  key: string,
  format: PackageFormat,
  signal: AbortSignal,
): Promise<Shelf> {
  const url = await api.endpoint(format, signal);
  // Joined to what is below it, so it has to end like a folder.
  url.pathname = `${url.pathname.replace(/\/+$/, "")}/`;
  const base = readPublicUrl(key, api.config.publicUrl);
  const publicUrl = base && new URL(url.pathname.slice(1), base);
  const label = `registry ${key} (CodeArtifact, ${url.host})`;
  const endpoint = { label, url, publicUrl, authorize: authorizeBy(api, format) };
  if (format === "npm") return new NpmShelf(endpoint);
  if (format === "pypi") {
    const shown = publicUrl && new URL("simple/", publicUrl);
    return new PypiShelf({ ...endpoint, index: new URL("simple", url), publicUrl: shown });
  }
  return new FinishedMavenShelf(api, { ...endpoint, alwaysPutMetadata: true });
}

/**
 * npm takes the token as Bearer, the others take it as a password.
 * @see https://docs.aws.amazon.com/codeartifact/latest/ug/tokens-authentication.html
 */
function authorizeBy(api: CodeArtifactApi, format: PackageFormat): Authorize {
  const headerOf = (token: string) => (format === "npm" ? `Bearer ${token}` : basicAuth("aws", token));
  return async (refused) => headerOf(await api.token((token) => headerOf(token) === refused));
}

/**
 * A Maven version is unfinished until its `maven-metadata.xml` is put. Until then nobody can download it, but the API
 * shows it.
 */
class FinishedMavenShelf extends MavenShelf {
  readonly #api: CodeArtifactApi;

  constructor(api: CodeArtifactApi, options: MavenOptions) {
    super(options);
    this.#api = api;
  }

  override look(file: FrozenFile, version: Version, signal: AbortSignal): Promise<ExistingFile | null> {
    const at = coordinatesOf(version);
    const path = pathOf(at, suffixOf(file, version, at));
    return standingOf(this.#api, mavenVersion(at), path.slice(path.lastIndexOf("/") + 1), signal);
  }
}

export function mavenVersion({ group, artifact, version }: Coordinates): PackageVersion {
  return { format: "maven", namespace: group, package: artifact, version };
}
