import * as z from "zod";
import type { Clock } from "../../../clock.ts";
import { Refused } from "../../../delivery/errors.ts";
import { readBytes, type Send } from "../../../transport.ts";
import type { Authorize } from "../http/client.ts";
import { type Question, unexpectedAnswer, withoutAnswer } from "../http/failures.ts";
import { isLoopback } from "./names.ts";

export interface Credentials {
  username: string;
  password: string;
}

export interface Challenge {
  /** Lower case. */
  scheme: string;
  params: Record<string, string>;
}

/** Distribution's token specification: a token without `expires_in` lives so long (s). */
const defaultLife = 60;

const tokenAnswer = z.object({
  token: z.string().min(1).optional(),
  access_token: z.string().min(1).optional(),
  expires_in: z.number().positive().optional(),
});

/** How one registry wants to be asked: with nothing, Basic, or Bearer tokens (Distribution's token authentication specification). */
export class Login {
  readonly #question: Question;
  readonly #origin: string;
  readonly #authorize: Authorize;
  readonly #username: string | undefined = undefined;
  readonly #send: Send;
  readonly #clock: Clock;
  readonly #tokens = new Map<string, { authorization: string; until: number }>();
  readonly #pending = new Map<string, Promise<string>>();
  #challenge: Challenge | null = null;

  constructor(options: {
    registry: string;
    url: URL;
    credentials: Credentials | null;
    /** Instead of credentials. */
    authorize?: Authorize | undefined;
    send: Send;
    clock: Clock;
  }) {
    this.#question = { registry: options.registry, repository: null, to: "log in" };
    this.#origin = options.url.origin;
    this.#username = options.credentials?.username;
    const basic = options.credentials ? basicOf(options.credentials) : null;
    this.#authorize = options.authorize ?? (async () => basic);
    this.#send = options.send;
    this.#clock = options.clock;
  }

  /** The `Authorization` to send now; undefined: the registry has not asked for any yet. */
  async current(scope: string): Promise<string | undefined> {
    if (this.#challenge === null) return undefined;
    if (this.#challenge.scheme === "basic") return (await this.#authorize()) ?? undefined;
    const token = this.#tokens.get(scope);
    return token && token.until > this.#clock.now() ? token.authorization : this.#fetchOnce(scope, this.#challenge);
  }

  /**
   * Logs in anew after a 401. @param used what was refused @returns undefined where there is nothing better to send
   * @throws Refused `registry-denied`, `registry-realm`, TransientError
   */
  async again(scope: string, header: string | undefined, used: string | undefined): Promise<string | undefined> {
    const challenges = readChallenges(header ?? "");
    const challenge =
      challenges.find(({ scheme }) => scheme === "bearer") ?? challenges.find(({ scheme }) => scheme === "basic");
    if (!challenge) return undefined;
    this.#challenge = challenge;
    if (challenge.scheme === "basic") {
      const fresh = await this.#authorize(used ?? "");
      return fresh === used ? undefined : (fresh ?? undefined);
    }
    const token = this.#tokens.get(scope);
    // Another request was refused for the same token, and has already replaced it.
    if (token && token.authorization !== used) return token.authorization;
    return this.#fetchOnce(scope, challenge);
  }

  async #fetchOnce(scope: string, challenge: Challenge): Promise<string> {
    const pending = this.#pending.get(scope) ?? this.#fetch(scope, challenge);
    this.#pending.set(scope, pending);
    try {
      return await pending;
    } finally {
      this.#pending.delete(scope);
    }
  }

  async #fetch(scope: string, challenge: Challenge): Promise<string> {
    const url = this.#tokenUrl(scope, challenge);
    // Shared by all who wait for this token, so no single one of them may abort it.
    const signal = AbortSignal.timeout(60_000);
    try {
      const login = await this.#authorize();
      const headers = login === null ? {} : { Authorization: login };
      const answer = await this.#send({ method: "GET", url, headers, signal });
      if (answer.status !== 200) throw await unexpectedAnswer(this.#question, answer);
      const bytes = await readBytes(answer, 1024 * 1024);
      const { token, access_token, expires_in = defaultLife } = tokenAnswer.parse(JSON.parse(bytes.toString("utf8")));
      const value = token ?? access_token;
      if (value === undefined || /[^\x21-\x7e]/.test(value)) throw new Error("it names no token");
      const life = expires_in * 1000;
      const authorization = `Bearer ${value}`;
      this.#tokens.set(scope, { authorization, until: this.#clock.now() + life - Math.min(10_000, life / 5) });
      return authorization;
    } catch (error) {
      if (error instanceof SyntaxError || error instanceof z.ZodError) {
        throw withoutAnswer(this.#question, new Error(`${url.host} did not answer with a token`), signal);
      }
      throw withoutAnswer(this.#question, error, signal);
    }
  }

  /** The realm is the registry's word, and our password goes there: never in the clear to another host. */
  #tokenUrl(scope: string, { params }: Challenge): URL {
    const url = URL.canParse(params.realm ?? "") ? new URL(params.realm ?? "") : null;
    const isSafe = url !== null && (url.origin === this.#origin || url.protocol === "https:" || isLoopback(url));
    if (!isSafe || url.username || !/^https?:$/.test(url.protocol)) {
      throw new Refused(
        "registry-realm",
        `${this.#question.registry} wants the login sent to ${url ? `${url.protocol}//${url.host}` : "no valid URL"}, where it would not be safe: the realm must be https, or the registry itself.`,
      );
    }
    if (params.service !== undefined) url.searchParams.set("service", params.service);
    if (this.#username !== undefined) url.searchParams.set("account", this.#username);
    for (const each of scope.split(" ")) if (each) url.searchParams.append("scope", each);
    return url;
  }
}

function basicOf({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}

/** The challenges of a `WWW-Authenticate` header (RFC 9110, 11.6.1). */
export function readChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  const part = /([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([\w-]+)/g;
  for (const [, name, quoted, bare, scheme] of header.matchAll(part)) {
    if (scheme !== undefined) challenges.push({ scheme: scheme.toLowerCase(), params: {} });
    const current = challenges.at(-1);
    if (name !== undefined && current)
      current.params[name.toLowerCase()] = bare ?? quoted?.replace(/\\(.)/g, "$1") ?? "";
  }
  return challenges;
}
