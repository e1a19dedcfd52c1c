import * as z from "zod";
import type { Check, CheckState } from "../../delivery/types.ts";

/** ISO 8601 → ms since the epoch. */
export const time = z.string().transform(Date.parse).pipe(z.number());

export const app = z
  .object({ id: z.number().nullish(), slug: z.string() })
  .nullish()
  .transform((value) => ({ app: value?.slug ?? null, appId: value?.id ?? null }));

/** Every word that GitHub's documentation has for a commit status, a check run and a check suite. */
const STATES: ReadonlyMap<string, CheckState> = new Map([
  ["success", "passed"],
  ["neutral", "passed"],
  ["skipped", "passed"],
  ["queued", "pending"],
  ["in_progress", "pending"],
  ["pending", "pending"],
  ["waiting", "pending"],
  ["requested", "pending"],
  ["failure", "failed"],
  ["error", "failed"],
  ["cancelled", "failed"],
  ["timed_out", "failed"],
  ["action_required", "failed"],
  ["stale", "failed"],
  ["startup_failure", "failed"],
]);

export function stateOf(word: string): CheckState {
  return STATES.get(word) ?? "unknown";
}

/** The run ended without a verdict on the commit: somebody or a `concurrency` group stopped it, or it was never finished. */
export function isCutShort(word: string): boolean {
  return word === "cancelled" || word === "stale";
}

/** One word for a run or a suite: its conclusion once it has one, else its status. */
export function wordOf(status: string | null | undefined, conclusion: string | null | undefined): string {
  return status === "completed" ? (conclusion ?? status) : (status ?? "queued");
}

const BADNESS: Record<CheckState, number> = { passed: 0, pending: 1, unknown: 2, failed: 3 };

/** Of each app and name the worst check, as of the newest change of any of them. */
export function worstOfEach(checks: Check[]): Check[] {
  const worst = new Map<string, Check>();
  for (const check of checks) {
    const key = JSON.stringify([check.app, check.name]);
    const before = worst.get(key) ?? check;
    const worse = BADNESS[check.state] > BADNESS[before.state] ? check : before;
    worst.set(key, { ...worse, at: Math.max(before.at, check.at) });
  }
  return [...worst.values()];
}
