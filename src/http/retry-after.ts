/** A server that asks for more than this (ms) is asked again all the same: nothing that is owed waits for years. */
const LONGEST = 60 * 60_000;

/**
 * The wait that a `Retry-After` asks for: seconds or a date (RFC 9110, 10.2.3), as ms from now, from 0 to one hour.
 * Null: it asks for none that can be understood.
 */
export function readRetryAfter(value: string | number | null | undefined, now: number = Date.now()): number | null {
  const text = String(value ?? "").trim();
  const ms = /^\d+(?:\.\d*)?(?:e\+\d+)?$/.test(text) ? Number(text) * 1000 : dateOf(text) - now;
  return Number.isNaN(ms) ? null : Math.min(Math.max(0, Math.ceil(ms)), LONGEST);
}

/** The time by the clock of who answers, by its `Date` header: a date of its own means that clock, which may be hours off ours. */
export function clockOf(date: string | number | null | undefined): number {
  const time = dateOf(String(date ?? ""));
  return Number.isNaN(time) ? Date.now() : time;
}

/** All three forms of a date begin with a day's name: what else `Date` would read, such as `-5`, is no date here. */
function dateOf(text: string): number {
  return /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/i.test(text) ? Date.parse(text) : Number.NaN;
}
