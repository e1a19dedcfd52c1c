import { Refused } from "../../../delivery/errors.ts";
import { type Challenge, readChallenges } from "../../../http/challenges.ts";
import { readLocation } from "../../../http/location.ts";
import { type Answer, bodyOf, discard, type Order, readBytes, type Send } from "../../../http/transport.ts";
import type { Clock } from "../../../run/clock.ts";
import type { Authorize } from "../http/client.ts";
import { type Question, unexpectedAnswer, withoutAnswer } from "../http/failures.ts";
import { basic } from "../http/login.ts";
import { isLoopback } from "./names.ts";
import { readToken, type Token } from "./token.ts";

export interface Credentials {
  username: string;
  password: string;
}

export interface LoginOptions {
  /** For errors. */
  registry: string;
  url: URL;
  credentials: Credentials | null;
  /** Instead of credentials. */
  authorize?: Authorize | undefined;
  /** Is told of every token, so that nothing shows it. */
  learn?: ((secret: string) => void) | undefined;
  send: Send;
  clock: Clock;
}

/** How one registry wants to be asked: with nothing, Basic, or Bearer tokens (Distribution's token authentication specification). */
export class Login {
  readonly #options: LoginOptions;
  readonly #question: Question;
  readonly #authorize: Authorize;
  readonly #tokens = new Map<string, { authorization: string; until: number }>();
  readonly #pending = new Map<string, Promise<string>>();
  #challenge: Challenge | null = null;
  /** A token server that knows no GET is not asked by it again. */
  #byPost = false;

  constructor(options: LoginOptions) {
    const { registry, credentials, authorize } = options;
    this.#options = options;
    this.#question = { registry, repository: null, to: "log in" };
    const login = credentials && basic(credentials.username, credentials.password);
    this.#authorize = authorize ?? (async () => login);
  }

  /** The `Authorization` to send now; undefined: the registry has not asked for any yet. */
  async current(scope: string): Promise<string | undefined> {
    if (this.#challenge === null) return undefined;
    if (this.#challenge.scheme === "basic") return (await this.#authorize()) ?? undefined;
    const token = this.#tokens.get(scope);
    const isFresh = token !== undefined && token.until > this.#options.clock.now();
    return isFresh ? token.authorization : this.#fetchOnce(scope, [], this.#challenge);
  }

  /**
   * Logs in anew after a 401. @param used what was refused @returns undefined where there is nothing better to send
   * @throws Refused `registry-denied`, `registry-realm`, TransientError
   */
  async again(scope: string, header: string | undefined, used: string | undefined): Promise<string | undefined> {
    // A server that does not say how it wants to be asked wants what all know.
    const unsaid: Challenge | undefined = used === undefined ? { scheme: "basic", params: {} } : undefined;
    const challenge = choose(readChallenges(header ?? "")) ?? unsaid;
    if (challenge === undefined) return undefined;
    this.#challenge = challenge;
    if (challenge.scheme === "basic") {
      const fresh = await this.#authorize(used ?? "");
      return fresh === used ? undefined : (fresh ?? undefined);
    }
    const token = this.#tokens.get(scope);
    // Another request was refused for the same token, and has already replaced it.
    if (token && token.authorization !== used) return token.authorization;
    return this.#fetchOnce(scope, missingIn(scope, challenge.params.scope ?? ""), challenge);
  }

  async #fetchOnce(scope: string, more: string[], challenge: Challenge): Promise<string> {
    const key = [scope, ...more].join(" ");
    const pending = this.#pending.get(key) ?? this.#fetch(scope, more, challenge);
    this.#pending.set(key, pending);
    try {
      return await pending;
    } finally {
      this.#pending.delete(key);
    }
  }

  async #fetch(scope: string, more: string[], challenge: Challenge): Promise<string> {
    const url = this.#realmOf(challenge);
    const scopes = [...scope.split(" "), ...more].filter((each) => each !== "");
    const { clock, learn } = this.#options;
    // Shared by all who wait for this token, so no single one of them may abort it.
    const signal = AbortSignal.timeout(60_000);
    try {
      const token = await this.#read(await this.#askFor(url, challenge.params.service ?? "", scopes, signal));
      for (const secret of token.secrets) learn?.(secret);
      const authorization = `Bearer ${token.value}`;
      this.#tokens.set(scope, { authorization, until: clock.now() + token.life - Math.min(10_000, token.life / 5) });
      return authorization;
    } catch (error) {
      throw withoutAnswer(this.#question, error, signal);
    }
  }

  async #read(answer: Answer): Promise<Token> {
    if (answer.status < 200 || answer.status > 299) throw await unexpectedAnswer(this.#question, answer);
    const token = readToken((await readBytes(answer, 1024 * 1024)).toString("utf8"));
    if (token !== null) return token;
    throw new Error(`${answer.asked.url.host} did not answer with a token`);
  }

  /** By GET, as every client asks; where the server knows only OAuth 2.0, by the form of that. */
  async #askFor(realm: URL, service: string, scopes: string[], signal: AbortSignal): Promise<Answer> {
    const { send, credentials } = this.#options;
    if (!this.#byPost || credentials === null) {
      const url = new URL(realm);
      if (service !== "") url.searchParams.set("service", service);
      if (credentials !== null) url.searchParams.set("account", credentials.username);
      for (const scope of scopes) url.searchParams.append("scope", scope);
      const login = await this.#authorize();
      const headers = login === null ? {} : { Authorization: login };
      const answer = await this.#follow({ method: "GET", url, headers, signal });
      if (![404, 405, 501].includes(answer.status) || credentials === null) return answer;
      discard(answer);
    }
    const form = new URLSearchParams({ grant_type: "password", ...credentials, client_id: "deliverd" });
    if (service !== "") form.set("service", service);
    if (scopes.length > 0) form.set("scope", scopes.join(" "));
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    const answer = await send({ method: "POST", url: realm, headers, body: bodyOf(form.toString()), signal });
    this.#byPost = answer.status === 200;
    // The form shows what the header of the same login would: an error that sends it back hides it by that.
    const shown = { Authorization: basic(credentials.username, credentials.password) };
    return { ...answer, asked: { url: realm, headers: shown } };
  }

  /** A token server may have moved. Its login goes along within its own host alone, from the clear into TLS too. */
  async #follow(order: Order): Promise<Answer> {
    const answer = await this.#options.send(order);
    const isRedirect = [301, 302, 303, 307, 308].includes(answer.status);
    const goal = isRedirect ? readLocation(answer.headers.location, order.url) : null;
    // A second move is none that any server makes.
    if (goal?.kind !== "safe") return answer;
    discard(answer);
    // readLocation lets nothing out of TLS.
    const isOwn = goal.url.host === order.url.host;
    return this.#options.send({ ...order, url: goal.url, headers: isOwn ? order.headers : {} });
  }

  /** The realm is the registry's word, and our password goes there: never in the clear to another host. */
  #realmOf({ params: { realm = "" } }: Challenge): URL {
    const { registry, url: own } = this.#options;
    const base = realm.startsWith("/") ? own.href : undefined;
    const url = URL.canParse(realm, base) ? new URL(realm, base) : null;
    const isSafe = url !== null && (url.origin === own.origin || url.protocol === "https:" || isLoopback(url));
    if (isSafe && !url.username && /^https?:$/.test(url.protocol)) return url;
    throw new Refused(
      "registry-realm",
      `${registry} wants the login sent to ${url ? `${url.protocol}//${url.host}` : "no valid URL"}, where it would not be safe: the realm must be https, or the registry itself.`,
    );
  }
}

/** Tokens are what a registry that offers them prefers; a Bearer challenge that does not say where they come from is none. */
function choose(challenges: Challenge[]): Challenge | undefined {
  const bearers = challenges.filter(({ scheme }) => scheme === "bearer");
  const basics = challenges.filter(({ scheme }) => scheme === "basic");
  return bearers.find(({ params }) => params.realm) ?? basics[0] ?? bearers[0];
}

/** What a challenge wants of other resources than we do: a registry may keep its repositories under other names. */
function missingIn(scope: string, wanted: string): string[] {
  const resourceOf = (each: string) => each.split(":").slice(0, -1).join(":");
  const own = new Set(scope.split(" ").map(resourceOf));
  return wanted.split(" ").filter((each) => each !== "" && (!each.includes(":") || !own.has(resourceOf(each))));
}
