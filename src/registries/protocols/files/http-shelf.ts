import { Refused, TransientError } from "../../../delivery/errors.ts";
import type { FrozenFile } from "../../../delivery/types.ts";
import { bodyOf } from "../../../http/body.ts";
import type { Run } from "../../../run/run.ts";
import { HttpClient, type HttpEndpoint } from "../http/client.ts";
import { below } from "../http/paths.ts";
import { putFile, putOnce, tryPut } from "../http/put.ts";
import { findFileAt } from "./http-files.ts";
import { hasSidecar, hasText } from "./http-sidecar.ts";
import type { ExistingFile, Shelf, Version, VersionUpload } from "./shelf.ts";
import { SIDECAR, sidecarOf } from "./sidecar.ts";

/** A plain HTTP store: files are PUT to `<url>/<repository>/<version>/<file>`, with `deliverd.json` beside them. */
export class HttpShelf implements Shelf {
  readonly label: string;
  readonly #client: HttpClient;

  constructor(endpoint: HttpEndpoint) {
    this.label = endpoint.label;
    this.#client = new HttpClient(endpoint);
  }

  check(signal: AbortSignal): Promise<void> {
    return tryPut(this.#client, signal);
  }

  look({ name }: FrozenFile, version: Version, signal: AbortSignal): Promise<ExistingFile | null> {
    return findFileAt(this.#client, pathOf(version, name), version.name.repository, signal);
  }

  async begin(release: VersionUpload, run: Run): Promise<void> {
    if (release.files.some(({ name }) => name === SIDECAR)) {
      throw new Refused("name-invalid", `deliverd itself adds a file with the name ${SIDECAR}: rename yours.`);
    }
    await hasSidecar(this.#client, pathOf(release, SIDECAR), release, run.signal);
  }

  async put(file: FrozenFile, release: VersionUpload, { signal }: Run): Promise<void> {
    const { repository } = release.name;
    const body = release.source(file);
    await putFile(this.#client, { path: pathOf(release, file.name), body, repository, guard: true, signal });
  }

  async finish(release: VersionUpload, { signal }: Run): Promise<void> {
    const path = pathOf(release, SIDECAR);
    const stands = () => hasSidecar(this.#client, path, release, signal);
    if (await stands()) return;
    const { repository } = release.name;
    await putOnce(this.#client, { path, body: bodyOf(sidecarOf(release)), repository, guard: false, signal }, stands);
  }

  async putBeside(name: string, text: string, version: Version, { signal }: Run): Promise<void> {
    const path = pathOf(version, name);
    const { repository } = version.name;
    const stands = () => hasText(this.#client, path, repository, text, signal);
    if (await stands()) return;
    await putOnce(this.#client, { path, body: bodyOf(text), repository, guard: false, signal }, stands);
    if (!(await stands()))
      throw new TransientError("proof-not-shown", `${this.label} took ${path}, and does not show it`);
  }

  locate(version: Version): { url: string; pull: string } {
    const [first] = version.files;
    const isOne = first !== undefined && version.files.length === 1;
    const { publicUrl } = this.#client;
    const urls = version.files.map(({ name }) => below(publicUrl, pathOf(version, name)).href);
    const folder = below(publicUrl, version.name.repository, version.name.tag).href;
    return {
      url: isOne ? (urls[0] ?? folder) : `${folder}/`,
      pull: urls.map((url) => `curl -fLO ${url}`).join(" && "),
    };
  }
}

function pathOf({ name }: Version, file: string): string {
  return `${name.repository}/${name.tag}/${file}`;
}
