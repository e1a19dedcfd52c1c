import { Refused } from "../../../delivery/errors.ts";
import type { Digest } from "../../../delivery/types.ts";

/** Codes of refusals that existing content cannot cause. */
const UNRELATED_TO_CONTENT = new Set([
  "registry-redirect",
  "registry-realm",
  "registry-tls",
  "name-invalid",
  "content-gone",
]);

/**
 * Whether a write may have been refused because the content exists already. Registries answer that with 400, 403, 409,
 * 412 or 422, each in its own words.
 */
export function mayStand(error: unknown): error is Refused {
  return error instanceof Refused && !UNRELATED_TO_CONTENT.has(error.code);
}

const ALREADY_THERE =
  /\balready\b|(?<!\bnot )\bexists\b|\btaken\b|duplicate|overw?rit|immutab|re-?deploy|publish over|conflict/i;

/**
 * Whether a refusal claims that the content exists already. Only the bytes prove it. If the registry shows no bytes,
 * this says whether it is worth looking again later.
 */
export function claimsToStand(error: Refused): boolean {
  return error.code === "name-taken" || (error.cause instanceof Error && ALREADY_THERE.test(error.cause.message));
}

const MAX = 1_000;
/** ms. If the registry does not show the content after this time, it has lost it. */
const REMEMBERED_MS = 30 * 60_000;

/**
 * Remembers which contents a registry accepted, by name. Its index may show them late, and until then it may refuse to
 * accept them again. The memory ends with the process: after a crash the same bytes are sent again, and the result is
 * looked up.
 */
export class Accepted {
  readonly #digests = new Map<string, { digest: Digest; until: number }>();

  note(name: string, digest: Digest, now: number): void {
    if (this.#digests.size >= MAX) this.#digests.clear();
    this.#digests.set(name, { digest, until: now + REMEMBERED_MS });
  }

  /** To be called when the registry shows the content: if it disappears later, it is sent again. */
  forget(name: string): void {
    this.#digests.delete(name);
  }

  has(name: string, digest: Digest, now: number): boolean {
    const noted = this.#digests.get(name);
    return noted !== undefined && noted.digest === digest && now < noted.until;
  }
}
