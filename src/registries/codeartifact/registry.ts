import type { Writable } from "node:stream";
import { Refused } from "../../delivery/errors.ts";
import type { Frozen } from "../../delivery/frozen.ts";
import type { ArtifactName, Location, RegistryName } from "../../delivery/types.ts";
import { type Clock, systemClock } from "../../run/clock.ts";
import type { Run } from "../../run/run.ts";
import type { Store } from "../../store/store.ts";
import { FileRegistry } from "../protocols/files/registry.ts";
import { coordinatesOf } from "../protocols/maven/coordinates.ts";
import type { Stock } from "../protocols/oci/image-registry.ts";
import type { Found, Registry, StampedContent } from "../registry.ts";
import { CodeArtifactApi, type CodeArtifactConfig } from "./api.ts";
import { GenericShelf, genericVersion } from "./generic.ts";
import { mavenVersion, type PackageFormat, packageShelf } from "./packages.ts";

export type { CodeArtifactConfig } from "./api.ts";

type Format = PackageFormat | "generic";

const RIGHTS =
  "deliverd takes a token from AWS as the password: the IAM policy must allow codeartifact:PublishPackageVersion, " +
  "codeartifact:PutPackageMetadata and codeartifact:ReadFromRepository.";

/** AWS CodeArtifact: files by its API, packages by the protocols of their package managers with a token of its API. */
class CodeArtifactRegistry implements Registry {
  readonly #key: string;
  readonly #stock: { store: Store };
  readonly #api: CodeArtifactApi;
  readonly #generic: FileRegistry;
  readonly #packages = new Map<PackageFormat, Promise<FileRegistry>>();

  constructor(key: string, config: CodeArtifactConfig, stock: Pick<Stock, "store" | "learn">, clock: Clock) {
    this.#key = key;
    this.#stock = stock;
    this.#api = new CodeArtifactApi(key, config, clock, stock.learn);
    this.#generic = new FileRegistry(key, new GenericShelf(this.#api), stock);
  }

  async check(): Promise<void> {
    await this.#generic.check();
  }

  async find(name: ArtifactName, run: Run, content: Frozen): Promise<Found | null> {
    const format = formatOf(name.repository, content);
    const found = await this.#in(format, (registry) => registry.find(name, run, content));
    // Files of a version that is not finished are there, and nobody can have them.
    if (found !== null && (await this.#isUnfinished(format, name, run))) return null;
    return found;
  }

  publish(content: StampedContent, name: ArtifactName, run: Run): Promise<Location> {
    return this.#in(formatOf(name.repository, content), (registry) => registry.publish(content, name, run));
  }

  restore(name: RegistryName, run: Run, content: Frozen): Promise<boolean> {
    const format = formatOf(name.repository, content);
    return this.#in(format, (registry) => registry.restore(name, run, content));
  }

  pull(name: RegistryName, into: Writable, run: Run, content: Frozen): Promise<void> {
    const format = formatOf(name.repository, content);
    return this.#in(format, (registry) => registry.pull(name, into, run, content));
  }

  async #isUnfinished(format: Format, name: ArtifactName, { signal }: Run): Promise<boolean> {
    if (format === "npm" || format === "pypi") return false;
    const version = format === "generic" ? genericVersion(name) : mavenVersion(coordinatesOf({ name }));
    return (await this.#api.status(version, signal)) === "Unfinished";
  }

  async #in<T>(format: Format, work: (registry: FileRegistry) => Promise<T>): Promise<T> {
    try {
      return await work(format === "generic" ? this.#generic : await this.#packaged(format));
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== "registry-denied" || format === "generic") throw error;
      throw new Refused(error.code, `${error.message} ${RIGHTS}`, { cause: error });
    }
  }

  #packaged(format: PackageFormat): Promise<FileRegistry> {
    const known = this.#packages.get(format);
    if (known !== undefined) return known;
    // Shared by all who wait for it, so no single one of them may abort it.
    const opening = packageShelf(this.#api, this.#key, format, AbortSignal.timeout(60_000)).then(
      (shelf) => new FileRegistry(this.#key, shelf, this.#stock),
    );
    this.#packages.set(format, opening);
    // What failed is asked for again.
    opening.catch(() => this.#packages.delete(format));
    return opening;
  }
}

/**
 * The format of a name in CodeArtifact. The names come from src/delivery/version-names.ts: a path has a slash, Maven
 * coordinates have a colon, and a scope has an @ before its slash.
 */
function formatOf(repository: string, { files = [], package: identity }: Frozen): Format {
  const isScoped = repository.startsWith("@") && identity !== undefined;
  if (repository.includes("/") && !isScoped) return "generic";
  if (repository.includes(":")) return "maven";
  const isPython = files.every(({ name }) => /\.(?:whl|tar\.gz|zip)$/.test(name));
  return isPython && !isScoped ? "pypi" : "npm";
}

/** Nothing is loaded or asked here. */
export function codeArtifactRegistry(
  key: string,
  config: CodeArtifactConfig,
  stock: Pick<Stock, "store" | "learn">,
  clock: Clock = systemClock,
): Registry {
  return new CodeArtifactRegistry(key, config, stock, clock);
}
