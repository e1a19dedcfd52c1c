import { Readable } from "node:stream";
import { Refused } from "../../../delivery/errors.ts";
import type { Digest } from "../../../delivery/types.ts";
import { type Answer, type Body, discard, readBytes } from "../../../http/transport.ts";
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
import { requireReference, requireRepository } from "./names.ts";
import { Uploads } from "./uploads.ts";
import { DONE, type Endpoint, toPull, toPush, Wire } from "./wire.ts";

export type { Endpoint } from "./wire.ts";

/** What a look at a name comes to. */
export type Look =
  | { kind: "stands"; digest: Digest }
  | { kind: "nothing" }
  /** Not "nothing": many registries say so of a repository that is not there, and all of one that we may not read. */
  | { kind: "denied"; why: Refused };

/**
 * A client of one registry, after OCI distribution specification 1.1. Every method throws TransientError
 * (`registry-unreachable`, `registry-limited`, `registry-unavailable`, `registry-upload-lost`) to be tried again, Refused
 * (`registry-denied`, `registry-name-unknown`, `registry-refused`, `registry-tls`, `registry-realm`, `registry-redirect`,
 * `name-invalid`), and the signal's reason when it is aborted.
 */
export class RegistryClient {
  readonly label: string;
  readonly #wire: Wire;
  readonly #uploads: Uploads;

  constructor(endpoint: Endpoint) {
    this.#wire = new Wire(endpoint);
    this.#uploads = new Uploads(this.#wire);
    this.label = this.#wire.label;
  }

  /** Asks for nothing but to be let in. */
  async ping(signal: AbortSignal): Promise<void> {
    const ask = { repository: null, to: "log in", scope: "", expect: DONE, signal };
    const answer = await this.#wire.ask({ ...ask, method: "GET", url: "/v2/" });
    // Its type says nothing: some answer a bare "true" as text/html.
    if (!isPage(await readBytes(answer, MAX_MANIFEST_BYTES).catch(() => Buffer.alloc(0)))) return;
    throw new Refused(
      "registry-refused",
      `${this.#wire.label} answered the request to log in with a web page: is the url that of a registry?`,
    );
  }

  /** What stands under a tag or digest, asked with the rights that a publication has. */
  async lookUp(repository: string, reference: string, signal: AbortSignal): Promise<Look> {
    const { url, headers } = this.#manifest(repository, reference, signal);
    const ask = { ...toPush(repository, signal), url, headers, to: "look up a name" };
    let answer = await this.#wire.ask({ ...ask, method: "HEAD", expect: [...DONE, 401, 403, 404, 405, 501] });
    const { status } = answer;
    if ([401, 403, 404].includes(status)) return this.#nothingAt(answer, ask);
    discard(answer);
    const digest = DONE.includes(status) ? answer.headers["docker-content-digest"] : undefined;
    if (typeof digest === "string" && isDigest(digest)) return { kind: "stands", digest };
    // The header is optional in the specification, and so was HEAD once: then the bytes tell.
    answer = await this.#wire.ask({ ...ask, method: "GET", expect: [200, 401, 403, 404] });
    if (answer.status !== 200) return this.#nothingAt(answer, ask);
    return { kind: "stands", digest: (await this.#readManifest(answer, ask)).digest };
  }

  /** @param answer 401, 403 or 404 */
  async #nothingAt(answer: Answer, ask: Omit<Question, "registry">): Promise<Look> {
    if (answer.status === 404) {
      discard(answer);
      return { kind: "nothing" };
    }
    const why = await unexpectedAnswer(this.#wire.question(ask), answer);
    if (!(why instanceof Refused)) throw why;
    return { kind: "denied", why };
  }

  /** Null: nothing stands there. @throws also Refused `manifest-invalid`, `content-differs` */
  async getManifest(repository: string, reference: string, signal: AbortSignal): Promise<Manifest | null> {
    const ask = { ...this.#manifest(repository, reference, signal), to: "read a manifest", expect: [200, 404] };
    const answer = await this.#wire.ask({ ...ask, method: "GET" });
    if (answer.status === 404) {
      discard(answer);
      return null;
    }
    const manifest = await this.#readManifest(answer, ask);
    if (isDigest(reference) && manifest.digest !== reference) throw differs(place(this.#wire.question(ask)), reference);
    return manifest;
  }

  /** @param reference a tag, or the manifest's own digest */
  async putManifest(repository: string, reference: string, manifest: Manifest, signal: AbortSignal): Promise<void> {
    const { url } = this.#manifest(repository, reference, signal);
    const answer = await this.#wire.ask({
      ...toPush(repository, signal),
      method: "PUT",
      url,
      to: `put ${reference}`,
      isBegun: true,
      expect: DONE,
      headers: { "Content-Type": manifest.mediaType },
      body: { length: manifest.bytes.length, open: () => Readable.from([manifest.bytes]) },
    });
    discard(answer);
  }

  /** Whether a repository has a blob, as far as the registry lets itself be asked. */
  async hasBlob(repository: string, digest: Digest, signal: AbortSignal): Promise<"there" | "missing" | "not-told"> {
    const url = `/v2/${requireRepository(repository)}/blobs/${digest}`;
    const ask = { ...toPush(repository, signal), url, to: "look up a blob", isContent: true };
    const looked = await this.#wire.ask({ ...ask, method: "HEAD", expect: [...DONE, 400, 401, 403, 404, 405, 501] });
    discard(looked);
    if (DONE.includes(looked.status)) return "there";
    if (looked.status === 404) return "missing";
    // A storage that it sends us to may know no HEAD, nor the registry itself: the first byte tells the same.
    const headers = { Range: "bytes=0-0" };
    const expect = [200, 206, 400, 401, 403, 404, 405, 416];
    const answer = await this.#wire.ask({ ...ask, method: "GET", headers, expect });
    answer.stream.destroy();
    if (answer.status === 404) return "missing";
    return [200, 206, 416].includes(answer.status) ? "there" : "not-told";
  }

  /**
   * Sends one blob in one request.
   * @param mountFrom a repository of this registry that holds it: then it need not be sent
   * @returns `mounted` where no byte had to be sent
   */
  putBlob(
    repository: string,
    digest: Digest,
    body: Body,
    signal: AbortSignal,
    mountFrom: string | null,
  ): Promise<"sent" | "mounted"> {
    return this.#uploads.put(repository, digest, body, signal, mountFrom);
  }

  /** Begins an upload and cancels it: shows the right to push, and leaves nothing. */
  tryPush(repository: string, signal: AbortSignal): Promise<void> {
    return this.#uploads.try(repository, signal);
  }

  /** A stream that fails at its end unless its bytes are the ones named. @throws also Refused `content-gone` */
  async getBlob(repository: string, blob: Descriptor, signal: AbortSignal): Promise<Readable> {
    const ask = { ...toPull(repository, signal), to: `read ${blob.digest}`, expect: [200, 404], isContent: true };
    const url = `/v2/${requireRepository(repository)}/blobs/${blob.digest}`;
    const answer = await this.#wire.ask({ ...ask, method: "GET", url });
    if (answer.status === 404) {
      discard(answer);
      throw new Refused("content-gone", `${place(this.#wire.question(ask))} no longer has ${blob.digest}.`);
    }
    return verified(answer.stream, blob, place(this.#wire.question(ask)));
  }

  /** @throws Refused `manifest-invalid`, TransientError where a proxy or a maintenance answers in its place */
  async #readManifest(answer: Answer, ask: Omit<Question, "registry"> & { signal: AbortSignal }): Promise<Manifest> {
    const bytes = await readBytes(answer, MAX_MANIFEST_BYTES).catch((error) => {
      throw withoutAnswer(this.#wire.question(ask), error, ask.signal);
    });
    requireData(bytes, this.#wire.question(ask));
    const type = answer.headers["content-type"]?.split(";")[0]?.trim().toLowerCase() ?? "";
    // What is served as mere bytes or JSON says itself what it is.
    return readManifest(bytes, MANIFEST_TYPES.includes(type) ? type : undefined);
  }

  #manifest(repository: string, reference: string, signal: AbortSignal) {
    const url = `/v2/${requireRepository(repository)}/manifests/${requireReference(reference)}`;
    return { ...toPull(repository, signal), url, headers: { Accept: MANIFEST_TYPES.join(", ") } };
  }
}
