import { isFullSha, isShaPrefix } from "../delivery/sha.ts";
import type { RepoId, Sha } from "../delivery/types.ts";
import { repoName } from "../ledger/describe-release.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { commitsIn, commitsOfRepo, type NamedCommit } from "../ledger/short-shas.ts";
import { Problem } from "../receiver/problem.ts";

/** An answer lists at most this many commits that a short sha may mean. */
const MAX_CANDIDATES = 10;

/**
 * The commit of a repo that a full or short sha names.
 * @throws Problem 400, 404 or 409, see `requireOne`
 */
export function resolveShaOfRepo(ledger: Ledger, repoId: RepoId, sha: string): Promise<Sha> {
  return requireOne(ledger, sha, () => commitsOfRepo(ledger, repoId, sha, MAX_CANDIDATES + 1));
}

/**
 * The commit in a list that a full or short sha names.
 * @param repoId of the repo that the list is filtered by; undefined: all repos
 * @throws Problem 400, 404 or 409, see `requireOne`
 */
export function resolveShaInList(
  ledger: Ledger,
  list: "deliveries" | "releases",
  sha: string,
  repoId: RepoId | undefined,
): Promise<Sha> {
  return requireOne(ledger, sha, () => commitsIn(ledger, list, sha, MAX_CANDIDATES + 1, repoId));
}

/** @throws Problem 400 if `sha` is no sha of 7 or more digits */
export function requireSha(sha: string): void {
  if (isShaPrefix(sha)) return;
  throw new Problem(400, "sha must be a commit id in lower case, or its first digits: at least 7 of 0-9 and a-f.");
}

/**
 * @param find looks up the commits that a short sha may mean
 * @throws Problem 400 if `sha` is malformed, 404 if a short sha names no commit, 409 with the candidates if several
 */
async function requireOne(ledger: Ledger, sha: string, find: () => Promise<NamedCommit[]>): Promise<Sha> {
  requireSha(sha);
  // A full sha may be of a commit that nobody knows yet: the caller says what that means.
  if (isFullSha(sha)) return sha;
  const found = await find();
  const [only, ...others] = found;
  if (only === undefined) throw new Problem(404, `No commit is known whose id begins with ${sha}.`);
  if (others.length === 0) return only.sha;
  throw await ambiguous(ledger, sha, found);
}

async function ambiguous(ledger: Ledger, sha: string, found: NamedCommit[]): Promise<Problem> {
  const candidates: { repo: string; sha: Sha }[] = [];
  for (const each of found.slice(0, MAX_CANDIDATES))
    candidates.push({ repo: await repoName(ledger, each.repoId), sha: each.sha });
  const list = candidates.map((each) => `${each.repo}@${each.sha}`).join(", ");
  const more = found.length > MAX_CANDIDATES ? ", and more" : "";
  return new Problem(409, `Several commits begin with ${sha}: ${list}${more}. Write more digits.`, {}, { candidates });
}
