import { TransientError } from "../../delivery/errors.ts";
import type { FrozenFile, RegistryName } from "../../delivery/types.ts";
import type { Run } from "../../run/run.ts";
import type { ExistingFile, Shelf, Version, VersionUpload } from "../protocols/files/shelf.ts";
import type { StampedContent } from "../registry.ts";
import type { ArtifactoryApi, StoredFile } from "./api.ts";
import { buildFacts } from "./build-facts.ts";
import { addToBuild, moduleOf } from "./build-info.ts";
import { propertiesOf } from "./properties.ts";

/** ms after which Artifactory is asked again for what it took and does not show yet. */
const SOON = 5_000;

/**
 * Records where published files come from: properties on each file, and their module in the build of their commit. Runs
 * at each attempt, to repair what a crash after publishing left out.
 * @param folder sets the properties on everything in it
 */
export async function stamp(
  api: ArtifactoryApi,
  content: StampedContent,
  name: RegistryName,
  files: StoredFile[],
  signal: AbortSignal,
  folder?: string,
): Promise<void> {
  const facts = buildFacts(content.metadata);
  if (facts === null) return;
  const properties = propertiesOf(content.metadata, facts);
  const items = folder === undefined ? files.map(({ path }) => [path, path]) : [[folder, files[0]?.path ?? folder]];
  for (const [item = "", told = item] of items) {
    const standing = await api.properties(told, signal);
    const isTold = Object.entries(properties).every(([key, value]) => standing[key]?.join() === value);
    if (!isTold) await api.setProperties(item, properties, signal);
  }
  const id = `${name.repository}:${content.kind === "jar" || content.kind === "wheel" ? name.tag : facts.number}`;
  await addToBuild(api, facts, moduleOf(content.kind, id, files), signal);
}

/** A shelf of one of Artifactory's package repositories: its clients' protocol, and Artifactory's own facts besides. */
export class StampedShelf implements Shelf {
  readonly label: string;
  readonly #shelf: Shelf;
  readonly #api: ArtifactoryApi;
  readonly #repository: string;

  /** @param repository its key in Artifactory */
  constructor(shelf: Shelf, api: ArtifactoryApi, repository: string) {
    this.label = shelf.label;
    this.#shelf = shelf;
    this.#api = api;
    this.#repository = repository;
  }

  check(signal: AbortSignal): Promise<void> {
    return this.#api.tryDeploy(this.#repository, signal);
  }

  look(file: FrozenFile, version: Version, signal: AbortSignal): Promise<ExistingFile | null> {
    return this.#shelf.look(file, version, signal);
  }

  async begin(release: VersionUpload, run: Run): Promise<void> {
    await this.#shelf.begin?.(release, run);
  }

  put(file: FrozenFile, release: VersionUpload, run: Run): Promise<void> {
    return this.#shelf.put(file, release, run);
  }

  async finish(release: VersionUpload, run: Run): Promise<void> {
    await this.#shelf.finish?.(release, run);
    const files = await Promise.all(release.files.map((file) => this.#stored(file, release.name, run.signal)));
    await stamp(this.#api, release.content, release.name, files, run.signal);
  }

  locate(version: Version): { url: string; pull: string } {
    return this.#shelf.locate(version);
  }

  /**
   * Finds the file by its content, because the package repository chooses its path. Every layout has the version in its
   * paths.
   */
  async #stored({ digest }: FrozenFile, { repository, tag }: RegistryName, signal: AbortSignal): Promise<StoredFile> {
    const found = await this.#api.holders(this.#repository, digest, signal);
    const stored = found.find(({ path }) => path.includes(tag));
    if (stored !== undefined) return stored;
    throw notShown(this.#api, { repository, tag }, this.#repository);
  }
}

/** What Artifactory took, as its package endpoint says itself, and does not show by its own REST API yet. */
export function notShown(
  { label }: ArtifactoryApi,
  { repository, tag }: Pick<RegistryName, "repository" | "tag">,
  key: string,
): TransientError {
  return new TransientError(
    "registry-behind",
    `${label}: ${repository} ${tag} was published, but the files of ${key} do not show it yet.`,
    { retryAfter: SOON },
  );
}
