import { Refused, TransientError } from "../../../delivery/errors.ts";
import type { Digest } from "../../../delivery/types.ts";
import { type Answer, type Body, discard } from "../../../http/transport.ts";
import { requireRepository } from "./names.ts";
import { DONE, toPush, type Wire } from "./wire.ts";

const UNMOUNTABLE_MAX = 1_000;

/** Sending blobs to one registry (OCI distribution specification 1.1, "Pushing blobs"). */
export class Uploads {
  readonly #wire: Wire;
  /** `<from> <to>` of mounts that were refused: the answer would be the same. */
  readonly #unmountable = new Set<string>();

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /**
   * Sends one blob in one request.
   * @param mountFrom a repository of this registry that holds it: then it need not be sent
   * @returns `mounted` where no byte had to be sent
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
    discard(await this.#wire.ask({ ...ask, method: "PUT", url: withDigest(upload, digest), body }));
    return "sent";
  }

  /** Begins an upload and cancels it: shows the right to push, and leaves nothing. */
  async try(repository: string, signal: AbortSignal): Promise<void> {
    const upload = await this.#begin(repository, signal, null);
    if (upload === "mounted") return;
    // Cancelling is optional, and with docker-registry's tokens a right of its own: what cannot be cancelled holds no byte.
    const push = toPush(repository, signal);
    const ask = {
      ...push,
      scope: `${push.scope},delete`,
      to: "cancel an upload",
      expect: [...DONE, 401, 403, 404, 405],
    };
    discard(await this.#wire.ask({ ...ask, method: "DELETE", url: upload }));
  }

  /** Where to send. */
  async #begin(
    repository: string,
    signal: AbortSignal,
    mount: { digest: Digest; from: string } | null,
  ): Promise<URL | "mounted"> {
    const began = mount && (await this.#tryMount(repository, signal, mount));
    if (began !== null) return began;
    const url = `/v2/${requireRepository(repository)}/blobs/uploads/`;
    return this.#uploadAt(await this.#wire.ask({ ...uploadIn(repository, signal), url, expect: DONE }), repository);
  }

  /** A mount saves the sending, and is nothing to rely on: whatever it comes to but a success, the bytes are sent. */
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
      const answer = await this.#wire.ask({
        ...{ ...ask, scope: `${ask.scope} repository:${from}:pull`, expect: [201, 202] },
        url: `/v2/${requireRepository(repository)}/blobs/uploads/${query}`,
      });
      if (answer.status === 202) return this.#uploadAt(answer, repository);
      discard(answer);
      return "mounted";
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Refused || error instanceof TransientError)) throw error;
      if (this.#unmountable.size >= UNMOUNTABLE_MAX) this.#unmountable.clear();
      if (error instanceof Refused) this.#unmountable.add(pair);
      return null;
    }
  }

  /** Where an answer says that an upload goes on: its `Location`, relative to what was asked (RFC 9110, 10.2.2), or its id. */
  #uploadAt(answer: Answer, repository: string): URL {
    discard(answer);
    const { location, "docker-upload-uuid": id } = answer.headers;
    if (location || typeof id !== "string" || !/^[\w.~=-]+$/.test(id)) {
      return this.#wire.follow(location, answer.asked.url, { repository });
    }
    return new URL(`/v2/${repository}/blobs/uploads/${id}`, answer.asked.url);
  }
}

function uploadIn(repository: string, signal: AbortSignal) {
  return {
    ...toPush(repository, signal),
    ...({ method: "POST", to: "begin an upload", headers: { "Content-Length": "0" } } as const),
  };
}

/** Signed queries are kept byte for byte: only the digest is added. */
function withDigest(upload: URL, digest: Digest): URL {
  const url = new URL(upload);
  url.hash = "";
  if (url.searchParams.get("digest") === digest) return url;
  url.search = `${url.search === "" ? "?" : `${url.search}&`}digest=${encodeURIComponent(digest)}`;
  return url;
}
