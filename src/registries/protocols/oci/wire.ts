import { Refused, TransientError } from "../../../delivery/errors.ts";
import { readLocation } from "../../../http/location.ts";
import { type Answer, discard, type Order, openTransport, type Send } from "../../../http/transport.ts";
import { type Clock, systemClock } from "../../../run/clock.ts";
import type { Authorize } from "../http/client.ts";
import { place, type Question, unexpectedAnswer, withoutAnswer } from "../http/failures.ts";
import { type Credentials, Login } from "./login.ts";
import { requireRepository } from "./names.ts";

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
  /** Is told of every secret that the registry hands out, so that nothing shows it. */
  learn?: ((secret: string) => void) | undefined;
  /** ms without a byte that end a request. */
  stall?: number | undefined;
}

export interface Ask extends Omit<Order, "url" | "headers"> {
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
  /** As in Question. */
  isBegun?: boolean;
}

/** Which of them a registry answers with, where it has done what was asked, is its own affair. */
export const DONE = [200, 201, 202, 203, 204];

/** One registry as it is asked over the network: with its login, and where it sends us. */
export class Wire {
  /** For errors: `registry hub (registry-1.docker.io)`. */
  readonly label: string;
  readonly #url: URL;
  readonly #send: Send;
  readonly #login: Login;

  constructor({ key, url, credentials, authorize, ca, clock = systemClock, learn, stall = 60_000 }: Endpoint) {
    this.label = `registry ${key} (${url.host})`;
    this.#url = url;
    this.#send = openTransport({ ca, stall });
    this.#login = new Login({ registry: this.label, url, credentials, authorize, learn, send: this.#send, clock });
  }

  /** Asks with the login that is known, logs in anew once where that is refused, and goes where reading is redirected to. */
  async ask(ask: Ask): Promise<Answer> {
    let url = new URL(ask.url, this.#url);
    for (let hops = 0; hops <= 5; hops++) {
      const answer = await this.#askOnce(ask, url);
      const isRedirect = [301, 302, 303, 307, 308].includes(answer.status);
      if (isRedirect && (ask.method === "GET" || ask.method === "HEAD")) {
        discard(answer);
        url = this.follow(answer.headers.location, url, ask);
        // Content may lie in a storage of another host, and proves itself by its digest; what a name means only its registry says.
        if (url.origin !== this.#url.origin && ask.isContent !== true) throw this.#elsewhere(url, ask);
      } else if (ask.expect.includes(answer.status)) {
        return answer;
      } else {
        throw await unexpectedAnswer(this.question(ask), answer);
      }
    }
    throw new TransientError("registry-unavailable", `${place(this.question(ask))} redirects without end.`);
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
      throw withoutAnswer(this.question(ask), error, signal);
    }
  }

  follow(location: string | undefined, from: URL, ask: Pick<Ask, "repository">): URL {
    const goal = readLocation(location, from);
    if (goal.kind === "safe") return goal.url;
    throw new Refused(
      "registry-redirect",
      `${place({ registry: this.label, ...ask })} sends us to ${goal.shown}, which is not as safe as its own address. Behind a proxy, let that set X-Forwarded-Proto.`,
    );
  }

  #elsewhere(url: URL, { repository }: Ask): Refused {
    return new Refused(
      "registry-redirect",
      `${place({ registry: this.label, repository })} sends us to ${url.protocol}//${url.host} for what a name holds, which only itself can say: give its final address as the url.`,
    );
  }

  question({ repository, to, isBegun }: Omit<Question, "registry">): Question {
    return { registry: this.label, repository, to, isBegun };
  }
}

/** What reading needs. */
export function toPull(repository: string, signal: AbortSignal) {
  return { repository, scope: `repository:${requireRepository(repository)}:pull`, signal };
}

/** What a publication needs: whatever belongs to one is asked with the same rights. */
export function toPush(repository: string, signal: AbortSignal) {
  return { repository, scope: `repository:${requireRepository(repository)}:pull,push`, signal };
}
