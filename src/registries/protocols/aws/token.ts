import type { Clock } from "../../../run/clock.ts";

export interface Token<T> {
  value: T;
  /** ms since the epoch; null: AWS did not say. */
  until: number | null;
  /** In every form in which somebody could use it. */
  secrets: string[];
}

/** Is told of every secret that is handed out, so that nothing shows it. */
export type Learn = (secret: string) => void;

/** ms. For a token of which AWS does not say how long it lives: one that ends sooner is refused, and asked for anew. */
const DEFAULT_LIFE = 15 * 60_000;

/** Nothing is begun with a token that ends so soon (ms, at most a fifth of its life): what it is for must still come to its end. */
const MARGIN = 5 * 60_000;

/** A token that is asked for once, kept until shortly before its end, and asked for anew where it was refused. */
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

  /** @param isRefused says of a token whether it is the one that was not taken: another may have replaced it already */
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
    const until = end ?? this.#clock.now() + DEFAULT_LIFE;
    this.#token = { value, until: until - Math.min(MARGIN, (until - this.#clock.now()) / 5) };
    return value;
  }
}
