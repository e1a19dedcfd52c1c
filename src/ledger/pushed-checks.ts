import type { RepoId, Sha } from "../delivery/types.ts";
import type { PushedCheck } from "../hosts/host-tools.ts";
import { addHints, type NewHint } from "./hints.ts";
import type { Db, Tx } from "./ledger.ts";
import type { SeenRepo } from "./repos.ts";
import { chunks, now } from "./sql.ts";

/** The event of a hint that came with results of CI. */
const CI_EVENT = "ci";

/** Far more than any CI has. The gate reads them all at each look. */
const MAX_CHECKS_OF_COMMIT = 1_000;
/** Who has the secret may name any commit: a repo keeps so many results until old ones are deleted. */
const MAX_CHECKS_OF_REPO = 50_000;

/** What a sender of CI results says about one commit. */
export interface PushedCi {
  repo: SeenRepo;
  sha: Sha;
  checks: readonly PushedCheck[];
  /** The sender's id of the request, for people. */
  deliveryId: string;
}

/** Thrown where a commit or a repo would have more results than are kept. Nothing is saved then. */
export class TooManyChecks extends Error {
  readonly of: "commit" | "repo";
  constructor(of: "commit" | "repo", max: number) {
    super(`more than ${max} checks of one ${of}`);
    this.of = of;
  }
}

/**
 * Saves results of CI and a hint for their commit, in one transaction. A result that is older than the one of the same
 * name changes nothing, so requests may come twice and in any order.
 * @returns the hint @throws TooManyChecks
 */
export async function savePushedChecks(ledger: Db, { repo, sha, checks, deliveryId }: PushedCi): Promise<NewHint> {
  const hint: NewHint = { repo, event: CI_EVENT, deliveryId, ref: null, sha };
  await ledger.transaction(async (tx) => {
    await addHints(tx, [hint]);
    const before = await countOfCommit(tx, repo.id, sha);
    for (const some of chunks(newestOfEach(checks))) await upsert(tx, repo.id, sha, some);
    const after = await countOfCommit(tx, repo.id, sha);
    if (after > MAX_CHECKS_OF_COMMIT) throw new TooManyChecks("commit", MAX_CHECKS_OF_COMMIT);
    if (after > before && (await isRepoFull(tx, repo.id))) throw new TooManyChecks("repo", MAX_CHECKS_OF_REPO);
  });
  return hint;
}

/** One statement may touch a row only once. Of equal times, the later entry counts. */
function newestOfEach(checks: readonly PushedCheck[]): PushedCheck[] {
  const byName = new Map<string, PushedCheck>();
  for (const check of checks) {
    const other = byName.get(check.name);
    if (other === undefined || check.at >= other.at) byName.set(check.name, check);
  }
  // Sorting prevents deadlocks between writers.
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function upsert(tx: Tx, repoId: RepoId, sha: Sha, checks: readonly PushedCheck[]): Promise<void> {
  await tx.db
    .insertInto("pushedChecks")
    .values(checks.map((check) => ({ repoId, sha, ...check, receivedAt: now(tx) })))
    .onConflict((conflict) =>
      conflict
        .columns(["repoId", "sha", "name"])
        .doUpdateSet((eb) => ({
          state: eb.ref("excluded.state"),
          url: eb.ref("excluded.url"),
          at: eb.ref("excluded.at"),
          receivedAt: eb.ref("excluded.receivedAt"),
        }))
        .whereRef("excluded.at", ">=", "pushedChecks.at"),
    )
    .execute();
}

async function countOfCommit({ db }: Tx, repoId: RepoId, sha: Sha): Promise<number> {
  const { count } = await db
    .selectFrom("pushedChecks")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("repoId", "=", repoId)
    .where("sha", "=", sha)
    .executeTakeFirstOrThrow();
  return Number(count);
}

async function isRepoFull({ db }: Tx, repoId: RepoId): Promise<boolean> {
  const beyond = await db
    .selectFrom("pushedChecks")
    .select("sha")
    .where("repoId", "=", repoId)
    .offset(MAX_CHECKS_OF_REPO)
    .limit(1)
    .executeTakeFirst();
  return beyond !== undefined;
}

/** The results that were sent for exactly this commit of this repo, by name. */
export function pushedChecksOf(ledger: Db, repoId: RepoId, sha: Sha): Promise<PushedCheck[]> {
  return ledger.db
    .selectFrom("pushedChecks")
    .select(["name", "state", "url", "at"])
    .where("repoId", "=", repoId)
    .where("sha", "=", sha)
    .orderBy("name")
    .execute();
}
