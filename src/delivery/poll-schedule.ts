import { freshFirst } from "./fair-share.ts";

/** When to ask hosts without a webhook. Times in ms. */

const MIN_INTERVAL_MS = 60_000;
const MAX_INTERVAL_MS = 30 * 60_000;

/** The same where no webhook says that CI has ended: a person waits for the answer. */
const MIN_SILENT_INTERVAL_MS = 30_000;
const MAX_SILENT_INTERVAL_MS = 5 * 60_000;

/**
 * When to ask again about a waiting commit: after a tenth of its age, but at least 1 minute and at most 30. Of a host
 * that sends no events of CI: after a twentieth, but at least 30 s and at most 5 minutes.
 */
export function nextPollAt(waitingSince: number, now: number, sendsCiEvents = true): number {
  const age = now - waitingSince;
  return sendsCiEvents
    ? now + Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, age / 10))
    : now + Math.min(MAX_SILENT_INTERVAL_MS, Math.max(MIN_SILENT_INTERVAL_MS, age / 20));
}

const HOUR_MS = 60 * 60_000;

/**
 * How many API calls polling may make now. Polling gets a third of the host's limit, and this third is spread evenly
 * over the hour until the limit is reset.
 * @param spent calls that polling has made since the last reset
 */
export function pollBudget(budget: { remaining: number; resetsAt: number } | null, now: number, spent: number): number {
  if (budget === null || budget.resetsAt <= now) return Number.POSITIVE_INFINITY;
  const passed = Math.min(1, Math.max(0, 1 - (budget.resetsAt - now - MIN_INTERVAL_MS) / HOUR_MS));
  return ((budget.remaining + spent) / 3) * passed - spent;
}

const IDLE_REPOS_PER_MINUTE = 10;

/**
 * How often to ask for the refs of a repo. An active repo: every minute. Of all idle repos together ten a minute, so
 * that a few are asked every minute too. Each repo: at least once an hour.
 */
export function repoPollInterval(isActive: boolean, idleRepos: number): number {
  return isActive
    ? MIN_INTERVAL_MS
    : Math.min(HOUR_MS, Math.max(MIN_INTERVAL_MS, (idleRepos / IDLE_REPOS_PER_MINUTE) * 60_000));
}

/** API calls that one poll makes if no answer is cached: statuses, runs, suites, required checks. */
export const CALLS_PER_POLL = 5;

/** What a round of polls may cost at a host that names no limit and sends no events: its limit is not ours to find. */
const MAX_SILENT_CALLS_PER_ROUND = 100;

/** API calls that the polls of one round may cost. @param budget null: the host names no limit */
export function pollShare(
  budget: { remaining: number; resetsAt: number } | null,
  now: number,
  spent: number,
  sendsCiEvents: boolean,
): number {
  const share = pollBudget(budget, now, spent);
  return sendsCiEvents ? share : Math.min(share, MAX_SILENT_CALLS_PER_ROUND);
}

/** A commit that waits for its CI and may be polled. */
export interface PollCandidate {
  createdAt: number;
  /** How often it was polled without a webhook. */
  unasked: number;
  lookedAt: number | null;
  /** API calls that its last poll cost. 0: no answer had changed. Null: not known. */
  calls: number | null;
}

/**
 * Chooses the waiting commits of one host to poll now. Those that were polled least often come first, and of them the
 * newest. Every fourth one is the one that is overdue longest, so that none waits for ever.
 * @param share API calls that they may cost together. When it is used up, only commits that cost nothing follow.
 * @param isFirst all commits are due, as after a start: webhooks may have been missed
 * @param sendsCiEvents whether the host's webhooks say that CI has ended
 */
export function choosePolls<T extends PollCandidate>(
  waiting: readonly T[],
  now: number,
  share: number,
  isFirst = false,
  sendsCiEvents = true,
): { chosen: T[]; cost: number } {
  // A clock that was ahead must not delay a poll for longer than the maximum.
  const dueAt = ({ createdAt, lookedAt }: T) =>
    Math.min(nextPollAt(createdAt, lookedAt ?? createdAt, sendsCiEvents), now + MAX_INTERVAL_MS);
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
