import { Refused } from "../../../delivery/errors.ts";
import { bodyOf, discard, readBytes } from "../../../http/body.ts";
import { type Challenge, readChallenges } from "../../../http/challenges.ts";
import type { HttpResponse, Send } from "../../../http/client.ts";
import { type Authorize, basicAuth } from "../../../http/login.ts";
import { followRedirects, type RedirectRules, shownOrigin } from "../../../http/redirects.ts";
import type { Clock } from "../../../run/clock.ts";
import { type Question, unexpectedAnswer, withoutAnswer } from "../http/failures.ts";
import { isLoopback } from "./names.ts";
import { readToken, type Token } from "./token.ts";

export interface Credentials {
  username: string;
  password: string;
}

export interface LoginOptions {
  /** Names the registry in errors. */
  registry: string;
  url: URL;
  credentials: Credentials | null;
  /** Used instead of `credentials` if the login expires. */
  authorize?: Authorize | undefined;
  /** Receives every token, so that the log can mask it. */
  learn?: ((secret: string) => void) | undefined;
  send: Send;
  clock: Clock;
}

/** ms for one token. */
const TOKEN_TIMEOUT_MS = 60_000;
const TOKEN_MAX_BYTES = 1024 * 1024;
/** A token is renewed so long (ms) before its end, but at most a fifth of its life before it. */
const RENEW_BEFORE_MS = 10_000;

/**
 * The login of one registry: none, Basic, or Bearer tokens, as the registry's challenge demands. Tokens:
 * https://distribution.github.io/distribution/spec/auth/token/
 */
export class Login {
  readonly #options: LoginOptions;
  readonly #question: Question;
  readonly #authorize: Authorize;
  readonly #tokens = new Map<string, { authorization: string; until: number }>();
  readonly #pending = new Map<string, Promise<string>>();
  #challenge: Challenge | null = null;
  /** Whether the token server accepts only POST. */
  #byPost = false;

  constructor(options: LoginOptions) {
    const { registry, credentials, authorize } = options;
    this.#options = options;
    this.#question = { registry, repository: null, to: "log in" };
    const login = credentials && basicAuth(credentials.username, credentials.password);
    this.#authorize = authorize ?? (async () => login);
  }

  /**
   * The login for requests of one scope. Sends nothing until the registry asks for a login.
   * @throws Refused `registry-denied`, `registry-realm`; TransientError
   */
  forScope(scope: string): Authorize {
    return (refused, challenge) =>
      refused === undefined ? this.#current(scope) : this.#renew(scope, refused, challenge);
  }

  async #current(scope: string): Promise<string | null> {
    if (this.#challenge === null) return null;
    if (this.#challenge.scheme === "basic") return this.#authorize();
    const token = this.#tokens.get(scope);
    const isFresh = token !== undefined && token.until > this.#options.clock.now();
    return isFresh ? token.authorization : this.#fetchOnce(scope, [], this.#challenge);
  }

  async #renew(scope: string, refused: string, header: string | undefined): Promise<string | null> {
    // A registry without a challenge gets Basic, which all registries know.
    const byDefault: Challenge | undefined = refused === "" ? { scheme: "basic", params: {} } : undefined;
    const challenge = choose(readChallenges(header ?? "")) ?? byDefault;
    if (challenge === undefined) return null;
    this.#challenge = challenge;
    if (challenge.scheme === "basic") return this.#authorize(refused);
    const token = this.#tokens.get(scope);
    // Another request got the same refusal and has already renewed the token.
    if (token && token.authorization !== refused) return token.authorization;
    return this.#fetchOnce(scope, missingIn(scope, challenge.params.scope ?? ""), challenge);
  }

  /** Requests that need the same token at the same time share one. */
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
    // Several requests wait for this token, so none of them may abort it.
    const signal = AbortSignal.timeout(TOKEN_TIMEOUT_MS);
    try {
      const token = await this.#read(await this.#requestToken(url, challenge.params.service ?? "", scopes, signal));
      for (const secret of token.secrets) learn?.(secret);
      const authorization = `Bearer ${token.value}`;
      const until = clock.now() + token.life - Math.min(RENEW_BEFORE_MS, token.life / 5);
      this.#tokens.set(scope, { authorization, until });
      return authorization;
    } catch (error) {
      throw withoutAnswer(this.#question, error, signal);
    }
  }

  async #read(response: HttpResponse): Promise<Token> {
    if (response.status < 200 || response.status > 299) throw await unexpectedAnswer(this.#question, response);
    const token = readToken((await readBytes(response, TOKEN_MAX_BYTES)).toString("utf8"));
    if (token !== null) return token;
    throw new Error(`${response.request.url.host} did not answer with a token`);
  }

  /** By GET, as all clients do; by the form of OAuth 2.0 if the token server does not support GET. */
  async #requestToken(realm: URL, service: string, scopes: string[], signal: AbortSignal): Promise<HttpResponse> {
    const { credentials } = this.#options;
    if (!this.#byPost || credentials === null) {
      const response = await this.#getToken(realm, service, scopes, signal);
      if (![404, 405, 501].includes(response.status) || credentials === null) return response;
      discard(response);
    }
    return this.#postForToken(realm, service, scopes, credentials, signal);
  }

  async #getToken(realm: URL, service: string, scopes: string[], signal: AbortSignal): Promise<HttpResponse> {
    const { send, credentials } = this.#options;
    const url = new URL(realm);
    if (service !== "") url.searchParams.set("service", service);
    if (credentials !== null) url.searchParams.set("account", credentials.username);
    for (const scope of scopes) url.searchParams.append("scope", scope);
    const login = await this.#authorize();
    const headers = login === null ? {} : { Authorization: login };
    // A token server may have moved, but none moves twice.
    const next: RedirectRules["next"] = (target, _response, hops) =>
      target.kind === "safe" && hops === 0 ? target.url : null;
    return followRedirects({ method: "GET", url, headers, signal }, send, { max: 1, next });
  }

  async #postForToken(
    url: URL,
    service: string,
    scopes: string[],
    credentials: Credentials,
    signal: AbortSignal,
  ): Promise<HttpResponse> {
    const form = new URLSearchParams({ grant_type: "password", ...credentials, client_id: "deliverd" });
    if (service !== "") form.set("service", service);
    if (scopes.length > 0) form.set("scope", scopes.join(" "));
    const headers = { "Content-Type": "application/x-www-form-urlencoded" };
    const response = await this.#options.send({ method: "POST", url, headers, body: bodyOf(form.toString()), signal });
    this.#byPost = response.status === 200;
    // The form shows the password, so errors must mask it as if it had been in the header.
    const shown = { Authorization: basicAuth(credentials.username, credentials.password) };
    return { ...response, request: { url, headers: shown } };
  }

  /** The registry chooses the realm, and the password goes there: never without TLS to another host. */
  #realmOf({ params: { realm = "" } }: Challenge): URL {
    const { registry, url: own } = this.#options;
    const base = realm.startsWith("/") ? own.href : undefined;
    const url = URL.canParse(realm, base) ? new URL(realm, base) : null;
    const isSafe = url !== null && (url.origin === own.origin || url.protocol === "https:" || isLoopback(url));
    if (isSafe && !url.username && /^https?:$/.test(url.protocol)) return url;
    throw new Refused(
      "registry-realm",
      `${registry} asks for the login at ${url ? shownOrigin(url) : "no valid URL"}, which is not safe: ` +
        "the realm must be https, or the registry itself.",
    );
  }
}

/**
 * Prefers tokens to Basic. A Bearer challenge without a realm does not say where tokens come from, so it comes last.
 */
function choose(challenges: Challenge[]): Challenge | undefined {
  const bearers = challenges.filter(({ scheme }) => scheme === "bearer");
  const basics = challenges.filter(({ scheme }) => scheme === "basic");
  return bearers.find(({ params }) => params.realm) ?? basics[0] ?? bearers[0];
}

/**
 * Scopes of the challenge for resources that our scope does not name: a registry may know its repositories by other
 * names.
 */
function missingIn(scope: string, wanted: string): string[] {
  const resourceOf = (each: string) => each.split(":").slice(0, -1).join(":");
  const own = new Set(scope.split(" ").map(resourceOf));
  return wanted.split(" ").filter((each) => each !== "" && (!each.includes(":") || !own.has(resourceOf(each))));
}
