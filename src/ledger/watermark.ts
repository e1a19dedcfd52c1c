import type { ExpressionBuilder } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import { NEW_COMMIT_EVENT } from "../hosts/webhook.ts";
import { SWEEP_EVENT } from "./hints.ts";
import type { Db } from "./ledger.ts";
import type { Schema } from "./schema/schema.ts";
import { now } from "./sql.ts";

/** The point in time at which somebody began to read the state of a commit. Later hints may report something newer. */
export interface Watermark {
  /** The id of the newest hint at that time. */
  lastHintId: number;
  /** ms since the epoch, by the database's clock: the refs that were read are at least as new as this. */
  refsReadAt: number;
}

/**
 * Whether a hint reported something about the commit that a reader with this watermark cannot have seen: a later event,
 * or a ref that arrived after the refs were read. A hint without a ref that says only that the commit
 * exists, such as a sweep's, does not count.
 */
export async function hasNewsSince(ledger: Db, repoId: RepoId, sha: Sha, watermark: Watermark): Promise<boolean> {
  const row = await ledger.db
    .selectFrom("hints")
    .select("id")
    .where("repoId", "=", repoId)
    .where("sha", "=", sha)
    .where((eb) => isNews(eb, watermark))
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Marks the hints done that an attempt has seen. Those with news stay pending for an evaluation. */
export async function markHintsSeen(
  ledger: Db,
  { repoId, sha }: { repoId: RepoId; sha: Sha },
  watermark: Watermark,
): Promise<void> {
  await ledger.db
    .updateTable("hints")
    .set({ doneAt: now(ledger), because: "read by its delivery" })
    .where("repoId", "=", repoId)
    .where("sha", "=", sha)
    .where("doneAt", "is", null)
    .where((eb) => eb.not(isNews(eb, watermark)))
    .execute();
}

/** Whether a hint has named one of these refs since: the ref may point to another commit now. */
export async function haveRefsMovedSince(
  ledger: Db,
  repoId: RepoId,
  refs: readonly string[],
  { lastHintId }: Watermark,
): Promise<boolean> {
  if (refs.length === 0) return false;
  const row = await ledger.db
    .selectFrom("hints")
    .select("id")
    .where("repoId", "=", repoId)
    .where("ref", "in", refs)
    .where("id", ">", lastHintId)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** They say only that the commit exists. */
const EXISTENCE_EVENTS = [SWEEP_EVENT, NEW_COMMIT_EVENT];

function isNews(eb: ExpressionBuilder<Schema, "hints">, { lastHintId, refsReadAt }: Watermark) {
  return eb.or([
    eb.and([eb("id", ">", lastHintId), eb("event", "not in", EXISTENCE_EVENTS)]),
    eb.and([eb("receivedAt", ">", refsReadAt), eb("ref", "is not", null)]),
  ]);
}
