import type { Writable } from "node:stream";
import { ConfigError, Refused } from "../../delivery/errors.ts";
import type { Frozen } from "../../delivery/frozen.ts";
import type { Attachment } from "../../delivery/proof/attachment.ts";
import type { ArtifactName, Location, RegistryName } from "../../delivery/types.ts";
import type { Run } from "../../run/run.ts";
import { FileRegistry } from "../protocols/files/registry.ts";
import type { Shelf } from "../protocols/files/shelf.ts";
import type { HttpEndpoint } from "../protocols/http/client.ts";
import { readPublicUrl } from "../protocols/http/endpoint.ts";
import { fixedLogin } from "../protocols/http/login.ts";
import { below } from "../protocols/http/paths.ts";
import { MavenShelf } from "../protocols/maven/shelf.ts";
import { NpmShelf } from "../protocols/npm/shelf.ts";
import { readCredentials } from "../protocols/oci/credentials.ts";
import type { Stock } from "../protocols/oci/image-registry.ts";
import { PypiShelf } from "../protocols/pypi/shelf.ts";
import type { AttachOptions, Found, Registry, StampedContent } from "../registry.ts";
import { ArtifactoryApi } from "./api.ts";
import { GenericShelf } from "./generic.ts";
import { DockerRepository } from "./images.ts";
import { StampedShelf } from "./stamped.ts";

type Kept = "docker" | "maven" | "npm" | "pypi" | "generic";

/** `registries.<key>` of type `artifactory`. */
export interface ArtifactoryConfig {
  /** Of Artifactory itself: `https://acme.jfrog.io/artifactory`. */
  url: string;
  /** What people are told in place of `url`. */
  publicUrl?: string | null | undefined;
  username?: string | null | undefined;
  /** Or an access or identity token in its place. */
  password?: string | null | undefined;
  /** An access token by itself, as Bearer. */
  token?: string | null | undefined;
  /** The key of a local repository of each type; left out: none. */
  repositories: Partial<Record<Kept, string | null>>;
}

/** @throws ConfigError `registry-credentials`, `registry-url` */
export function artifactoryRegistry(key: string, config: ArtifactoryConfig, stock: Stock): Registry {
  const url = new URL(`${config.url.replace(/\/+$/, "")}/`);
  const publicUrl = readPublicUrl(key, config.publicUrl);
  const credentials = readCredentials(key, config);
  const endpoint = { label: `registry ${key} (${url.host})`, authorize: fixedLogin(key, config) };
  const api = new ArtifactoryApi({ ...endpoint, url, publicUrl }, stock.mutex);
  const { docker, maven, npm, pypi, generic } = config.repositories;
  const packages = (repository: string, shelf: Shelf) =>
    new FileRegistry(key, new StampedShelf(shelf, api, repository), stock);
  const at = (...path: string[]): HttpEndpoint => ({
    ...endpoint,
    url: below(url, ...path),
    publicUrl: publicUrl && below(publicUrl, ...path),
  });
  const registries: Partial<Record<Kept, Registry>> = {};
  if (docker) {
    if (config.token) {
      throw new ConfigError(
        "registry-credentials",
        `registries.${key}: images need a username beside the token: write it as username, and the token as password.`,
      );
    }
    const origin = {
      ...{ key, url: new URL(url.origin), pullHost: url.host, checkRepository: `${docker}/deliverd-check` },
      // Docker's API is at the root of Artifactory's host.
      publicUrl: publicUrl && new URL(publicUrl.origin),
    };
    registries.docker = new DockerRepository({ ...origin, credentials }, stock, api, docker);
  }
  if (maven) registries.maven = packages(maven, new MavenShelf(at(maven)));
  if (npm) registries.npm = packages(npm, new NpmShelf(at("api/npm", npm)));
  if (pypi) {
    // People are told the index.
    const { publicUrl: shown, url: index } = at("api/pypi", pypi, "simple");
    registries.pypi = packages(pypi, new PypiShelf({ ...at("api/pypi", pypi), index, publicUrl: shown }));
  }
  if (generic) registries.generic = new FileRegistry(key, new GenericShelf(api, generic), stock);
  return new Artifactory(key, registries);
}

/** Hands each content to the repository of its type. */
class Artifactory implements Registry {
  readonly #key: string;
  readonly #registries: Partial<Record<Kept, Registry>>;

  constructor(key: string, registries: Partial<Record<Kept, Registry>>) {
    this.#key = key;
    this.#registries = registries;
  }

  async check(): Promise<void> {
    for (const registry of Object.values(this.#registries)) await registry.check();
  }

  find(name: ArtifactName, run: Run, content: Frozen): Promise<Found | null> {
    return this.#for(name.repository, content).find(name, run, content);
  }

  async upload(content: StampedContent, name: ArtifactName, run: Run): Promise<void> {
    await this.#for(name.repository, content).upload?.(content, name, run);
  }

  publish(content: StampedContent, name: ArtifactName, run: Run): Promise<Location> {
    return this.#for(name.repository, content).publish(content, name, run);
  }

  restore(name: RegistryName, run: Run, content: Frozen): Promise<boolean> {
    return this.#for(name.repository, content).restore(name, run, content);
  }

  pull(name: RegistryName, into: Writable, run: Run, content: Frozen): Promise<void> {
    return this.#for(name.repository, content).pull(name, into, run, content);
  }

  async attach(
    proof: Attachment,
    names: readonly RegistryName[],
    how: AttachOptions,
    run: Run,
    content: Frozen,
  ): Promise<string | null> {
    const registry = this.#for(names[0]?.repository ?? "", content);
    return (await registry.attach?.(proof, names, how, run, content)) ?? null;
  }

  #for(repository: string, content: Frozen): Registry {
    const kept = keptAs(repository, content);
    const registry = this.#registries[kept];
    if (registry !== undefined) return registry;
    throw new Refused(
      "registry-refused",
      `registries.${this.#key}.repositories has no ${kept} repository any more. Add it, or publish elsewhere.`,
    );
  }
}

/** By what is known of a content wherever it is asked for: its files, what they say of themselves, and its name. */
function keptAs(repository: string, { files, package: identity }: Frozen): Kept {
  if (files === undefined) return "docker";
  if (repository.includes(":")) return "maven";
  if (identity === undefined) return "generic";
  return files.every(({ name }) => name.endsWith(".tgz")) ? "npm" : "pypi";
}
