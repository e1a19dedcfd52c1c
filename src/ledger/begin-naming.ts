import type { Naming } from "../delivery/naming.ts";
import { findRequestedEnd, type RequestedEnd } from "./cancel.ts";
import type { Db } from "./ledger.ts";
import { now } from "./sql.ts";

/**
 * The point of no return, before the first name is written to any registry. From here on the delivery can only become
 * `delivered` or be retried (see setState, requestCancel). The fence, a request to cancel and `naming` are in one row,
 * so exactly one of them comes first.
 * @returns `stale` if another worker has the lease; how the delivery must end if it was asked to cancel before. In both
 * cases the caller must not write any name.
 */
export async function beginNaming(
  ledger: Db,
  id: string,
  fence: number,
  naming: Naming,
): Promise<"begun" | "stale" | RequestedEnd> {
  const result = await ledger.db
    .updateTable("deliveries")
    .set({ naming: JSON.stringify(naming), updatedAt: now(ledger) })
    .where("id", "=", id)
    .where("fence", "=", fence)
    .where("cancelRequested", "=", 0)
    .executeTakeFirst();
  if (result.numUpdatedRows > 0n) return "begun";
  return (await findRequestedEnd(ledger, id, fence)) ?? "stale";
}
