import * as z from "zod";
import type { Check, CheckState } from "../../delivery/types.ts";

export const app = z
  .object({ id: z.number().nullish(), slug: z.string() })
  .nullish()
  .transform((value) => ({ app: value?.slug ?? null, appId: value?.id ?? null }));

/** Every word in GitHub's documentation for the state of a commit status, a check run or a check suite. */
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

/**
 * Whether a run or a suite ended without a verdict: a person or a `concurrency` group stopped it, or it never finished.
 */
export function wasInterrupted(word: string): boolean {
  return word === "cancelled" || word === "stale";
}

/** The conclusion of a completed run or suite, otherwise its status. */
export function wordOf(status: string | null | undefined, conclusion: string | null | undefined): string {
  return status === "completed" ? (conclusion ?? status) : (status ?? "queued");
}

const BADNESS: Record<CheckState, number> = { passed: 0, pending: 1, unknown: 2, failed: 3 };

/** The worst check of each app and name, with the time of their newest change. */
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
