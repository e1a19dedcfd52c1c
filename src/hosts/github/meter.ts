import { AsyncLocalStorage } from "node:async_hooks";
import type { Budget } from "../host.ts";

/** Reads the rate limit and GitHub's clock from the headers of its responses. */
export function createMeter() {
  let budget: Budget | null = null;
  let ahead = 0;
  const counting = new AsyncLocalStorage<{ calls: number }>();
  return {
    read(headers: ReadonlyMap<string, string>, status: number): void {
      const count = counting.getStore();
      // https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests
      if (count !== undefined && status !== 304) count.calls += 1;
      const now = Date.now();
      const date = Date.parse(headers.get("date") ?? "");
      // The header has whole seconds, so less than two seconds is no difference.
      if (!Number.isNaN(date)) ahead = Math.abs(date - now) < 2_000 ? 0 : date - now;
      const remaining = Number(headers.get("x-ratelimit-remaining") ?? Number.NaN);
      const reset = Number(headers.get("x-ratelimit-reset") ?? Number.NaN) * 1_000;
      if (Number.isFinite(remaining) && Number.isFinite(reset)) budget = { remaining, resetsAt: reset - ahead };
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
