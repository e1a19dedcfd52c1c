/** Answers that can never be others, the last asked for kept: whoever asks again, or beside, shares the first one's. */
export class PromiseCache<T> {
  readonly #answers = new Map<string, Promise<T>>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** A failure is no answer, and is not kept. */
  async get(key: string, ask: () => Promise<T>): Promise<T> {
    const known = this.#answers.get(key);
    const answer = known ?? ask();
    this.#answers.delete(key);
    this.#answers.set(key, answer);
    for (const [oldest] of this.#answers) {
      if (this.#answers.size <= this.#max) break;
      this.#answers.delete(oldest);
    }
    try {
      return await answer;
    } catch (error) {
      if (this.#answers.get(key) === answer) this.#answers.delete(key);
      throw error;
    }
  }
}
