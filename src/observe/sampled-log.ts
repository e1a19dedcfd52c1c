import type { Log, LogFields } from "./log.ts";

/** Lines in a window of so many ms. */
const LINES = 5;
const WINDOW = 10_000;

/** A log for what anybody may cause: of a flood it keeps a few lines, and then the number of those that it left out. */
export class SampledLog {
  readonly #log: Log;
  readonly #of: string;
  #lines = 0;
  #suppressed = 0;
  #window: NodeJS.Timeout | null = null;

  /** @param of for the line that tells the number, as in `failed sign-ins` */
  constructor(log: Log, of: string) {
    this.#log = log;
    this.#of = of;
  }

  warn(message: string, facts?: LogFields): void {
    this.#window ??= setTimeout(() => this.#endWindow(), WINDOW).unref();
    this.#lines += 1;
    if (this.#lines <= LINES) this.#log.warn(message, facts);
    else this.#suppressed += 1;
  }

  #endWindow(): void {
    const suppressed = this.#suppressed;
    if (suppressed > 0) this.#log.warn(`more ${this.#of} than are logged`, { suppressed, seconds: WINDOW / 1000 });
    this.#lines = 0;
    this.#suppressed = 0;
    this.#window = null;
  }
}
