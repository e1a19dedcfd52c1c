const FIRST_WAIT_MS = 2_000;
const LONGEST_WAIT_MS = 5 * 60_000;

/**
 * How long to wait before the next try. It doubles from 2 s to 5 min, with jitter over the upper half, and is never
 * shorter than the other side asked for.
 * @param attempt number of failed tries, from 1
 * @param chance a random number in [0, 1)
 * @param asked ms that the other side asked for. Null: nothing.
 * @returns ms
 */
export function backOff(attempt: number, chance: number, asked: number | null): number {
  const ceiling = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt - 1, 20));
  return Math.max(asked ?? 0, Math.round(ceiling / 2 + (ceiling / 2) * chance));
}
