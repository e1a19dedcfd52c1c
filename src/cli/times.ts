const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Older times are shown as a date: "243 days ago" says less. */
const MAX_RELATIVE_MS = 7 * DAY_MS;

/** A time for people: how long ago, or the local date if it is more than a week ago. @param iso ISO 8601 */
export function ago(iso: string, now = Date.now()): string {
  const age = now - Date.parse(iso);
  // The server's clock may be ahead of this one.
  if (age < MINUTE_MS) return age < -MINUTE_MS ? localTime(iso) : "just now";
  if (age < HOUR_MS) return `${Math.floor(age / MINUTE_MS)} min ago`;
  if (age < DAY_MS) return `${Math.floor(age / HOUR_MS)} h ago`;
  if (age < MAX_RELATIVE_MS) return `${Math.floor(age / DAY_MS)} d ago`;
  return localTime(iso).slice(0, "2026-01-01 00:00".length);
}

/** `2026-01-31 09:05:07` in the time zone of this machine. @param iso ISO 8601 */
export function localTime(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const two = (value: number) => String(value).padStart(2, "0");
  const date = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join("-");
  return `${date} ${[two(at.getHours()), two(at.getMinutes()), two(at.getSeconds())].join(":")}`;
}
