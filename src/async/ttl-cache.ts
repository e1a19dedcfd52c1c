/** Values that hold for a while, the last ones set. */
export class TtlCache<T> {
  readonly #values = new Map<string, { value: T; until: number }>();
  readonly #max: number;
  readonly #ms: number;
  readonly #now: () => number;

  constructor(max: number, ms: number, now: () => number) {
    this.#max = max;
    this.#ms = ms;
    this.#now = now;
  }

  get(key: string): T | undefined {
    const found = this.#values.get(key);
    return found !== undefined && this.#now() < found.until ? found.value : undefined;
  }

  set(key: string, value: T): void {
    this.#values.delete(key);
    this.#values.set(key, { value, until: this.#now() + this.#ms });
    for (const [oldest] of this.#values) {
      if (this.#values.size <= this.#max) break;
      this.#values.delete(oldest);
    }
  }

  delete(key: string): void {
    this.#values.delete(key);
  }
}
