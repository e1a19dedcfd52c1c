/** When to look again at what nobody told of. Pure. Times in ms. */

const FIRST = 60_000;
const LAST = 30 * 60_000;

/** A waiting commit is looked at every minute at first, then each time after a tenth of its age, at least every 30 minutes. */
export function nextLook(waitingSince: number, now: number): number {
  return now + Math.min(LAST, Math.max(FIRST, (now - waitingSince) / 10));
}

const HOUR = 60 * 60_000;

/**
 * How many API calls may be spent now: of what the host would still take had nothing been spent on looking unasked, never
 * more than a third, and no more of that third than of the hour until the limit is whole again has passed.
 * @param spent calls that looking unasked has cost since the limit was last whole
 */
export function dueShare(budget: { remaining: number; resetsAt: number } | null, now: number, spent: number): number {
  if (budget === null || budget.resetsAt <= now) return Number.POSITIVE_INFINITY;
  const passed = Math.min(1, Math.max(0, 1 - (budget.resetsAt - now - FIRST) / HOUR));
  return ((budget.remaining + spent) / 3) * passed - spent;
}

const IDLE_A_MINUTE = 10;

/**
 * How often the refs of a repo are asked for: every minute while it is active; idle ones all together ten a minute, so a
 * few are asked every minute too, and none less than once an hour however many there are.
 */
export function repoInterval(isActive: boolean, idleRepos: number): number {
  return isActive ? FIRST : Math.min(HOUR, Math.max(FIRST, (idleRepos / IDLE_A_MINUTE) * 60_000));
}
