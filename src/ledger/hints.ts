import { type ExpressionBuilder, type Selectable, sql } from "kysely";
import { TtlCache } from "../async/ttl-cache.ts";
import { freshFirst } from "../delivery/sharing.ts";
import type { RepoId, Sha } from "../delivery/types.ts";
import { ACTIVE_STATES } from "./deliveries.ts";
import type { Db, Tx } from "./ledger.ts";
import { type SeenRepo, saveRepos } from "./repos.ts";
import type { Schema } from "./schema/schema.ts";
import { chunks, now } from "./sql.ts";

export interface NewHint {
  repo: SeenRepo;
  event: string;
  /** The host's id of the request. Not signed: for people only. */
  deliveryId: string;
  /** Full ref. */
  ref: string | null;
  sha: Sha | null;
}

export type StoredHint = Selectable<Schema["hints"]>;

/** What an evaluation answers: hints that name this sha, and those that name no sha but this ref; with neither, those that name nothing. */
export interface HintTarget {
  sha?: Sha | null | undefined;
  ref?: string | null | undefined;
}

/** The event of a hint that came from a person: whoever asks for one commit means that very commit. */
export const ASKED_EVENT = "asked";
/** The event of a hint that the sweep left for itself: it found what no webhook told. */
export const SWEEP_EVENT = "sweep";

const REPOS_NOTED = 10_000;
/** ms; that a repo is active is told by the hour. */
const NOTED_FOR = 60_000;

/** Any number that no other advisory lock of this database uses. */
const HINTS_LOCK = 7_306_001;

/** Commits them all, with the repos they name, in one transaction. @returns their ids, rising */
export function addHints(ledger: Db, hints: readonly NewHint[]): Promise<number[]> {
  return add(
    ledger,
    hints,
    hints.map((hint) => hint.repo),
  );
}

/** As addHints, for a process that takes many: a repo that it has just noted, all else about it the same, is not noted again. */
export function createHintWriter(ledger: Db): (hints: readonly NewHint[]) => Promise<void> {
  const noted = new TtlCache<string>(REPOS_NOTED, NOTED_FOR, () => performance.now());
  return async (hints) => {
    const news = hints.flatMap(({ repo }) => (noted.get(repo.id) === JSON.stringify(repo) ? [] : [repo]));
    await add(ledger, hints, news);
    for (const repo of news) noted.set(repo.id, JSON.stringify(repo));
  };
}

function add(ledger: Db, hints: readonly NewHint[], repos: readonly SeenRepo[]): Promise<number[]> {
  return ledger.transaction(async (tx) => {
    await writeInOrder(tx);
    await saveRepos(tx, repos);
    const ids: number[] = [];
    for (const some of chunks(hints)) {
      const rows = await tx.db
        .insertInto("hints")
        .values(
          some.map(({ repo, event, deliveryId, ref, sha }) => {
            return { repoId: repo.id, event, deliveryId, ref, sha, receivedAt: now(tx) };
          }),
        )
        .returning("id")
        .execute();
      ids.push(...rows.map((row) => row.id));
    }
    return ids.sort((a, b) => a - b);
  });
}

/**
 * Ids must become visible in their order, else a hint that commits late would lie below an id that an evaluation has read
 * before it, and be marked done unseen. SQLite has one writer anyway.
 */
async function writeInOrder(tx: Tx): Promise<void> {
  if (tx.dialect === "postgres") await sql`select pg_advisory_xact_lock(${sql.lit(HINTS_LOCK)})`.execute(tx.db);
}

/** What undone hints name, each once however many name it: the commit, or the ref where a hint names no commit. */
export interface PendingTarget {
  repoId: RepoId;
  sha: Sha | null;
  ref: string | null;
}

/**
 * What is to be looked at now: repos in turn, in each what has waited longest first. What could not be answered before comes
 * when its time has come, and gets every fourth place. What is told of a commit whose delivery is under way waits for its
 * attempt's end, since no look could change it.
 * @param minAge only of hints received at least so many ms ago
 */
export async function pendingTargets(ledger: Db, limit: number, minAge = 0): Promise<PendingTarget[]> {
  const rows = ledger.db
    .selectFrom("hints")
    .select(["repoId", "sha", ONLY_REF.as("ref"), (eb) => eb.fn.min("id").as("first")])
    .where("doneAt", "is", null)
    .where((eb) => eb("receivedAt", "<=", eb(now(ledger), "-", minAge)))
    .where((eb) => eb.not(eb.exists(underWay(eb))))
    .groupBy(["repoId", "sha", ONLY_REF]);
  const targets = ledger.db
    .selectFrom(rows.as("target"))
    .leftJoin("looks", (join) =>
      join
        .onRef("looks.repoId", "=", "target.repoId")
        .on(sql<boolean>`looks.sha = coalesce(target.sha, '') and looks.ref = coalesce(target.ref, '')`),
    )
    .select(["target.repoId", "target.sha", "target.ref"])
    .limit(limit);
  const inTurns = sql`row_number() over (partition by target.repo_id order by target.first)`;
  const fresh = await targets
    .where(sql<boolean>`coalesce(looks.failures, 0) = 0`)
    .orderBy(inTurns)
    .orderBy("target.first")
    .execute();
  const again = await targets
    .where("looks.failures", ">", 0)
    .where((eb) => eb.or([eb("looks.retryAt", "is", null), eb("looks.retryAt", "<=", now(ledger))]))
    .orderBy("looks.retryAt")
    .execute();
  return freshFirst(fresh, again, limit);
}

const ONLY_REF = sql<string | null>`case when sha is null then ref end`;

/** Oldest first. */
export function pendingHintsOf(ledger: Db, repoId: RepoId, target: HintTarget): Promise<StoredHint[]> {
  return ledger.db
    .selectFrom("hints")
    .selectAll()
    .where("repoId", "=", repoId)
    .where("doneAt", "is", null)
    .where((eb) => answeredBy(eb, target))
    .orderBy("id")
    .execute();
}

export async function countPendingHints(ledger: Db): Promise<number> {
  const row = await ledger.db
    .selectFrom("hints")
    .select((eb) => eb.fn.countAll<number>().as("count"))
    .where("doneAt", "is", null)
    .executeTakeFirstOrThrow();
  return row.count;
}

/** The newest id of all, 0 for none. To be read before an evaluation reads anything else: see markHintsDone. */
export async function lastHintId(ledger: Db): Promise<number> {
  const row = await ledger.db
    .selectFrom("hints")
    .select((eb) => eb.fn.max("id").as("id"))
    .executeTakeFirst();
  return row?.id ?? 0;
}

/**
 * Marks what an evaluation has answered. @param upTo lastHintId() as it was when the evaluation began: a hint that came
 * later may tell of something that it has not seen. @returns how many were marked
 */
export async function markHintsDone(
  ledger: Db,
  repoId: RepoId,
  target: HintTarget,
  upTo: number,
  because: string,
): Promise<number> {
  const result = await ledger.db
    .updateTable("hints")
    .set({ doneAt: now(ledger), because })
    .where("repoId", "=", repoId)
    .where("doneAt", "is", null)
    .where("id", "<=", upTo)
    .where((eb) => answeredBy(eb, target))
    .executeTakeFirst();
  return Number(result.numUpdatedRows);
}

/** What came in for this commit, by its sha or by one of these refs alone: the first 500, first come first. */
export function hintsOf(ledger: Db, repoId: RepoId, sha: Sha, refs: readonly string[] = []): Promise<StoredHint[]> {
  return ledger.db
    .selectFrom("hints")
    .selectAll()
    .where("repoId", "=", repoId)
    .where((eb) => {
      const byRef = refs.length === 0 ? [] : [eb.and([eb("sha", "is", null), eb("ref", "in", refs)])];
      return eb.or([eb("sha", "=", sha), ...byRef]);
    })
    .orderBy("id")
    .limit(500)
    .execute();
}

function underWay(eb: ExpressionBuilder<Schema, "hints">) {
  return eb
    .selectFrom("deliveries")
    .select("deliveries.id")
    .whereRef("deliveries.repoId", "=", "hints.repoId")
    .whereRef("deliveries.sha", "=", "hints.sha")
    .where("deliveries.state", "in", ACTIVE_STATES);
}

function answeredBy(eb: ExpressionBuilder<Schema, "hints">, { sha, ref }: HintTarget) {
  const noSha = eb("sha", "is", null);
  if (sha == null && ref == null) return eb.and([noSha, eb("ref", "is", null)]);
  const bySha = sha == null ? [] : [eb("sha", "=", sha)];
  const byRef = ref == null ? [] : [eb.and([noSha, eb("ref", "=", ref)])];
  return eb.or([...bySha, ...byRef]);
}
