import { Readable } from "node:stream";
import { type Clock, systemClock } from "../../../clock.ts";
import { Refused, TransientError } from "../../../delivery/errors.ts";
import type { Digest } from "../../../delivery/types.ts";
import { isDigest } from "../../../store/digest.ts";
import {
  type Descriptor,
  type Manifest,
  manifestTypes,
  maxManifestBytes,
  readManifest,
} from "../../../store/manifest.ts";
import {
  type Answer,
  type Body,
  discard,
  type Order,
  openTransport,
  readBytes,
  type Send,
} from "../../../transport.ts";
import type { Authorize } from "../http/client.ts";
import { place, type Question, unexpectedAnswer, withoutAnswer } from "../http/failures.ts";
import { differs, verified } from "../http/verified.ts";
import { type Credentials, Login } from "./login.ts";
import { demandReference, demandRepository } from "./names.ts";

export interface Endpoint {
  /** The key under `registries`. */
  key: string;
  url: URL;
  credentials: Credentials | null;
  /** Instead of credentials, for a login that does not last. */
  authorize?: Authorize | undefined;
  /** PEM of a certificate authority to trust instead of the usual ones. */
  ca?: string | undefined;
  clock?: Clock | undefined;
  /** ms without a byte that end a request. */
  stall?: number | undefined;
}

interface Ask extends Omit<Order, "url" | "headers"> {
  /** A path of the registry, or where it told us to go. */
  url: string | URL;
  headers?: Record<string, string>;
  repository: string | null;
  /** For errors, as in `send a blob`. */
  to: string;
  scope: string;
  /** Statuses that are an answer; any other is thrown. */
  expect: number[];
  /** Reads bytes that are known by their digest. */
  isContent?: boolean;
}

/**
 * A client of one registry, after OCI distribution specification 1.1. Every method throws TransientError
 * (`registry-unreachable`, `registry-limited`, `registry-unavailable`, `registry-upload-lost`) to be tried again, Refused
 * (`registry-denied`, `registry-name-unknown`, `registry-refused`, `registry-tls`, `registry-realm`, `registry-redirect`,
 * `name-invalid`), and the signal's reason when it is aborted.
 */
export class RegistryClient {
  /** For errors: `registry hub (registry-1.docker.io)`. */
  readonly label: string;
  readonly #url: URL;
  readonly #send: Send;
  readonly #login: Login;

  constructor({ key, url, credentials, authorize, ca, clock = systemClock, stall = 60_000 }: Endpoint) {
    this.label = `registry ${key} (${url.host})`;
    this.#url = url;
    this.#send = openTransport({ ca, stall });
    this.#login = new Login({ registry: this.label, url, credentials, authorize, send: this.#send, clock });
  }

  /** Asks for nothing but to be let in. */
  async ping(signal: AbortSignal): Promise<void> {
    const ask = { repository: null, to: "log in", scope: "", expect: [200], signal };
    discard(await this.#ask({ ...ask, method: "GET", url: "/v2/" }));
  }

  /** The digest that stands under a tag or digest; null: nothing. */
  async headManifest(repository: string, reference: string, signal: AbortSignal): Promise<Digest | null> {
    const ask = { ...this.#manifest(repository, reference, signal), to: "look up a name", expect: [200, 404] };
    const answer = await this.#ask({ ...ask, method: "HEAD" });
    discard(answer);
    if (answer.status === 404) return null;
    const digest = answer.headers["docker-content-digest"];
    if (typeof digest === "string" && isDigest(digest)) return digest;
    // The header is optional in the specification: then the bytes tell.
    return (await this.getManifest(repository, reference, signal))?.digest ?? null;
  }

  /** Null: nothing stands there. @throws also Refused `manifest-invalid`, `content-differs` */
  async getManifest(repository: string, reference: string, signal: AbortSignal): Promise<Manifest | null> {
    const ask = { ...this.#manifest(repository, reference, signal), to: "read a manifest", expect: [200, 404] };
    const answer = await this.#ask({ ...ask, method: "GET" });
    if (answer.status === 404) {
      discard(answer);
      return null;
    }
    const bytes = await readBytes(answer, maxManifestBytes).catch((error) => {
      throw withoutAnswer(this.#question(ask), error, signal);
    });
    const manifest = readManifest(bytes, answer.headers["content-type"]?.split(";")[0]?.trim());
    if (isDigest(reference) && manifest.digest !== reference) throw differs(place(this.#question(ask)), reference);
    return manifest;
  }

  /** @param reference a tag, or the manifest's own digest */
  async putManifest(repository: string, reference: string, manifest: Manifest, signal: AbortSignal): Promise<void> {
    const { url } = this.#manifest(repository, reference, signal);
    const answer = await this.#ask({
      ...this.#push(repository, signal),
      method: "PUT",
      url,
      to: `put ${reference}`,
      expect: [200, 201, 202],
      headers: { "Content-Type": manifest.mediaType },
      body: { length: manifest.bytes.length, open: () => Readable.from([manifest.bytes]) },
    });
    discard(answer);
  }

  async hasBlob(repository: string, digest: Digest, signal: AbortSignal): Promise<boolean> {
    const ask = { ...this.#push(repository, signal), to: "look up a blob", expect: [200, 404], isContent: true };
    const answer = await this.#ask({
      ...ask,
      method: "HEAD",
      url: `/v2/${demandRepository(repository)}/blobs/${digest}`,
    });
    discard(answer);
    return answer.status === 200;
  }

  /**
   * Sends one blob in one request.
   * @param mountFrom a repository of this registry that holds it: then it need not be sent
   * @returns `mounted` where no byte had to be sent
   */
  async putBlob(
    repository: string,
    digest: Digest,
    body: Body,
    signal: AbortSignal,
    mountFrom: string | null,
  ): Promise<"sent" | "mounted"> {
    const upload = await this.#beginUpload(repository, signal, mountFrom === null ? null : { digest, from: mountFrom });
    if (upload === null) return "mounted";
    upload.searchParams.set("digest", digest);
    const headers = { "Content-Type": "application/octet-stream" };
    const ask = { ...this.#push(repository, signal), to: `send ${digest}`, expect: [201, 202, 204], headers };
    discard(await this.#ask({ ...ask, method: "PUT", url: upload, body }));
    return "sent";
  }

  /** Begins an upload and cancels it: shows the right to push, and leaves nothing. */
  async tryPush(repository: string, signal: AbortSignal): Promise<void> {
    const upload = await this.#beginUpload(repository, signal, null);
    if (upload === null) return;
    // Cancelling is optional, and with docker-registry's tokens a right of its own: what cannot be cancelled holds no byte.
    const push = this.#push(repository, signal);
    const expect = [200, 202, 204, 401, 403, 404, 405];
    const ask = { ...push, scope: `${push.scope},delete`, to: "cancel an upload", expect };
    discard(await this.#ask({ ...ask, method: "DELETE", url: upload }));
  }

  /** A stream that fails at its end unless its bytes are the ones named. @throws also Refused `content-gone` */
  async getBlob(repository: string, blob: Descriptor, signal: AbortSignal): Promise<Readable> {
    const ask = { ...this.#pull(repository, signal), to: `read ${blob.digest}`, expect: [200, 404], isContent: true };
    const url = `/v2/${demandRepository(repository)}/blobs/${blob.digest}`;
    const answer = await this.#ask({ ...ask, method: "GET", url });
    if (answer.status === 404) {
      discard(answer);
      throw new Refused("content-gone", `${place(this.#question(ask))} no longer has ${blob.digest}.`);
    }
    return verified(answer.stream, blob, place(this.#question(ask)));
  }

  /** Where to send; null: it was mounted. */
  async #beginUpload(
    repository: string,
    signal: AbortSignal,
    mount: { digest: Digest; from: string } | null,
  ): Promise<URL | null> {
    const push = this.#push(repository, signal);
    const query = mount && `?mount=${mount.digest}&from=${encodeURIComponent(demandRepository(mount.from))}`;
    const answer = await this.#ask({
      ...push,
      scope: mount ? `${push.scope} repository:${mount.from}:pull` : push.scope,
      method: "POST",
      url: `/v2/${demandRepository(repository)}/blobs/uploads/${query ?? ""}`,
      to: "begin an upload",
      expect: mount ? [201, 202] : [202],
      headers: { "Content-Length": "0" },
    });
    discard(answer);
    if (answer.status === 201) return null;
    return this.#follow(answer.headers.location, this.#url, push);
  }

  /** Asks with the login that is known, logs in anew once where that is refused, and goes where reading is redirected to. */
  async #ask(ask: Ask): Promise<Answer> {
    let url = new URL(ask.url, this.#url);
    for (let hops = 0; hops <= 5; hops++) {
      const answer = await this.#askOnce(ask, url);
      const isRedirect = [301, 302, 303, 307, 308].includes(answer.status);
      if (isRedirect && (ask.method === "GET" || ask.method === "HEAD")) {
        discard(answer);
        url = this.#follow(answer.headers.location, url, ask);
        // Content may lie in a storage of another host, and proves itself by its digest; what a name means only its registry says.
        if (url.origin !== this.#url.origin && ask.isContent !== true) throw this.#elsewhere(url, ask);
      } else if (ask.expect.includes(answer.status)) {
        return answer;
      } else {
        throw await unexpectedAnswer(this.#question(ask), answer);
      }
    }
    throw new TransientError("registry-unavailable", `${place(this.#question(ask))} redirects without end.`);
  }

  async #askOnce({ method, headers = {}, body, signal, ...ask }: Ask, url: URL): Promise<Answer> {
    const attempt = (authorization: string | undefined) =>
      this.#send({
        method,
        url,
        headers: authorization === undefined ? headers : { ...headers, Authorization: authorization },
        body,
        signal,
      });
    try {
      signal.throwIfAborted();
      // The login is for this very registry: a storage behind it gets its right to read or write in the URL.
      if (url.origin !== this.#url.origin) return await attempt(undefined);
      const used = await this.#login.current(ask.scope);
      const answer = await attempt(used);
      if (answer.status !== 401) return answer;
      const better = await this.#login.again(ask.scope, answer.headers["www-authenticate"], used);
      if (better === undefined) return answer;
      discard(answer);
      return await attempt(better);
    } catch (error) {
      throw withoutAnswer(this.#question(ask), error, signal);
    }
  }

  #follow(location: string | undefined, from: URL, ask: Pick<Ask, "repository">): URL {
    const url = location !== undefined && URL.canParse(location, from.href) ? new URL(location, from) : null;
    if (url && (url.protocol === "https:" || url.protocol === from.protocol) && !url.username) return url;
    throw new Refused(
      "registry-redirect",
      `${place({ registry: this.label, ...ask })} sends us to ${url ? `${url.protocol}//${url.host}` : "no valid URL"}, which is not as safe as its own address. Behind a proxy, let that set X-Forwarded-Proto.`,
    );
  }

  #elsewhere(url: URL, { repository }: Ask): Refused {
    return new Refused(
      "registry-redirect",
      `${place({ registry: this.label, repository })} sends us to ${url.protocol}//${url.host} for what a name holds, which only itself can say: give its final address as the url.`,
    );
  }

  #manifest(repository: string, reference: string, signal: AbortSignal) {
    const url = `/v2/${demandRepository(repository)}/manifests/${demandReference(reference)}`;
    return { ...this.#pull(repository, signal), url, headers: { Accept: manifestTypes.join(", ") } };
  }

  #pull(repository: string, signal: AbortSignal) {
    return { repository, scope: `repository:${demandRepository(repository)}:pull`, signal };
  }

  #push(repository: string, signal: AbortSignal) {
    return { repository, scope: `repository:${demandRepository(repository)}:pull,push`, signal };
  }

  #question({ repository, to }: Omit<Question, "registry">): Question {
    return { registry: this.label, repository, to };
  }
}
