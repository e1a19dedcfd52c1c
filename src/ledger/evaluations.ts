import { type Selectable, sql } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";
import type { Schema } from "./schema/schema.ts";
import { chunks, fromNow, now } from "./sql.ts";

/** What is evaluated: a commit, or a ref if no commit is known. */
export interface EvaluationTarget {
  repo: RepoId;
  sha: Sha | null;
  ref: string | null;
}

export type EvaluationHistory = Pick<Selectable<Schema["looks"]>, "failures" | "calls"> & {
  /** The last evaluation failed, and its `retryAt` has not come yet. */
  isEarly: boolean;
};

/** How earlier evaluations of a target went; null if nothing is recorded. */
export async function evaluationHistory(ledger: Db, target: EvaluationTarget): Promise<EvaluationHistory | null> {
  const row = await ledger.db
    .selectFrom("looks")
    .select(["failures", "calls", sql<number>`case when retry_at > ${now(ledger)} then 1 else 0 end`.as("isEarly")])
    .where(isTarget(target))
    .executeTakeFirst();
  return row === undefined ? null : { ...row, isEarly: row.isEarly === 1 };
}

/** Records that an evaluation failed. @param retryIn ms until the next one */
export async function recordFailedEvaluation(ledger: Db, target: EvaluationTarget, retryIn: number): Promise<void> {
  await ledger.db
    .insertInto("looks")
    .values({ ...keyOf(target), failures: 1, retryAt: fromNow(ledger, retryIn), at: now(ledger) })
    .onConflict((conflict) =>
      conflict.columns(["repoId", "sha", "ref"]).doUpdateSet((eb) => ({
        failures: eb("looks.failures", "+", 1),
        retryAt: eb.ref("excluded.retryAt"),
        at: eb.ref("excluded.at"),
      })),
    )
    .execute();
}

/**
 * Records that an evaluation succeeded. The record is kept only while the commit waits for CI.
 * @param calls how many calls to the host it took
 */
export async function recordEvaluation(ledger: Db, target: EvaluationTarget, calls: number): Promise<void> {
  const { rows } = await sql<{ waits: number }>`select 1 as waits from deliveries
    where repo_id = ${target.repo} and sha = ${target.sha ?? ""} and state = 'waiting'`.execute(ledger.db);
  if (rows.length === 0) {
    await ledger.db.deleteFrom("looks").where(isTarget(target)).execute();
    return;
  }
  await ledger.db
    .updateTable("looks")
    .set({ failures: 0, retryAt: null, calls, at: now(ledger) })
    .where(isTarget(target))
    .execute();
}

/** A commit that waits for its CI. */
export interface WaitingCommit {
  repoId: RepoId;
  /** Of the repo. */
  owner: string;
  sha: Sha;
  createdAt: number;
  unasked: number;
  lookedAt: number | null;
  calls: number | null;
}

/** Every commit that waits for CI and may be evaluated now, with how often it was polled so far. */
export function waitingCommits(ledger: Db): Promise<WaitingCommit[]> {
  return ledger.db
    .selectFrom("deliveries")
    .innerJoin("repos", "repos.id", "deliveries.repoId")
    .leftJoin("looks", (join) =>
      join
        .onRef("looks.repoId", "=", "deliveries.repoId")
        .onRef("looks.sha", "=", "deliveries.sha")
        .on("looks.ref", "=", sql.lit("")),
    )
    .select([
      "deliveries.repoId",
      "repos.owner",
      "deliveries.sha",
      "deliveries.createdAt",
      "looks.lookedAt",
      "looks.calls",
    ])
    .select(sql<number>`coalesce(looks.unasked, 0)`.as("unasked"))
    .where("deliveries.state", "=", "waiting")
    .where((eb) => eb.or([eb("looks.retryAt", "is", null), eb("looks.retryAt", "<=", now(ledger))]))
    .orderBy("deliveries.createdAt")
    .orderBy("deliveries.id")
    .execute();
}

/** Records that waiting commits are evaluated without a hint (polled). @param at ms since the epoch */
export function recordPolls(ledger: Db, commits: readonly WaitingCommit[], at: number): Promise<void> {
  if (commits.length === 0) return Promise.resolve();
  return ledger.transaction(async (tx) => {
    for (const some of chunks(commits)) {
      await tx.db
        .insertInto("looks")
        .values(some.map(({ repoId, sha }) => ({ repoId, sha, ref: "", unasked: 1, lookedAt: at, at: now(tx) })))
        .onConflict((conflict) =>
          conflict.columns(["repoId", "sha", "ref"]).doUpdateSet((eb) => ({
            unasked: eb("looks.unasked", "+", 1),
            lookedAt: eb.ref("excluded.lookedAt"),
          })),
        )
        .execute();
    }
  });
}

function keyOf({ repo, sha, ref }: EvaluationTarget) {
  return { repoId: repo, sha: sha ?? "", ref: sha === null ? (ref ?? "") : "" };
}

function isTarget(target: EvaluationTarget) {
  const { repoId, sha, ref } = keyOf(target);
  return sql<boolean>`looks.repo_id = ${repoId} and looks.sha = ${sha} and looks.ref = ${ref}`;
}
