import { branchNames } from "../../src/delivery/refs.ts";
import type { CiState, Gate, Repo, Sha } from "../../src/delivery/types.ts";
import type { Station } from "../station.ts";
import { hostOf } from "./host-of.ts";

export type CiAnswer = CiState & { because: string; retryAt: number | null };

/** What a host is asked about a commit. */
export interface Question {
  gate: Gate;
  /** Short, in their order: every watched branch that holds the commit, since what any of them requires is required. */
  branches: string[];
}

/** What the host answered to a question that a look will most likely ask. */
export interface PrefetchedCi {
  question: Question;
  answer: PromiseSettledResult<CiAnswer>;
}

/** The short names of those refs that are branches, in an order that does not hang on who told of which first. */
export function branchesOf(refs: readonly string[]): string[] {
  return branchNames(refs).sort();
}

/** @throws as Host.ciState does */
export function askCi(station: Station, repo: Repo, sha: Sha, { gate, branches }: Question): Promise<CiAnswer> {
  return hostOf(station, repo).ciState({ repo, sha }, gate, branches, station.clock.now());
}
