/** How long to wait before the next try. Pure: chance is handed in. */

const FIRST = 2_000;
const LONGEST = 5 * 60_000;

/**
 * Doubles from 2 s to 5 min, with full jitter over the upper half; never sooner than the other side asked.
 * @param attempt how many tries failed so far, from 1
 * @param chance a number in [0, 1)
 * @returns ms
 */
export function backOff(attempt: number, chance: number, asked: number | null): number {
  const ceiling = Math.min(LONGEST, FIRST * 2 ** Math.min(attempt - 1, 20));
  return Math.max(asked ?? 0, Math.round(ceiling / 2 + (ceiling / 2) * chance));
}
