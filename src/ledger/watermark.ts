import type { ExpressionBuilder } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import { SWEEP_EVENT } from "./hints.ts";
import type { Db } from "./ledger.ts";
import type { Schema } from "./schema/schema.ts";
import { now } from "./sql.ts";

/** When somebody began to read what a commit stands in: what the host had told by then is not known to be in it. */
export interface Watermark {
  /** The newest hint. */
  lastHintId: number;
  /** ms since the epoch, by the store's clock: how old the refs that were read may have been. */
  refsReadAt: number;
}

/**
 * Whether anything was told of the commit that this reading cannot have seen: any event since, and any ref that came after those that were read.
 * What the sweep found of it without a ref is only that it exists.
 */
export async function hasNewsSince(ledger: Db, repoId: RepoId, sha: Sha, reading: Watermark): Promise<boolean> {
  const row = await ledger.db
    .selectFrom("hints")
    .select("id")
    .where("repoId", "=", repoId)
    .where("sha", "=", sha)
    .where((eb) => isNews(eb, reading))
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** Marks what an attempt has seen of its commit by itself: only news is left for a look. */
export async function markHintsSeen(
  ledger: Db,
  { repoId, sha }: { repoId: RepoId; sha: Sha },
  reading: Watermark,
): Promise<void> {
  await ledger.db
    .updateTable("hints")
    .set({ doneAt: now(ledger), because: "read by its delivery" })
    .where("repoId", "=", repoId)
    .where("sha", "=", sha)
    .where("doneAt", "is", null)
    .where((eb) => eb.not(isNews(eb, reading)))
    .execute();
}

/** Whether one of these refs was told of since: it may have left the commit. */
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

function isNews(eb: ExpressionBuilder<Schema, "hints">, { lastHintId, refsReadAt }: Watermark) {
  return eb.or([
    eb.and([eb("id", ">", lastHintId), eb("event", "<>", SWEEP_EVENT)]),
    eb.and([eb("receivedAt", ">", refsReadAt), eb("ref", "is not", null)]),
  ]);
}
