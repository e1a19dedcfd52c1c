import { setTimeout as delay } from "node:timers/promises";
import { span } from "../../../observe/span.ts";

/** Pauses (ms) between looks for content that a registry has accepted but does not show yet: 7 s in total. */
const PAUSES = [250, 750, 2_000, 4_000];

/** Calls `look` until `isEnough`, or until the last pause is over. @returns the last result of `look` */
export function untilShown<T>(look: () => Promise<T>, isEnough: (seen: T) => boolean, signal: AbortSignal): Promise<T> {
  return span("read back", {}, async () => {
    let seen = await look();
    for (const pause of PAUSES) {
      if (isEnough(seen)) break;
      await delay(pause, undefined, { signal }).catch(() => signal.throwIfAborted());
      seen = await look();
    }
    return seen;
  });
}
