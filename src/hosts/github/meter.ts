import type { Budget } from "../host.ts";

/** Reads from GitHub's answers what they say beside their content: the rate limit, and GitHub's own time. */
export function createMeter() {
  let budget: Budget | null = null;
  let ahead = 0;
  return {
    read(headers: ReadonlyMap<string, string>): void {
      const now = Date.now();
      const date = Date.parse(headers.get("date") ?? "");
      // The header has whole seconds: less than two is no difference.
      if (!Number.isNaN(date)) ahead = Math.abs(date - now) < 2_000 ? 0 : date - now;
      const remaining = Number(headers.get("x-ratelimit-remaining") ?? Number.NaN);
      const reset = Number(headers.get("x-ratelimit-reset") ?? Number.NaN) * 1_000;
      if (Number.isFinite(remaining) && Number.isFinite(reset)) budget = { remaining, resetsAt: reset - ahead };
    },
    budget: (): Budget | null => budget,
    clockAhead: (): number => ahead,
  };
}
