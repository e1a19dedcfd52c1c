import type { Clock } from "../../../clock.ts";

export interface Token<T> {
  value: T;
  /** ms since the epoch. */
  until: number;
}

/** Nothing is begun with a token that ends so soon (ms, at most a fifth of its life): what it is for must still come to its end. */
const MARGIN = 5 * 60_000;

/** A token that is asked for once, kept until shortly before its end, and asked for anew where it was refused. */
export class TokenKeeper<T> {
  readonly #fetch: () => Promise<Token<T>>;
  readonly #clock: Clock;
  #token: Token<T> | null = null;
  #pending: Promise<T> | null = null;

  constructor(fetch: () => Promise<Token<T>>, clock: Clock) {
    this.#fetch = fetch;
    this.#clock = clock;
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
    const { value, until } = await this.#fetch();
    this.#token = { value, until: until - Math.min(MARGIN, (until - this.#clock.now()) / 5) };
    return value;
  }
}
