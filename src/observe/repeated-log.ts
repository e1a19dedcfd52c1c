import type { LogFields } from "./log.ts";
import { outsideScopes } from "./scope.ts";

const WINDOW_MS = 60_000;

interface Repeats {
  count: number;
  facts: LogFields;
}

/**
 * A log for what happens again and again while something is down. The first line of a key is written at once. Then there
 * is one line a minute for it, with the facts of the last time and the number of times, until a minute has none.
 */
export class RepeatedLog {
  readonly #write: (facts: LogFields) => void;
  readonly #windowMs: number;
  readonly #windows = new Map<string, Repeats>();

  /** @param write writes a line of the log, with its message and level */
  constructor(write: (facts: LogFields) => void, windowMs = WINDOW_MS) {
    this.#write = write;
    this.#windowMs = windowMs;
  }

  /** @param key what is down; there must be few of them */
  add(key: string, facts: LogFields): void {
    const window = this.#windows.get(key);
    if (window === undefined) {
      this.#write(facts);
      this.#open(key);
    } else {
      window.count += 1;
      window.facts = facts;
    }
  }

  #open(key: string): void {
    this.#windows.set(key, { count: 0, facts: {} });
    // The line is about the work of many: it must not get the ids of the one that was first.
    outsideScopes(() => setTimeout(() => this.#close(key), this.#windowMs).unref());
  }

  #close(key: string): void {
    const window = this.#windows.get(key);
    this.#windows.delete(key);
    if (window === undefined || window.count === 0) return;
    this.#write({ ...window.facts, times: window.count, seconds: this.#windowMs / 1000 });
    this.#open(key);
  }
}
