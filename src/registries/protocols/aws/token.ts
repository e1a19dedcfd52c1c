import type { Clock } from "../../../run/clock.ts";

export interface Token<T> {
  value: T;
  /** When it expires, in ms since the epoch; null: AWS did not say. */
  until: number | null;
  /** Every form of it that grants access. */
  secrets: string[];
}

/** Receives every secret that AWS issues, so that the log can mask it. */
export type Learn = (secret: string) => void;

/** The life (ms) of a token of which AWS gives none. A token that expires sooner is refused, and then fetched again. */
const DEFAULT_LIFE_MS = 15 * 60_000;

/**
 * A token is renewed so long (ms) before its end, but at most a fifth of its life before it: a request must still
 * finish.
 */
const RENEW_BEFORE_MS = 5 * 60_000;

/** Keeps a token until shortly before its end, and fetches another one when it was refused. */
export class TokenKeeper<T> {
  readonly #fetch: () => Promise<Token<T>>;
  readonly #clock: Clock;
  readonly #learn: Learn;
  #token: { value: T; until: number } | null = null;
  #pending: Promise<T> | null = null;

  constructor(fetch: () => Promise<Token<T>>, clock: Clock, learn: Learn = () => {}) {
    this.#fetch = fetch;
    this.#clock = clock;
    this.#learn = learn;
  }

  /** @param isRefused whether a token is the one that was just refused: by now it may have been replaced */
  async current(isRefused: (value: T) => boolean = () => false): Promise<T> {
    const token = this.#token;
    if (token && this.#clock.now() < token.until && !isRefused(token.value)) return token.value;
    this.#pending ??= this.#renew().finally(() => {
      this.#pending = null;
    });
    return this.#pending;
  }

  async #renew(): Promise<T> {
    const { value, until: end, secrets } = await this.#fetch();
    for (const secret of secrets) this.#learn(secret);
    const until = end ?? this.#clock.now() + DEFAULT_LIFE_MS;
    this.#token = { value, until: until - Math.min(RENEW_BEFORE_MS, (until - this.#clock.now()) / 5) };
    return value;
  }
}
