import { BoundedCache } from "../async/bounded-cache.ts";

/** Keeps answers that never change, those asked for last. Callers that ask at the same time share one answer. */
export class PromiseCache<T> {
  readonly #answers: BoundedCache<Promise<T>>;

  constructor(maxEntries: number) {
    this.#answers = new BoundedCache(maxEntries);
  }

  /** A failure is thrown to all who wait for it, and not kept. */
  async get(key: string, ask: () => Promise<T>): Promise<T> {
    const answer = this.#answers.get(key) ?? ask();
    // Setting it again makes it the newest.
    this.#answers.set(key, answer);
    try {
      return await answer;
    } catch (error) {
      if (this.#answers.get(key) === answer) this.#answers.delete(key);
      throw error;
    }
  }
}
