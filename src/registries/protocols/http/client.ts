import { Refused, TransientError } from "../../../delivery/errors.ts";
import { readLocation } from "../../../http/location.ts";
import { type Answer, discard, type Order, openTransport, readBytes, type Send } from "../../../http/transport.ts";
import { place, unexpectedAnswer, withoutAnswer } from "./failures.ts";

/**
 * Gives the `Authorization` header to send now; null: none.
 * @param refused what was answered 401 just now ("": nothing was sent): something fresh is wanted, if there is any
 */
export type Authorize = (refused?: string) => Promise<string | null>;

export interface HttpEndpoint {
  /** For errors, as in `registry files (files.example.com)`. */
  label: string;
  /** Its origin alone is shown the credentials. */
  url: URL;
  authorize: Authorize;
  /** PEM of a certificate authority to trust instead of the usual ones. */
  ca?: string | undefined;
  /** ms without a byte that end a request. */
  stall?: number | undefined;
}

export interface Ask extends Order {
  /** Whose affair it is, for errors; null: the registry's as a whole. */
  repository: string | null;
  /** For errors, as in `send a file`. */
  to: string;
  /** Statuses that are an answer; any other is thrown. */
  expect: readonly number[];
}

/**
 * HTTP with a login that may be short-lived. Every method throws TransientError (`registry-unreachable`, `registry-limited`,
 * `registry-unavailable`), Refused (`registry-denied`, `registry-name-unknown`, `registry-refused`, `registry-tls`,
 * `registry-redirect`), and the signal's reason when it is aborted.
 */
export class HttpClient {
  readonly label: string;
  readonly url: URL;
  readonly #authorize: Authorize;
  readonly #send: Send;

  constructor({ label, url, authorize, ca, stall = 60_000 }: HttpEndpoint) {
    this.label = label;
    this.url = url;
    this.#authorize = authorize;
    this.#send = openTransport({ ca, stall });
  }

  /** The answer's stream is the caller's to read or to discard. */
  async ask(ask: Ask): Promise<Answer> {
    let url = ask.url;
    for (let hops = 0; hops <= 5; hops++) {
      const answer = await this.#askOnce(ask, url);
      if (ask.expect.includes(answer.status)) return answer;
      if (![301, 302, 303, 307, 308].includes(answer.status)) {
        throw await unexpectedAnswer(this.#question(ask), answer);
      }
      discard(answer);
      url = this.#follow(answer.headers.location, url, ask);
    }
    throw new TransientError("registry-unavailable", `${place(this.#question(ask))} redirects without end.`);
  }

  /** The same where only the status counts. */
  async status(ask: Ask): Promise<number> {
    const answer = await this.ask(ask);
    discard(answer);
    return answer.status;
  }

  /** The same with the whole body. */
  async read(ask: Ask, maxBytes: number): Promise<{ status: number; bytes: Buffer }> {
    const answer = await this.ask(ask);
    const bytes = await readBytes(answer, maxBytes).catch((error) => {
      throw withoutAnswer(this.#question(ask), error, ask.signal);
    });
    return { status: answer.status, bytes };
  }

  async #askOnce(ask: Ask, url: URL): Promise<Answer> {
    const { method, headers, body, signal } = ask;
    const attempt = (authorization: string | null) =>
      this.#send({
        method,
        url,
        headers: authorization === null ? headers : { ...headers, Authorization: authorization },
        body,
        signal,
      });
    try {
      signal.throwIfAborted();
      // A storage that we are sent to gets its right to read in the URL.
      if (url.origin !== this.url.origin) return await attempt(null);
      const used = await this.#authorize();
      const answer = await attempt(used);
      if (answer.status !== 401) return answer;
      const better = await this.#authorize(used ?? "");
      if (better === null || better === used) return answer;
      discard(answer);
      return await attempt(better);
    } catch (error) {
      throw withoutAnswer(this.#question(ask), error, signal);
    }
  }

  #follow(location: string | undefined, from: URL, ask: Ask): URL {
    const goal = readLocation(location, from);
    const isRead = ask.method === "GET" || ask.method === "HEAD";
    if (isRead && goal.kind === "safe") return goal.url;
    const where = goal.kind === "safe" ? `${goal.url.protocol}//${goal.url.host}` : goal.shown;
    throw new Refused(
      "registry-redirect",
      isRead
        ? `${place(this.#question(ask))} sends us to ${where}, which is not as safe as its own address. Behind a proxy, let that set X-Forwarded-Proto.`
        : `${place(this.#question(ask))} wants the request to ${ask.to} sent to ${where} instead: what is written is never redirected. Put the right address into its url.`,
    );
  }

  #question({ repository, to }: Ask) {
    return { registry: this.label, repository, to };
  }
}
