/** A server may ask for a longer wait, but nothing that is owed waits for years. */
const MAX_WAIT_MS = 60 * 60_000;

/** The headers that are read here, as Node, octokit and AWS's SDK give them. */
interface Headers {
  "retry-after"?: string | number | undefined;
  date?: string | number | undefined;
}

/** How long (ms, from 0 to one hour) a response asks to wait; null: it does not say. */
export function readRetryAfter(headers: Headers): number | null {
  return parseRetryAfter(headers["retry-after"], serverTime(headers));
}

/**
 * Parses a `Retry-After` header: seconds or a date (RFC 9110, 10.2.3).
 * @param now ms since the epoch, by the server's clock
 * @returns ms from 0 to one hour; null: the value is neither
 */
export function parseRetryAfter(value: string | number | null | undefined, now: number = Date.now()): number | null {
  const text = String(value ?? "").trim();
  const ms = /^\d+(?:\.\d*)?(?:e\+\d+)?$/.test(text) ? Number(text) * 1000 : parseDate(text) - now;
  return Number.isNaN(ms) ? null : Math.min(Math.max(0, Math.ceil(ms)), MAX_WAIT_MS);
}

/**
 * The server's time by its `Date` header (ms since the epoch): dates in its headers are by its clock, which may be
 * hours off.
 */
export function serverTime({ date }: Headers): number {
  const time = parseDate(String(date ?? ""));
  return Number.isNaN(time) ? Date.now() : time;
}

/** All three date forms of HTTP begin with the name of a day. `Date.parse` would accept more, such as `-5`. */
function parseDate(text: string): number {
  return /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)/i.test(text) ? Date.parse(text) : Number.NaN;
}
