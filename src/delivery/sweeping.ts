/** When to look again at what nobody told of. Pure. Times in ms. */

const FIRST = 60_000;
const LAST = 30 * 60_000;

/** A waiting commit is looked at every minute at first, then each time after a tenth of its age, at least every 30 minutes. */
export function nextLook(waitingSince: number, now: number): number {
  return now + Math.min(LAST, Math.max(FIRST, (now - waitingSince) / 10));
}

/**
 * How many API calls one round may spend: never more than a third of what is left, spread over the minutes until the
 * host's limit is whole again.
 */
export function dueShare(budget: { remaining: number; resetsAt: number } | null, now: number): number {
  if (budget === null || budget.resetsAt <= now) return Number.POSITIVE_INFINITY;
  const minutes = Math.max(1, (budget.resetsAt - now) / 60_000);
  return budget.remaining / 3 / minutes;
}

const HOUR = 60 * 60_000;
const IDLE_A_MINUTE = 10;

/**
 * How often the refs of a repo are asked for: every minute while it is active; idle ones all together ten a minute, so a
 * few are asked every minute too, and none less than once an hour however many there are.
 */
export function repoInterval(isActive: boolean, idleRepos: number): number {
  return isActive ? FIRST : Math.min(HOUR, Math.max(FIRST, (idleRepos / IDLE_A_MINUTE) * 60_000));
}
