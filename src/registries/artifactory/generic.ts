import { TransientError } from "../../delivery/errors.ts";
import type { FrozenFile } from "../../delivery/types.ts";
import type { Run } from "../../run/run.ts";
import { hashesOf } from "../protocols/files/hashes.ts";
import { openFileAt } from "../protocols/files/http-files.ts";
import type { ExistingFile, Shelf, Version, VersionUpload } from "../protocols/files/shelf.ts";
import { below } from "../protocols/http/paths.ts";
import type { ArtifactoryApi } from "./api.ts";
import { buildFacts } from "./build-facts.ts";
import { matrixParameters, propertiesOf } from "./properties.ts";
import { stamp } from "./stamped.ts";

/** From so many bytes on it is worth asking first whether Artifactory has them already, as JFrog's own client does. */
const WORTH_ASKING = 10 * 1024;

/** Files under `<generic repository>/<repository>/<version>/<file>`, with the facts of their release as properties. */
export class GenericShelf implements Shelf {
  readonly label: string;
  readonly #api: ArtifactoryApi;
  readonly #repository: string;

  /** @param repository the key of a generic repository in Artifactory */
  constructor(api: ArtifactoryApi, repository: string) {
    this.label = api.label;
    this.#api = api;
    this.#repository = repository;
  }

  check(signal: AbortSignal): Promise<void> {
    return this.#api.tryDeploy(this.#repository, signal);
  }

  async look(file: FrozenFile, version: Version, signal: AbortSignal): Promise<ExistingFile | null> {
    const path = this.#path(version, file);
    const { client } = this.#api;
    const stored = await this.#api.file(path, signal);
    return (
      stored && {
        digest: stored.sha256 === undefined ? null : `sha256:${stored.sha256}`,
        open: () => openFileAt(client, below(client.url, path), version.name.repository, signal),
      }
    );
  }

  /**
   * Sends only the checksum if Artifactory has the bytes. Facts and bytes come in one request, so that no file is there
   * without its facts.
   */
  async put(file: FrozenFile, release: VersionUpload, { signal }: Run): Promise<void> {
    const body = release.source(file);
    const [sha1, md5] = await hashesOf(body, ["sha1", "md5"]);
    if (sha1 === undefined || md5 === undefined) throw new TypeError("a digest is missing");
    const facts = buildFacts(release.content.metadata);
    const url = below(this.#api.client.url, this.#path(release, file));
    if (facts !== null) url.pathname += matrixParameters(propertiesOf(release.content.metadata, facts));
    const checksums = {
      "X-Checksum-Sha1": sha1.toString("hex"),
      "X-Checksum-Md5": md5.toString("hex"),
      "X-Checksum-Sha256": file.digest.slice("sha256:".length),
    };
    const ask = { method: "PUT", url, repository: release.name.repository, signal } as const;
    if (file.size >= WORTH_ASKING) {
      const headers = { ...checksums, "X-Checksum-Deploy": "true" };
      // Whatever else it says: the bytes themselves are sent.
      const expect = [200, 201, 400, 404, 405, 409, 411, 422, 501];
      const status = await this.#api.client.status({ ...ask, headers, to: `deploy ${file.name} by checksum`, expect });
      if (status === 200 || status === 201) return;
    }
    const headers = { ...checksums, "Content-Type": "application/octet-stream" };
    const expect = [200, 201, 409];
    const status = await this.#api.client.status({ ...ask, headers, body, to: `deploy ${file.name}`, expect });
    if (status !== 409) return;
    throw new TransientError(
      "digest-mismatch",
      `${this.label} received other bytes than ${file.digest} for ${file.name} (409).`,
    );
  }

  async finish(release: VersionUpload, { signal }: Run): Promise<void> {
    const files = await Promise.all(release.files.map((file) => this.#api.file(this.#path(release, file), signal)));
    const stored = files.filter((file) => file !== null);
    await stamp(this.#api, release.content, release.name, stored, signal);
  }

  locate(version: Version): { url: string; pull: string } {
    const { publicUrl } = this.#api.client;
    const urls = version.files.map((file) => below(publicUrl, this.#path(version, file)).href);
    const [only = "", ...others] = urls;
    const folder = below(publicUrl, this.#repository, version.name.repository, version.name.tag).href;
    const login = "-u <user>:<token>";
    return {
      url: others.length === 0 ? only : `${folder}/`,
      pull: urls.map((each) => `curl -fLO ${login} ${each}`).join(" && "),
    };
  }

  #path({ name }: Version, file: FrozenFile): string {
    return `${this.#repository}/${name.repository}/${name.tag}/${file.name}`;
  }
}
