import type { RepoId, Sha } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";

/** The tables that know commits. Each has an index by repo and sha; `deliveries` and `releases` also have one by sha. */
type CommitTable = "deliveries" | "releases" | "heads" | "hints" | "decisions";

/** Everything that names a commit of a repo. A release always has a delivery. */
const TABLES_OF_REPO = ["deliveries", "heads", "hints", "decisions"] as const satisfies CommitTable[];

export interface NamedCommit {
  repoId: RepoId;
  sha: Sha;
}

/**
 * The commits of a repo whose id begins with these digits, in order.
 * @returns at most `limit`
 */
export async function commitsOfRepo(ledger: Db, repoId: RepoId, prefix: string, limit: number): Promise<NamedCommit[]> {
  const shas = new Set<Sha>();
  for (const table of TABLES_OF_REPO) {
    for (const { sha } of await commitsIn(ledger, table, prefix, limit, repoId)) shas.add(sha);
  }
  return [...shas]
    .sort()
    .slice(0, limit)
    .map((sha) => ({ repoId, sha }));
}

/**
 * The commits in one table whose id begins with these digits, in order. If several repos have a commit, it is there once.
 * @param repoId left out: of all repos
 * @returns at most `limit`
 */
export async function commitsIn(
  ledger: Db,
  table: CommitTable,
  prefix: string,
  limit: number,
  repoId?: RepoId,
): Promise<NamedCommit[]> {
  let query = ledger.db
    .selectFrom(table)
    .select((eb) => ["sha", eb.fn.min<RepoId>("repoId").as("repoId")])
    // A range, because the databases use no index for `like` with a parameter. All digits that may follow are before
    // `g`, also in the order of a language.
    .where("sha", ">=", prefix)
    .where("sha", "<", `${prefix}g`)
    .groupBy("sha")
    .orderBy("sha")
    .limit(limit);
  if (repoId !== undefined) query = query.where("repoId", "=", repoId);
  const rows = await query.execute();
  return rows.flatMap(({ repoId, sha }) => (sha === null ? [] : [{ repoId, sha }]));
}
