import type { Naming } from "../delivery/naming.ts";
import { type EndAs, stopOf } from "./cancel.ts";
import type { Db } from "./ledger.ts";
import { now } from "./sql.ts";

/**
 * Passes the point of no return, before the first name is written anywhere: the fence, a request to stop and this are held to one
 * row, so one of them is first. From here on the delivery leaves its way for nothing (see setState, requestCancel).
 * @returns `stale`: the lease is another's · how it is to end, where it was asked to stop before: name nothing then
 */
export async function beginNaming(
  ledger: Db,
  id: string,
  fence: number,
  naming: Naming,
): Promise<"begun" | "stale" | EndAs> {
  const result = await ledger.db
    .updateTable("deliveries")
    .set({ naming: JSON.stringify(naming), updatedAt: now(ledger) })
    .where("id", "=", id)
    .where("fence", "=", fence)
    .where("cancelRequested", "=", 0)
    .executeTakeFirst();
  if (result.numUpdatedRows > 0n) return "begun";
  return (await stopOf(ledger, id, fence)) ?? "stale";
}
