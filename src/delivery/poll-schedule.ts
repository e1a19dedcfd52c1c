import { freshFirst } from "./fair-share.ts";

/** When to look again at what nobody told of. Pure. Times in ms. */

const FIRST = 60_000;
const LAST = 30 * 60_000;

/** A waiting commit is looked at every minute at first, then each time after a tenth of its age, at least every 30 minutes. */
export function nextPollAt(waitingSince: number, now: number): number {
  return now + Math.min(LAST, Math.max(FIRST, (now - waitingSince) / 10));
}

const HOUR = 60 * 60_000;

/**
 * How many API calls may be spent now: of what the host would still take had nothing been spent on looking unasked, never
 * more than a third, and no more of that third than of the hour until the limit is whole again has passed.
 * @param spent calls that looking unasked has cost since the limit was last whole
 */
export function pollBudget(budget: { remaining: number; resetsAt: number } | null, now: number, spent: number): number {
  if (budget === null || budget.resetsAt <= now) return Number.POSITIVE_INFINITY;
  const passed = Math.min(1, Math.max(0, 1 - (budget.resetsAt - now - FIRST) / HOUR));
  return ((budget.remaining + spent) / 3) * passed - spent;
}

const IDLE_A_MINUTE = 10;

/**
 * How often the refs of a repo are asked for: every minute while it is active; idle ones all together ten a minute, so a
 * few are asked every minute too, and none less than once an hour however many there are.
 */
export function repoPollInterval(isActive: boolean, idleRepos: number): number {
  return isActive ? FIRST : Math.min(HOUR, Math.max(FIRST, (idleRepos / IDLE_A_MINUTE) * 60_000));
}

/** What one look asks of a host that knows none of the answers: statuses, runs, suites, required checks. */
export const CALLS_PER_POLL = 5;

/** A commit that waits for its CI. */
export interface PollCandidate {
  createdAt: number;
  /** How often it was looked at though nobody told of it. */
  unasked: number;
  lookedAt: number | null;
  /** What its last look cost of the host's limit: nothing, where no answer had changed. Null: not known. */
  calls: number | null;
}

/**
 * Which of one host's waiting commits are looked at now: those that were looked at least often first, of them the newest; and
 * in every fourth place the one whose time is over the longest, so that none is left out for ever. They cost no more than
 * `share`; where the next one costs more than is left, only what costs nothing follows.
 * @param isFirst all are due, as after a start: nobody knows what was told while nobody listened
 */
export function choosePolls<T extends PollCandidate>(
  waiting: readonly T[],
  now: number,
  share: number,
  isFirst = false,
): { chosen: T[]; cost: number } {
  // A clock that was ahead must not put a look off for longer than any look is put off.
  const dueAt = ({ createdAt, lookedAt }: T) => Math.min(nextPollAt(createdAt, lookedAt ?? createdAt), now + LAST);
  const due = waiting.filter((one) => isFirst || dueAt(one) <= now);
  const newest = due.toSorted((a, b) => a.unasked - b.unasked || b.createdAt - a.createdAt);
  const longest = due.toSorted((a, b) => dueAt(a) - dueAt(b));
  const chosen: T[] = [];
  let left = share;
  let isSpent = false;
  for (const one of freshFirst(newest, longest, due.length)) {
    const cost = one.calls ?? CALLS_PER_POLL;
    if (cost > 0 && (isSpent || cost > left)) isSpent = true;
    else {
      left -= cost;
      chosen.push(one);
    }
  }
  return { chosen, cost: chosen.reduce((sum, one) => sum + (one.calls ?? CALLS_PER_POLL), 0) };
}
