/** Tasks that several callers wait for. Each is started once, and stopped when the last caller leaves. */
export class SharedTasks<T> {
  readonly #running = new Map<string, { waiting: number; stop: AbortController; result: Promise<T> }>();

  /** @throws what the work throws, or the signal's reason */
  async join(key: string, signal: AbortSignal, begin: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    const work = this.#running.get(key) ?? this.#begin(key, begin);
    work.waiting++;
    let leave = () => {};
    const left = new Promise<never>((_, reject) => {
      leave = () => reject(signal.reason);
      signal.addEventListener("abort", leave, { once: true });
    });
    try {
      return await Promise.race([work.result, left]);
    } finally {
      signal.removeEventListener("abort", leave);
      work.waiting--;
      if (work.waiting === 0) {
        this.#forget(key, work.stop);
        work.stop.abort();
      }
    }
  }

  #begin(key: string, begin: (signal: AbortSignal) => Promise<T>) {
    const stop = new AbortController();
    const result = begin(stop.signal).finally(() => this.#forget(key, stop));
    const work = { waiting: 0, stop, result };
    this.#running.set(key, work);
    return work;
  }

  #forget(key: string, stop: AbortController): void {
    if (this.#running.get(key)?.stop === stop) this.#running.delete(key);
  }
}
