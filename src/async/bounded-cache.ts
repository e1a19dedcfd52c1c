/** Keeps the entries that were set last, each for a limited time. */
export class BoundedCache<T> {
  readonly #entries = new Map<string, { value: T; until: number }>();
  readonly #maxEntries: number;
  readonly #ttlMs: number;
  readonly #now: () => number;

  /** @param now ms, by a clock that nobody sets */
  constructor(maxEntries: number, ttlMs = Number.POSITIVE_INFINITY, now = () => performance.now()) {
    this.#maxEntries = maxEntries;
    this.#ttlMs = ttlMs;
    this.#now = now;
  }

  get(key: string): T | undefined {
    const found = this.#entries.get(key);
    return found !== undefined && this.#now() < found.until ? found.value : undefined;
  }

  set(key: string, value: T): void {
    this.#entries.delete(key);
    this.#entries.set(key, { value, until: this.#now() + this.#ttlMs });
    for (const [oldest] of this.#entries) {
      if (this.#entries.size <= this.#maxEntries) break;
      this.#entries.delete(oldest);
    }
  }

  values(): T[] {
    const now = this.#now();
    return [...this.#entries.values()].filter(({ until }) => now < until).map(({ value }) => value);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
