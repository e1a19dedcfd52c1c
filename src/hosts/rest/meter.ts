import { AsyncLocalStorage } from "node:async_hooks";
import type { Budget } from "../host.ts";
import type { AnswerHeaders } from "./failure.ts";

export interface MeterRules {
  /**
   * What is left of the limit on API calls, by the headers of an answer. Null: they do not say.
   * @param clockAhead how far the host's clock is ahead of ours, in ms
   */
  readBudget(headers: AnswerHeaders, clockAhead: number): Budget | null;
  /** Whether an unchanged answer (304) counts against the limit. */
  countsUnchanged: boolean;
}

/** The clock of a host, as its answers show it. */
export interface HostClock {
  read(headers: ReadonlyMap<string, string>): void;
  /** How far it is ahead of ours, in ms, as of the last answer. */
  ahead(): number;
}

/** @param ourNow ms since the epoch */
export function createHostClock(ourNow: () => number = Date.now): HostClock {
  let ahead = 0;
  return {
    read(headers) {
      const now = ourNow();
      const date = Date.parse(headers.get("date") ?? "");
      // The header has whole seconds, so less than two seconds is no difference.
      if (!Number.isNaN(date)) ahead = Math.abs(date - now) < 2_000 ? 0 : date - now;
    },
    ahead: () => ahead,
  };
}

/** Counts the calls that are made within a piece of work. */
export interface CallCounter {
  count(): void;
  /** Runs `work` and returns how many calls it made. */
  counted(work: () => Promise<void>): Promise<number>;
}

export function createCallCounter(): CallCounter {
  const counting = new AsyncLocalStorage<{ calls: number }>();
  return {
    count() {
      const count = counting.getStore();
      if (count !== undefined) count.calls += 1;
    },
    async counted(work) {
      const count = { calls: 0 };
      await counting.run(count, work);
      return count.calls;
    },
  };
}

/**
 * Reads the rate limit and the host's clock from the headers of its answers.
 * @param shared what several limits of one host have in common
 */
export function createMeter(
  { readBudget, countsUnchanged }: MeterRules,
  shared: { clock?: HostClock; calls?: CallCounter } = {},
) {
  const { clock = createHostClock(), calls = createCallCounter() } = shared;
  let budget: Budget | null = null;
  return {
    read(headers: ReadonlyMap<string, string>, status: number): void {
      if (countsUnchanged || status !== 304) calls.count();
      clock.read(headers);
      budget = readBudget(Object.fromEntries(headers), clock.ahead()) ?? budget;
    },
    budget: (): Budget | null => budget,
    counted: calls.counted,
    clockAhead: clock.ahead,
  };
}

export type Meter = ReturnType<typeof createMeter>;

/**
 * Reads a limit from two headers.
 * @param names the one with the calls that are left, and the one with the time of the reset in s since the epoch
 */
export function budgetOf(
  headers: AnswerHeaders,
  names: { remaining: string; reset: string },
  clockAhead: number,
): Budget | null {
  const remaining = Number(headers[names.remaining] ?? Number.NaN);
  const reset = Number(headers[names.reset] ?? Number.NaN) * 1_000;
  return Number.isFinite(remaining) && Number.isFinite(reset) ? { remaining, resetsAt: reset - clockAhead } : null;
}
