import { Refused } from "../../../delivery/errors.ts";
import type { Digest } from "../../../delivery/types.ts";

/** Refusals that no content can be the reason of. */
const OF_THE_PLACE = new Set(["registry-redirect", "registry-realm", "registry-tls", "name-invalid", "content-gone"]);

/** Whether what was refused may have been refused because it is there: registries say that with 400, 403, 409, 412 or 422, in words of their own. */
export function mayStand(error: unknown): error is Refused {
  return error instanceof Refused && !OF_THE_PLACE.has(error.code);
}

const WORDS =
  /\balready\b|(?<!\bnot )\bexists\b|\btaken\b|duplicate|overw?rit|immutab|re-?deploy|publish over|conflict/i;

/**
 * Whether a refusal claims that something is there. Never what decides: that are the bytes. Where none can be seen, it says
 * whether it is worth to look again later.
 */
export function claimsToStand(error: Refused): boolean {
  return error.code === "name-taken" || (error.cause instanceof Error && WORDS.test(error.cause.message));
}

const MAX = 1_000;
/** ms. A registry that shows nothing of what it took after so long has lost it. */
const LASTING = 30 * 60_000;

/**
 * What a registry has told us itself that it took, by name: its index may lag behind, and what it refuses then is our own.
 * It lives as long as the process: after a crash the same bytes are sent once more, and what that comes to is looked up.
 */
export class Accepted {
  readonly #digests = new Map<string, { digest: Digest; until: number }>();

  note(name: string, digest: Digest, now: number): void {
    if (this.#digests.size >= MAX) this.#digests.clear();
    this.#digests.set(name, { digest, until: now + LASTING });
  }

  /** Once it is shown, nothing more is to be remembered: what is gone later is sent anew. */
  forget(name: string): void {
    this.#digests.delete(name);
  }

  has(name: string, digest: Digest, now: number): boolean {
    const noted = this.#digests.get(name);
    return noted !== undefined && noted.digest === digest && now < noted.until;
  }
}
