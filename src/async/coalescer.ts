/** The callers that share one run. */
interface Batch<Input, Output> {
  input: Input;
  callers: number;
  stop: AbortController;
  done: Promise<Output>;
  settle(run: Promise<Output>): void;
}

/**
 * Runs one work at a time, and shares each run among all waiting callers. A call gets a run that begins after it: a run
 * under way may have read what is older than the event that caused the call.
 */
export class Coalescer<Input, Output> {
  readonly #work: (input: Input, signal: AbortSignal) => Promise<Output>;
  readonly #afterwards: (output: Output) => Promise<void>;
  #next: Batch<Input, Output> | null = null;
  #running = false;

  /**
   * @param afterwards follows each successful run. Its callers do not wait for it, the next run does. It must not
   * reject.
   */
  constructor(
    work: (input: Input, signal: AbortSignal) => Promise<Output>,
    afterwards: (output: Output) => Promise<void>,
  ) {
    this.#work = work;
    this.#afterwards = afterwards;
  }

  /**
   * The run gets the newest caller's input. A caller that aborts leaves alone; the run is aborted when all have left.
   */
  call(input: Input, signal: AbortSignal): Promise<Output> {
    signal.throwIfAborted();
    this.#next ??= newBatch(input);
    const batch = this.#next;
    batch.input = input;
    batch.callers += 1;
    void this.#start();
    return new Promise((resolve, reject) => {
      const leave = () => {
        reject(signal.reason);
        batch.callers -= 1;
        if (batch.callers > 0) return;
        batch.stop.abort(signal.reason);
        if (this.#next === batch) this.#next = null;
      };
      signal.addEventListener("abort", leave, { once: true });
      batch.done.then(resolve, reject).finally(() => signal.removeEventListener("abort", leave));
    });
  }

  async #start(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    // Calls of the same moment share the first run.
    await null;
    for (let batch = this.#next; batch !== null; batch = this.#next) {
      this.#next = null;
      const run = this.#work(batch.input, batch.stop.signal);
      batch.settle(run);
      await run.then(this.#afterwards, () => {});
    }
    this.#running = false;
  }
}

function newBatch<Input, Output>(input: Input): Batch<Input, Output> {
  let settle: (run: Promise<Output>) => void = () => {};
  const done = new Promise<Output>((resolve) => {
    settle = resolve;
  });
  // Every caller has its own promise. After all have left, nobody awaits this one.
  done.catch(() => {});
  return { input, callers: 0, stop: new AbortController(), done, settle };
}
