import { Refused, TransientError } from "../../../delivery/errors.ts";
import type { Digest } from "../../../delivery/types.ts";
import { type Body, discard } from "../../../http/body.ts";
import type { HttpResponse } from "../../../http/client.ts";
import { DONE, type OciHttp, toPush } from "./http.ts";
import { requireRepository } from "./names.ts";

const UNMOUNTABLE_MAX = 1_000;

/** Sends blobs to one registry (OCI distribution specification 1.1, "Pushing blobs"). */
export class Uploads {
  readonly #http: OciHttp;
  /** `<from> <to>` of mounts that the registry refused: it would refuse them again. */
  readonly #unmountable = new Set<string>();

  constructor(http: OciHttp) {
    this.#http = http;
  }

  /**
   * Sends one blob in one request.
   * @param mountFrom a repository of this registry that holds the blob, to mount it from; null: none is known
   * @returns `mounted` if no byte had to be sent
   */
  async put(
    repository: string,
    digest: Digest,
    body: Body,
    signal: AbortSignal,
    mountFrom: string | null,
  ): Promise<"sent" | "mounted"> {
    const upload = await this.#begin(repository, signal, mountFrom === null ? null : { digest, from: mountFrom });
    if (upload === "mounted") return upload;
    const headers = { "Content-Type": "application/octet-stream" };
    const ask = { ...toPush(repository, signal), to: `send ${digest}`, expect: DONE, headers, isBegun: true };
    discard(await this.#http.ask({ ...ask, method: "PUT", url: withDigest(upload, digest), body }));
    return "sent";
  }

  /** Begins an upload and cancels it: this proves the right to push and leaves nothing behind. */
  async try(repository: string, signal: AbortSignal): Promise<void> {
    const upload = await this.#begin(repository, signal, null);
    if (upload === "mounted") return;
    // Registries need not support cancelling, and docker-registry's tokens need a right of their own for it. The upload
    // is empty, so it may stay.
    const push = toPush(repository, signal);
    const ask = {
      ...push,
      scope: `${push.scope},delete`,
      to: "cancel an upload",
      expect: [...DONE, 401, 403, 404, 405],
    };
    discard(await this.#http.ask({ ...ask, method: "DELETE", url: upload }));
  }

  /** Begins an upload. Returns the address to send the blob to, or `mounted`. */
  async #begin(
    repository: string,
    signal: AbortSignal,
    mount: { digest: Digest; from: string } | null,
  ): Promise<URL | "mounted"> {
    const began = mount && (await this.#tryMount(repository, signal, mount));
    if (began !== null) return began;
    const url = `/v2/${requireRepository(repository)}/blobs/uploads/`;
    return this.#uploadAt(await this.#http.ask({ ...uploadIn(repository, signal), url, expect: DONE }), repository);
  }

  /**
   * Tries to mount the blob; null: it must be sent. A failed mount is no error, because sending the blob always works.
   */
  async #tryMount(
    repository: string,
    signal: AbortSignal,
    { digest, from }: { digest: Digest; from: string },
  ): Promise<URL | "mounted" | null> {
    const pair = `${from} ${repository}`;
    if (from === repository || this.#unmountable.has(pair)) return null;
    try {
      const ask = uploadIn(repository, signal);
      const query = `?mount=${digest}&from=${encodeURIComponent(requireRepository(from))}`;
      const response = await this.#http.ask({
        ...{ ...ask, scope: `${ask.scope} repository:${from}:pull`, expect: [201, 202] },
        url: `/v2/${requireRepository(repository)}/blobs/uploads/${query}`,
      });
      if (response.status === 202) return this.#uploadAt(response, repository);
      discard(response);
      return "mounted";
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Refused || error instanceof TransientError)) throw error;
      if (this.#unmountable.size >= UNMOUNTABLE_MAX) this.#unmountable.clear();
      if (error instanceof Refused) this.#unmountable.add(pair);
      return null;
    }
  }

  /** The address of an upload that began: its `Location` (RFC 9110, 10.2.2), or made from its id. */
  #uploadAt(response: HttpResponse, repository: string): URL {
    discard(response);
    const { location, "docker-upload-uuid": id } = response.headers;
    if (location || typeof id !== "string" || !/^[\w.~=-]+$/.test(id)) {
      return this.#http.uploadLocation(response, repository);
    }
    return new URL(`/v2/${repository}/blobs/uploads/${id}`, response.request.url);
  }
}

function uploadIn(repository: string, signal: AbortSignal) {
  return {
    ...toPush(repository, signal),
    ...({ method: "POST", to: "begin an upload", headers: { "Content-Length": "0" } } as const),
  };
}

/** Adds the digest to the address. The rest of the query may be signed, so it stays byte for byte. */
function withDigest(upload: URL, digest: Digest): URL {
  const url = new URL(upload);
  url.hash = "";
  if (url.searchParams.get("digest") === digest) return url;
  url.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}
