import type { Selectable } from "kysely";
import type { Tx } from "./ledger.ts";
import type { Schema } from "./schema/schema.ts";
import { now } from "./sql.ts";

type Row = Selectable<Schema["outbox"]>;

/** The initial values of an outbox row. */
export function newOutboxRow(
  tx: Tx,
  row: Pick<Row, "id" | "kind" | "repoId" | "sha" | "deliveryId" | "payload" | "lane">,
) {
  const { id, kind, repoId, sha, deliveryId, payload, lane } = row;
  const given = { id, kind, repoId, sha, deliveryId, payload, lane };
  return { ...given, state: "unsent" as const, revision: 1, createdAt: now(tx), updatedAt: now(tx), attempts: 0 };
}
