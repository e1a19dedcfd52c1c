import { Refused } from "../../../delivery/errors.ts";
import { normalPythonName } from "../../../delivery/python-name.ts";
import type { FrozenFile } from "../../../delivery/types.ts";
import { MAX_LIST_BYTES } from "../../../http/body.ts";
import type { Authorize } from "../../../http/login.ts";
import type { Run } from "../../../run/run.ts";
import { findFileAt } from "../files/http-files.ts";
import type { ExistingFile, Shelf, Version, VersionUpload } from "../files/shelf.ts";
import { HttpClient, type HttpEndpoint } from "../http/client.ts";
import { requireData } from "../http/failures.ts";
import { below } from "../http/paths.ts";
import { fieldsOf } from "./distribution.ts";
import { formOf } from "./form.ts";
import { INDEX_TYPES, readIndexPage } from "./simple-index.ts";

export interface PypiOptions extends HttpEndpoint {
  /** URL of the simple repository API, which lists uploaded files. `url` is for uploads. */
  index: URL;
}

const ENVELOPE: [string, string][] = [
  [":action", "file_upload"],
  ["protocol_version", "1"],
];

/**
 * An index of Python packages with PyPI's upload API: https://docs.pypi.org/api/upload/. It has no place for our
 * metadata.
 */
export class PypiShelf implements Shelf {
  readonly label: string;
  readonly #upload: HttpClient;
  readonly #index: HttpClient;

  constructor(options: PypiOptions) {
    const { index, url, authorize } = options;
    this.label = options.label;
    this.#upload = new HttpClient(options);
    const isSame = index.origin === url.origin;
    this.#index = new HttpClient({ ...options, url: index, authorize: isSame ? authorize : onlyWhereAsked(authorize) });
  }

  /** Sends an upload without fields: an index refuses a wrong login before it looks at the fields. */
  async check(signal: AbortSignal): Promise<void> {
    await this.#post([...ENVELOPE], null, { repository: null, to: "upload", expect: [200, 400, 422] }, signal);
    const url = this.#page("deliverd-check");
    const ask = { method: "GET", url, headers: { Accept: INDEX_TYPES }, repository: null, signal } as const;
    await this.#index.status({ ...ask, to: "read the index", expect: [200, 404] });
  }

  async look(
    { name }: FrozenFile,
    { name: { repository } }: Version,
    signal: AbortSignal,
  ): Promise<ExistingFile | null> {
    const url = this.#page(repository);
    // After an upload, a cache could still have the older page.
    const headers = { Accept: INDEX_TYPES, "Cache-Control": "no-cache" };
    const ask = { method: "GET", url, headers, repository, to: "read the index", signal } as const;
    const { status, bytes } = await this.#index.read({ ...ask, expect: [200, 404] }, MAX_LIST_BYTES);
    if (status === 404) return null;
    requireData(bytes, { registry: this.label, ...ask }, () => false);
    const files = await readIndexPage(bytes.toString("utf8"), url);
    if (files === null) {
      throw new Refused(
        "registry-refused",
        `${this.label}: ${url.href} is not a page of a simple index. Correct \`index\`.`,
      );
    }
    const found = files.find((file) => file.name === name);
    if (found === undefined) return null;
    // A page may list a file that the storage has lost.
    return findFileAt(
      this.#index,
      this.#safe(found.url),
      repository,
      signal,
      () => found.sha256 && `sha256:${found.sha256}`,
    );
  }

  async put(file: FrozenFile, release: VersionUpload, { signal }: Run): Promise<void> {
    const body = release.source(file);
    const fields = [...(await fieldsOf(file.name, body)), ...ENVELOPE];
    const { repository } = release.name;
    const about = { repository, to: `upload ${file.name}`, expect: [200, 201, 202, 204] };
    await this.#post(fields, { name: file.name, body }, about, signal);
  }

  locate({ name, files }: Version): { url: string; pull: string } {
    const { publicUrl } = this.#index;
    const isSource = files.every((file) => !file.name.endsWith(".whl"));
    const only = isSource ? ` --no-binary ${name.repository}` : "";
    return {
      url: this.#page(name.repository, publicUrl).href,
      pull: `pip download --no-deps${only} --index-url ${publicUrl.href} ${name.repository}==${name.tag}`,
    };
  }

  #post(
    fields: [string, string][],
    file: Parameters<typeof formOf>[1],
    about: { repository: string | null; to: string; expect: number[] },
    signal: AbortSignal,
  ): Promise<number> {
    const { body, contentType } = formOf(fields, file);
    const { url } = this.#upload;
    return this.#upload.status({
      ...about,
      method: "POST",
      url,
      headers: { "Content-Type": contentType },
      body,
      signal,
    });
  }

  #page(project: string, index = this.#index.url): URL {
    const url = below(index, normalPythonName(project));
    url.pathname += "/";
    return url;
  }

  #safe(url: URL): URL {
    if ((url.protocol === "https:" || url.protocol === this.#index.url.protocol) && !url.username) return url;
    throw new Refused(
      "registry-redirect",
      `${this.label} has its files at ${url.protocol}//${url.host}, which is not as safe as the index itself.`,
    );
  }
}

/** The login is for uploads. An index on another host gets it only if it asks for a login. */
function onlyWhereAsked(authorize: Authorize): Authorize {
  return async (refused) => (refused === undefined ? null : authorize(refused === "" ? undefined : refused));
}
