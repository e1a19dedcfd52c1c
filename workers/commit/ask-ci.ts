import { TransientError } from "../../src/delivery/errors.ts";
import { branchNames } from "../../src/delivery/refs.ts";
import type { CiState, Gate, Repo, Sha } from "../../src/delivery/types.ts";
import type { Station } from "../station.ts";
import { hostOf } from "./host-of.ts";

/**
 * What the host says of a commit's CI. `retryAt` (ms since the epoch): when asking again can bring more without a new
 * event.
 */
export type HostCiState = CiState & { because: string; retryAt: number | null };

/** What a host is asked about a commit. */
export interface CiQuestion {
  gate: Gate;
  /** Short names, sorted: every watched branch that holds the commit, since what any of them requires is required. */
  branches: string[];
}

/** `askedAt`: ms since the epoch, by our clock: the host's answer is no older. */
export type CiAnswer =
  | { kind: "answered"; ci: HostCiState; askedAt: number }
  | { kind: "host-error"; error: TransientError };

/** An answer that was fetched beside the sync, with the question that it belongs to. */
export interface PrefetchedCi {
  question: CiQuestion;
  answer: PromiseSettledResult<CiAnswer>;
}

/** The short names of those refs that are branches, sorted: the order does not depend on which hint came first. */
export function sortedBranches(refs: readonly string[]): string[] {
  return branchNames(refs).sort();
}

/** @throws as Host.ciState does, except TransientError, which is an answer */
export async function askCi(
  station: Pick<Station, "hosts" | "clock">,
  repo: Repo,
  sha: Sha,
  { gate, branches }: CiQuestion,
): Promise<CiAnswer> {
  const askedAt = station.clock.now();
  try {
    const ci = await hostOf(station, repo).ciState({ repo, sha }, gate, branches, askedAt);
    return { kind: "answered", ci, askedAt };
  } catch (error) {
    if (error instanceof TransientError) return { kind: "host-error", error };
    throw error;
  }
}
