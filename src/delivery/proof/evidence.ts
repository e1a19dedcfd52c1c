import type { Check, CiState, Gate } from "../types.ts";

/**
 * What a commit's gate was decided on: read when the gate was read, and kept as it was read. It is the word of the git
 * host's API at that moment.
 */
export interface Evidence {
  /** ISO 8601, UTC, by our clock. */
  readAt: string;
  gate: Pick<Gate, "ci" | "required" | "apps">;
  /** Short names: what the host requires for any of them was required. */
  branches: string[];
  /** Why the gate was green, for people. */
  because: string;
  /** The checks that made it green, sorted. Empty under `ci: none`. */
  checks: EvidenceCheck[];
}

/** One check, as the host reported it. */
export interface EvidenceCheck {
  name: string;
  source: Check["source"];
  /** Slug of the app; null: the host does not vouch for one. */
  app: string | null;
  appId: number | null;
  /** The host's own word, as in `success` or `skipped`. */
  conclusion: string;
  /** It failed, and may fail. */
  mayFail: boolean;
  /** ISO 8601, UTC. Null: the host does not say. */
  at: string | null;
  url: string | null;
}

/** @param readAt ms since the epoch */
export function evidenceOf(
  { restsOn = [], because }: Pick<CiState, "restsOn"> & { because: string },
  { ci, required, apps }: Gate,
  branches: readonly string[],
  readAt: number,
): Evidence {
  const checks = restsOn.map(evidenceCheck).sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  return { readAt: isoTime(readAt), gate: { ci, required, apps }, branches: [...branches], because, checks };
}

/** A check that passed by its own word. One that was skipped, or that failed and may fail, tested nothing. */
export function hasPassed({ conclusion, mayFail }: Pick<EvidenceCheck, "conclusion" | "mayFail">): boolean {
  return !mayFail && !["skipped", "neutral"].includes(conclusion);
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

function evidenceCheck({ name, source, app, appId, detail, at, mayFail, url }: Check): EvidenceCheck {
  return {
    ...{ name, source, app, appId: appId ?? null, conclusion: detail },
    // The gate counts what may fail as passed, whatever it came to.
    mayFail: mayFail === true && detail !== "success",
    at: at > 0 ? isoTime(at) : null,
    // A host's own word may be anything: only what a browser opens as a page is a link.
    url: url !== undefined && /^https?:\/\//.test(url) && URL.canParse(url) ? url : null,
  };
}

function sortKey({ name, source, app, at }: EvidenceCheck): string {
  return JSON.stringify([name, source, app, at]);
}
