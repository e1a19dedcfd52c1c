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

/** Reads the rate limit and the host's clock from the headers of its answers. */
export function createMeter({ readBudget, countsUnchanged }: MeterRules) {
  let budget: Budget | null = null;
  let ahead = 0;
  const counting = new AsyncLocalStorage<{ calls: number }>();
  return {
    read(headers: ReadonlyMap<string, string>, status: number): void {
      const count = counting.getStore();
      if (count !== undefined && (countsUnchanged || status !== 304)) count.calls += 1;
      const now = Date.now();
      const date = Date.parse(headers.get("date") ?? "");
      // The header has whole seconds, so less than two seconds is no difference.
      if (!Number.isNaN(date)) ahead = Math.abs(date - now) < 2_000 ? 0 : date - now;
      budget = readBudget(Object.fromEntries(headers), ahead) ?? budget;
    },
    budget: (): Budget | null => budget,
    async counted(work: () => Promise<void>): Promise<number> {
      const count = { calls: 0 };
      await counting.run(count, work);
      return count.calls;
    },
    clockAhead: (): number => ahead,
  };
}

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
