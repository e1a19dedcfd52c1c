import type { Log, LogFields } from "./log.ts";

const MAX_LINES_PER_WINDOW = 5;
const WINDOW_MS = 10_000;

/** A log for events that strangers can cause. Of a flood it writes a few lines, and then how many it left out. */
export class SampledLog {
  readonly #log: Log;
  readonly #of: string;
  #lines = 0;
  #suppressed = 0;
  #window: NodeJS.Timeout | null = null;

  /** @param of what the lines are about, as in `failed sign-ins`, for the line with the number */
  constructor(log: Log, of: string) {
    this.#log = log;
    this.#of = of;
  }

  warn(message: string, facts?: LogFields): void {
    this.#window ??= setTimeout(() => this.#endWindow(), WINDOW_MS).unref();
    this.#lines += 1;
    if (this.#lines <= MAX_LINES_PER_WINDOW) this.#log.warn(message, facts);
    else this.#suppressed += 1;
  }

  #endWindow(): void {
    const suppressed = this.#suppressed;
    if (suppressed > 0) this.#log.warn(`more ${this.#of} than are logged`, { suppressed, seconds: WINDOW_MS / 1000 });
    this.#lines = 0;
    this.#suppressed = 0;
    this.#window = null;
  }
}
