import { Refused } from "../../../delivery/errors.ts";
import { discard, readBytes } from "../../../http/body.ts";
import { type HttpRequest, type HttpResponse, openHttpClient, type Send } from "../../../http/client.ts";
import { type Authorize, withLogin } from "../../../http/login.ts";
import { followRedirects, type RedirectTarget, shownOrigin } from "../../../http/redirects.ts";
import { place, type Question, unexpectedAnswer, withoutAnswer } from "./failures.ts";
import { oneAtATime } from "./one-at-a-time.ts";

export interface HttpEndpoint {
  /** Names the registry in errors: `registry files (files.example.com)`. */
  label: string;
  /** Credentials go to the origin of this URL only. */
  url: URL;
  /** What people are told in place of `url`. Nothing is sent there. Left out: `url`. */
  publicUrl?: URL | undefined;
  authorize: Authorize;
  /** PEM of a certificate authority to trust instead of the usual ones. */
  ca?: string | undefined;
  /** A request ends after so many ms without a byte. */
  idleTimeout?: number | undefined;
}

/** One request to a registry, and what its errors say. */
export interface Ask extends HttpRequest, Omit<Question, "registry"> {
  /** Statuses to return; any other is thrown. */
  expect: readonly number[];
  /** Whether a redirect to another origin is refused: only the registry itself can say what a name means. */
  staysAtOrigin?: boolean;
  /** Used instead of the endpoint's: tokens may depend on the request. */
  authorize?: Authorize;
}

const MAX_REDIRECTS = 5;

/**
 * HTTP to one registry, with a login that may expire. Redirects of GET and HEAD are followed, redirects of writes are
 * refused. Every method throws TransientError (`registry-unreachable`, `registry-limited`, `registry-unavailable`,
 * `registry-upload-lost`), Refused (`registry-denied`, `registry-name-unknown`, `registry-refused`, `registry-tls`,
 * `registry-redirect`), and the signal's reason.
 */
export class HttpClient {
  readonly label: string;
  readonly url: URL;
  readonly publicUrl: URL;
  /**
   * Creates folders one at a time: a server gives misleading errors to the second of two that create the same folder.
   */
  readonly inTurn = oneAtATime();
  readonly #authorize: Authorize;
  readonly #send: Send;

  constructor(endpoint: HttpEndpoint, send = openHttpClient(endpoint)) {
    this.label = endpoint.label;
    this.url = endpoint.url;
    this.publicUrl = endpoint.publicUrl ?? endpoint.url;
    this.#authorize = endpoint.authorize;
    this.#send = send;
  }

  /** Returns the response. The caller must read, discard or destroy its stream. */
  async ask(ask: Ask): Promise<HttpResponse> {
    const response = await this.#follow(ask);
    if (ask.expect.includes(response.status)) return response;
    throw await unexpectedAnswer(this.question(ask), response);
  }

  /** Returns the status alone. */
  async status(ask: Ask): Promise<number> {
    const response = await this.ask(ask);
    discard(response);
    return response.status;
  }

  /** Returns the status and the whole body, which may have at most `maxBytes`. */
  async read(ask: Ask, maxBytes: number): Promise<{ status: number; bytes: Buffer }> {
    const response = await this.ask(ask);
    const bytes = await readBytes(response, maxBytes).catch((error) => {
      throw withoutAnswer(this.question(ask), error, ask.signal);
    });
    return { status: response.status, bytes };
  }

  /** What errors about this request say. */
  question({ repository, to, isBegun }: Omit<Question, "registry">): Question {
    return { registry: this.label, repository, to, isBegun };
  }

  async #follow(ask: Ask): Promise<HttpResponse> {
    const { method, url, headers, body, signal } = ask;
    const send = withLogin(this.#send, this.url.origin, ask.authorize ?? this.#authorize);
    try {
      signal.throwIfAborted();
      return await followRedirects({ method, url, headers, body, signal }, send, {
        max: MAX_REDIRECTS,
        next: (target, { status }) => (ask.expect.includes(status) ? null : this.#redirect(target, ask)),
      });
    } catch (error) {
      throw withoutAnswer(this.question(ask), error, signal);
    }
  }

  /** @throws Refused `registry-redirect` */
  #redirect(target: RedirectTarget, ask: Ask): URL {
    const where = target.kind === "safe" ? shownOrigin(target.url) : target.shown;
    if (ask.method !== "GET" && ask.method !== "HEAD") {
      throw new Refused(
        "registry-redirect",
        `${place(this.question(ask))} redirects the request to ${ask.to} to ${where}. ` +
          "deliverd does not follow redirects of writes: put the final address into its url.",
      );
    }
    const url = safeTarget(target, this.question(ask));
    if (ask.staysAtOrigin !== true || url.origin === this.url.origin) return url;
    throw new Refused(
      "registry-redirect",
      `${place(this.question(ask))} redirects to ${where} when deliverd reads a name, ` +
        "and only the registry itself can say what a name holds. Put its final address into its url.",
    );
  }
}

/** @throws Refused `registry-redirect` */
export function safeTarget(target: RedirectTarget, about: Pick<Question, "registry" | "repository">): URL {
  if (target.kind === "safe") return target.url;
  throw new Refused(
    "registry-redirect",
    `${place(about)} redirects to ${target.shown}, which is not as safe as its own address. ` +
      "Behind a proxy, let the proxy set X-Forwarded-Proto.",
  );
}
