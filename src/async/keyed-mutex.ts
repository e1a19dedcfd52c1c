/** FIFO mutex for each key. */
export class KeyedMutex {
  /** The last work under each key that has not settled. */
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs `work` when all earlier work under this key has settled, even if that failed. */
  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    const own = before.catch(() => {}).then(work);
    this.#last.set(key, own);
    try {
      return await own;
    } finally {
      if (this.#last.get(key) === own) this.#last.delete(key);
    }
  }
}
