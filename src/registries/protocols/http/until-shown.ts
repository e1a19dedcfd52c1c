import { setTimeout as delay } from "node:timers/promises";

/** ms between looks at what a registry has taken, or says that it has, and does not show yet: 7 s in all. */
const PAUSES = [250, 750, 2_000, 4_000];

/** Looks until it is enough, or the last of the pauses is over. @returns what was seen last */
export async function untilShown<T>(
  look: () => Promise<T>,
  isEnough: (seen: T) => boolean,
  signal: AbortSignal,
): Promise<T> {
  let seen = await look();
  for (const pause of PAUSES) {
    if (isEnough(seen)) break;
    await delay(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
    seen = await look();
  }
  return seen;
}
