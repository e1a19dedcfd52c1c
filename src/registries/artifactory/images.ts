import type { Writable } from "node:stream";
import type { Frozen } from "../../delivery/frozen.ts";
import type { Attachment } from "../../delivery/proof/attachment.ts";
import type { ArtifactName, Location, RegistryName } from "../../delivery/types.ts";
import type { Run } from "../../run/run.ts";
import { ImageRegistry, type ImageRegistryOptions, type Stock } from "../protocols/oci/image-registry.ts";
import type { AttachOptions, Found, Registry, StampedContent } from "../registry.ts";
import type { ArtifactoryApi } from "./api.ts";
import { notShown, stamp } from "./stamped.ts";

/** A docker repository by the repository path method: an image is `<host>/<docker repository>/<name>`. */
export class DockerRepository implements Registry {
  readonly #images: ImageRegistry;
  readonly #api: ArtifactoryApi;
  readonly #repository: string;

  /** @param repository its key in Artifactory */
  constructor(options: ImageRegistryOptions, stock: Stock, api: ArtifactoryApi, repository: string) {
    const { holderOf } = stock;
    this.#images = new ImageRegistry(options, {
      ...stock,
      // The ledger knows names as pipelines write them.
      holderOf: async (registry, digest) => {
        const holder = (await holderOf?.(registry, digest)) ?? null;
        return holder === null ? null : `${repository}/${holder}`;
      },
    });
    this.#api = api;
    this.#repository = repository;
  }

  check(): Promise<void> {
    return this.#images.check();
  }

  find(name: ArtifactName, run: Run, content?: Frozen): Promise<Found | null> {
    return this.#images.find(this.#inside(name), run, content);
  }

  upload(content: Frozen, name: ArtifactName, run: Run): Promise<void> {
    return this.#images.upload(content, this.#inside(name), run);
  }

  async publish(content: StampedContent, name: ArtifactName, run: Run): Promise<Location> {
    const location = await this.#images.publish(content, this.#inside(name), run);
    // A tag is a folder there: its manifest, and whatever that lists.
    const folder = `${this.#repository}/${name.repository}/${name.tag}`;
    if (name.immutable) {
      const files = await this.#api.folder(folder, run.signal);
      if (files.length === 0) throw notShown(this.#api, name, this.#repository);
      await stamp(this.#api, content, name, files, run.signal, folder);
    }
    return { ...location, repository: name.repository };
  }

  restore(name: RegistryName, run: Run, content: Frozen): Promise<boolean> {
    return this.#images.restore(this.#inside(name), run, content);
  }

  pull(name: RegistryName, into: Writable, run: Run, content: Frozen): Promise<void> {
    return this.#images.pull(this.#inside(name), into, run, content);
  }

  attach(proof: Attachment, names: readonly RegistryName[], how: AttachOptions, run: Run): Promise<string | null> {
    return this.#images.attach(
      proof,
      names.map((name) => this.#inside(name)),
      how,
      run,
    );
  }

  #inside<Name extends RegistryName>(name: Name): Name {
    return { ...name, repository: `${this.#repository}/${name.repository}` };
  }
}
