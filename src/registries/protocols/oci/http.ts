import { type HttpResponse, openHttpClient } from "../../../http/client.ts";
import type { Authorize } from "../../../http/login.ts";
import { isRedirect, REDIRECT_STATUSES, readLocation } from "../../../http/redirects.ts";
import { type Clock, systemClock } from "../../../run/clock.ts";
import { type Ask, HttpClient, safeTarget } from "../http/client.ts";
import { labelOf } from "../http/endpoint.ts";
import { type Question, unexpectedAnswer } from "../http/failures.ts";
import { type Credentials, Login } from "./login.ts";
import { requireRepository } from "./names.ts";

export interface Endpoint {
  /** The key under `registries`. */
  key: string;
  url: URL;
  credentials: Credentials | null;
  /** Used instead of `credentials` if the login expires. */
  authorize?: Authorize | undefined;
  /** PEM of a certificate authority to trust instead of the usual ones. */
  ca?: string | undefined;
  clock?: Clock | undefined;
  /** Receives every secret that the registry issues, so that the log can mask it. */
  learn?: ((secret: string) => void) | undefined;
  /** A request ends after so many ms without a byte. */
  idleTimeout?: number | undefined;
}

export interface OciAsk extends Omit<Ask, "url" | "headers" | "authorize" | "staysAtOrigin"> {
  /** A path of the registry, or an address that it gave. */
  url: string | URL;
  headers?: Record<string, string>;
  /** Token scope, as `repository:acme/api:pull`; several are separated by spaces. */
  scope: string;
  /** Reads bytes that their digest verifies: they may come from a storage of another host. */
  isContent?: boolean;
}

/** Statuses of success. Registries differ in which of them they send. */
export const DONE = [200, 201, 202, 203, 204];

/** HTTP to one OCI registry: with a login for each scope, and paths relative to the registry. */
export class OciHttp {
  /** Names the registry in errors: `registry hub (registry-1.docker.io)`. */
  readonly label: string;
  readonly #http: HttpClient;
  readonly #login: Login;

  constructor({ key, url, credentials, authorize, ca, clock = systemClock, learn, idleTimeout }: Endpoint) {
    const send = openHttpClient({ ca, idleTimeout });
    this.label = labelOf(key, url);
    this.#login = new Login({ registry: this.label, url, credentials, authorize, learn, send, clock });
    this.#http = new HttpClient({ label: this.label, url, authorize: this.#login.forScope("") }, send);
  }

  /** Sends a request, see HttpClient. */
  async ask({ scope, isContent = false, headers = {}, ...ask }: OciAsk): Promise<HttpResponse> {
    const isRead = ask.method === "GET" || ask.method === "HEAD";
    const response = await this.#http.ask({
      ...ask,
      headers,
      url: new URL(ask.url, this.#http.url),
      authorize: this.#login.forScope(scope),
      staysAtOrigin: !isContent,
      expect: isRead ? ask.expect : [...ask.expect, ...REDIRECT_STATUSES],
    });
    // A redirected write is refused like any other refusal: what the name holds afterwards decides.
    if (!isRead && isRedirect(response.status)) throw await unexpectedAnswer(this.question(ask), response);
    return response;
  }

  /** The address in the `Location` of an upload. @throws Refused `registry-redirect` */
  uploadLocation(response: HttpResponse, repository: string): URL {
    const target = readLocation(response.headers.location, response.request.url);
    return safeTarget(target, { registry: this.label, repository });
  }

  /** What errors about a request say. */
  question(about: Omit<Question, "registry">): Question {
    return this.#http.question(about);
  }
}

/** The part of a request that reads a repository. */
export function toPull(repository: string, signal: AbortSignal) {
  return { repository, scope: `repository:${requireRepository(repository)}:pull`, signal };
}

/** The same for a publication. All requests of one publication use the same rights. */
export function toPush(repository: string, signal: AbortSignal) {
  return { repository, scope: `repository:${requireRepository(repository)}:pull,push`, signal };
}
