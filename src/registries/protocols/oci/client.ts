import type { Readable } from "node:stream";
import { Refused } from "../../../delivery/errors.ts";
import type { Digest } from "../../../delivery/types.ts";
import { bodyOf, discard, readBytes } from "../../../http/body.ts";
import type { HttpResponse } from "../../../http/client.ts";
import { isDigest } from "../../../store/digest.ts";
import {
  type Descriptor,
  MANIFEST_TYPES,
  MAX_MANIFEST_BYTES,
  type Manifest,
  readManifest,
} from "../../../store/manifest.ts";
import { isPage, place, type Question, requireData, unexpectedAnswer, withoutAnswer } from "../http/failures.ts";
import { differs, verified } from "../http/verified.ts";
import { DONE, type Endpoint, OciHttp, toPull, toPush } from "./http.ts";
import { requireReference, requireRepository } from "./names.ts";
import { ReferrersApi } from "./referrers-api.ts";
import { Uploads } from "./uploads.ts";

export type { Endpoint } from "./http.ts";

/** What `lookUp` found under a name. */
export type Look =
  | { kind: "stands"; digest: Digest }
  | { kind: "nothing" }
  /** May be a repository that does not exist, or one that we may not read: registries answer the same to both. */
  | { kind: "denied"; why: Refused };

/**
 * A client of one registry (OCI distribution specification 1.1). Every method throws what HttpClient throws, and
 * Refused (`registry-realm`, `name-invalid`).
 */
export class RegistryClient {
  readonly label: string;
  readonly uploads: Uploads;
  readonly referrers: ReferrersApi;
  readonly #http: OciHttp;

  constructor(endpoint: Endpoint) {
    this.#http = new OciHttp(endpoint);
    this.uploads = new Uploads(this.#http);
    this.referrers = new ReferrersApi(this.#http);
    this.label = this.#http.label;
  }

  /** Only logs in. */
  async ping(signal: AbortSignal): Promise<void> {
    const ask = { repository: null, to: "log in", scope: "", expect: DONE, signal };
    const response = await this.#http.ask({ ...ask, method: "GET", url: "/v2/" });
    // The content type is no help: some registries send a bare "true" as text/html.
    if (!isPage(await readBytes(response, MAX_MANIFEST_BYTES).catch(() => Buffer.alloc(0)))) return;
    throw new Refused(
      "registry-refused",
      `${this.#http.label} answered the request to log in with a web page. ` +
        "Check that its url is the url of a registry.",
    );
  }

  /** Finds what a tag or digest stands for, with the rights of a publication. */
  async lookUp(repository: string, reference: string, signal: AbortSignal): Promise<Look> {
    const { url, headers } = this.#manifest(repository, reference, signal);
    const ask = { ...toPush(repository, signal), url, headers, to: "look up a name" };
    let response = await this.#http.ask({ ...ask, method: "HEAD", expect: [...DONE, 401, 403, 404, 405, 501] });
    const { status } = response;
    if ([401, 403, 404].includes(status)) return this.#nothingAt(response, ask);
    discard(response);
    const digest = DONE.includes(status) ? response.headers["docker-content-digest"] : undefined;
    if (typeof digest === "string" && isDigest(digest)) return { kind: "stands", digest };
    // The specification makes the header optional, and once made HEAD optional. Then the digest comes from the bytes.
    response = await this.#http.ask({ ...ask, method: "GET", expect: [200, 401, 403, 404] });
    if (response.status !== 200) return this.#nothingAt(response, ask);
    return { kind: "stands", digest: (await this.#readManifest(response, ask)).digest };
  }

  /** @param response 401, 403 or 404 */
  async #nothingAt(response: HttpResponse, ask: Omit<Question, "registry">): Promise<Look> {
    if (response.status === 404) {
      discard(response);
      return { kind: "nothing" };
    }
    const why = await unexpectedAnswer(this.#http.question(ask), response);
    if (!(why instanceof Refused)) throw why;
    return { kind: "denied", why };
  }

  /** Reads a manifest; null: there is none. @throws also Refused `manifest-invalid`, `content-differs` */
  async getManifest(repository: string, reference: string, signal: AbortSignal): Promise<Manifest | null> {
    const ask = { ...this.#manifest(repository, reference, signal), to: "read a manifest", expect: [200, 404] };
    const response = await this.#http.ask({ ...ask, method: "GET" });
    if (response.status === 404) {
      discard(response);
      return null;
    }
    const manifest = await this.#readManifest(response, ask);
    if (isDigest(reference) && manifest.digest !== reference) throw differs(place(this.#http.question(ask)), reference);
    return manifest;
  }

  /** @param reference a tag, or the manifest's own digest */
  async putManifest(repository: string, reference: string, manifest: Manifest, signal: AbortSignal): Promise<void> {
    const { url } = this.#manifest(repository, reference, signal);
    const response = await this.#http.ask({
      ...toPush(repository, signal),
      method: "PUT",
      url,
      to: `put ${reference}`,
      isBegun: true,
      expect: DONE,
      headers: { "Content-Type": manifest.mediaType },
      body: bodyOf(manifest.bytes),
    });
    discard(response);
  }

  /** Whether a repository has a blob; `not-told`: the registry does not answer that. */
  async hasBlob(repository: string, digest: Digest, signal: AbortSignal): Promise<"there" | "missing" | "not-told"> {
    const url = `/v2/${requireRepository(repository)}/blobs/${digest}`;
    const ask = { ...toPush(repository, signal), url, to: "look up a blob", isContent: true };
    const looked = await this.#http.ask({ ...ask, method: "HEAD", expect: [...DONE, 400, 401, 403, 404, 405, 501] });
    discard(looked);
    if (DONE.includes(looked.status)) return "there";
    if (looked.status === 404) return "missing";
    // The registry, or the storage that it redirects to, may not support HEAD. Then ask for the first byte.
    const headers = { Range: "bytes=0-0" };
    const expect = [200, 206, 400, 401, 403, 404, 405, 416];
    const response = await this.#http.ask({ ...ask, method: "GET", headers, expect });
    response.stream.destroy();
    if (response.status === 404) return "missing";
    return [200, 206, 416].includes(response.status) ? "there" : "not-told";
  }

  /**
   * Opens a blob. The stream fails at its end if the bytes do not match the digest.
   * @throws also Refused `content-gone`
   */
  async getBlob(repository: string, blob: Descriptor, signal: AbortSignal): Promise<Readable> {
    const ask = { ...toPull(repository, signal), to: `read ${blob.digest}`, expect: [200, 404], isContent: true };
    const url = `/v2/${requireRepository(repository)}/blobs/${blob.digest}`;
    const response = await this.#http.ask({ ...ask, method: "GET", url });
    if (response.status === 404) {
      discard(response);
      throw new Refused("content-gone", `${place(this.#http.question(ask))} no longer has ${blob.digest}.`);
    }
    return verified(response.stream, blob, place(this.#http.question(ask)));
  }

  /**
   * @throws Refused `manifest-invalid`; TransientError if a proxy or a maintenance page answered instead of the
   * registry
   */
  async #readManifest(
    response: HttpResponse,
    ask: Omit<Question, "registry"> & { signal: AbortSignal },
  ): Promise<Manifest> {
    const bytes = await readBytes(response, MAX_MANIFEST_BYTES).catch((error) => {
      throw withoutAnswer(this.#http.question(ask), error, ask.signal);
    });
    requireData(bytes, this.#http.question(ask));
    const type = response.headers["content-type"]?.split(";")[0]?.trim().toLowerCase() ?? "";
    // Some registries send a generic type. Then the manifest's own `mediaType` counts.
    return readManifest(bytes, MANIFEST_TYPES.includes(type) ? type : undefined);
  }

  #manifest(repository: string, reference: string, signal: AbortSignal) {
    const url = `/v2/${requireRepository(repository)}/manifests/${requireReference(reference)}`;
    return { ...toPull(repository, signal), url, headers: { Accept: MANIFEST_TYPES.join(", ") } };
  }
}
