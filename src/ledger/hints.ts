import { type ExpressionBuilder, type Selectable, sql } from "kysely";
import { BoundedCache } from "../async/bounded-cache.ts";
import { freshFirst } from "../delivery/fair-share.ts";
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

/**
 * Which hints an evaluation answers: those that name this sha, and those that name this ref without a sha. With
 * neither, those that name no commit and no ref.
 */
export interface HintTarget {
  sha?: Sha | null | undefined;
  ref?: string | null | undefined;
}

/** The event of a hint that a person caused: a request for exactly this commit. */
export const ASKED_EVENT = "asked";
/** The event of a hint that the sweep added, because it found something that no webhook reported. */
export const SWEEP_EVENT = "sweep";

/** Repos that a hint writer remembers; about 200 bytes each. */
const MAX_SAVED_REPOS = 10_000;
/** A repo counts as active for an hour, so its row may be this old. */
const SAVED_REPO_TTL_MS = 60_000;

/** The key of a PostgreSQL advisory lock: any number that no other lock in this database uses. */
const HINTS_LOCK = 7_306_001;

/** Inserts the hints and the repos they name, in one transaction. @returns the ids of the hints, ascending */
export function addHints(ledger: Db, hints: readonly NewHint[]): Promise<number[]> {
  return add(
    ledger,
    hints,
    hints.map((hint) => hint.repo),
  );
}

/**
 * Creates a function like `addHints` for a process that adds many hints: it does not save a repo again that it saved
 * unchanged in the last minute.
 */
export function createHintWriter(ledger: Db): (hints: readonly NewHint[]) => Promise<void> {
  const saved = new BoundedCache<string>(MAX_SAVED_REPOS, SAVED_REPO_TTL_MS);
  return async (hints) => {
    const changed = hints.flatMap(({ repo }) => (saved.get(repo.id) === JSON.stringify(repo) ? [] : [repo]));
    await add(ledger, hints, changed);
    for (const repo of changed) saved.set(repo.id, JSON.stringify(repo));
  };
}

function add(ledger: Db, hints: readonly NewHint[], repos: readonly SeenRepo[]): Promise<number[]> {
  return ledger.transaction(async (tx) => {
    await lockHints(tx);
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
 * Makes ids become visible in ascending order. Otherwise a hint could commit after an evaluation has read a higher id,
 * and the evaluation would mark it done without having seen it. SQLite needs no lock: it has one writer at a time.
 */
async function lockHints(tx: Tx): Promise<void> {
  if (tx.dialect === "postgres") await sql`select pg_advisory_xact_lock(${sql.lit(HINTS_LOCK)})`.execute(tx.db);
}

/**
 * What at least one pending hint names: a commit, or a ref if the hint names no commit. A hint is pending until done.
 */
export interface PendingTarget {
  repoId: RepoId;
  sha: Sha | null;
  ref: string | null;
}

/**
 * The commits and refs to evaluate now. Repos take turns; within a repo, the oldest hint comes first. A target whose
 * last evaluation failed comes back at its `retryAt`; one place in four is for such targets. A commit whose delivery is
 * active is left out until its attempt ends, because an evaluation could not change it.
 * @param minAge ms; younger hints are left out
 */
export async function pendingTargets(ledger: Db, limit: number, minAge = 0): Promise<PendingTarget[]> {
  const rows = ledger.db
    .selectFrom("hints")
    .select(["repoId", "sha", ONLY_REF.as("ref"), (eb) => eb.fn.min("id").as("first")])
    .where("doneAt", "is", null)
    .where((eb) => eb("receivedAt", "<=", eb(now(ledger), "-", minAge)))
    .where((eb) => eb.not(eb.exists(activeDelivery(eb))))
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

/** The pending hints for a target, oldest first. */
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

/** The highest id of all hints; 0 if there are none. An evaluation reads it before anything else: see markHintsDone. */
export async function lastHintId(ledger: Db): Promise<number> {
  const row = await ledger.db
    .selectFrom("hints")
    .select((eb) => eb.fn.max("id").as("id"))
    .executeTakeFirst();
  return row?.id ?? 0;
}

/**
 * Marks the hints done that an evaluation has answered.
 * @param upTo the result of lastHintId() before the evaluation began: a later hint may report something that it missed
 * @returns how many were marked
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

/**
 * The first 500 hints for a commit, oldest first: those that name its sha, and those that name only one of these refs.
 */
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

function activeDelivery(eb: ExpressionBuilder<Schema, "hints">) {
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
