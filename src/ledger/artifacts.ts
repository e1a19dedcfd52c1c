import type { Expression, ExpressionBuilder, Selectable, SqlBool } from "kysely";
import type { BaseImage } from "../builders/builder.ts";
import type { Frozen } from "../delivery/frozen.ts";
import type { ArtifactKind, Digest } from "../delivery/types.ts";
import { ACTIVE_STATES } from "./deliveries.ts";
import { frozenColumns, frozenOf } from "./frozen-columns.ts";
import { lockFence } from "./leases.ts";
import type { Db, Tx } from "./ledger.ts";
import type { ArtifactState, Schema } from "./schema/schema.ts";

type Row = Selectable<Schema["artifacts"]>;

/** One artifact of a delivery. Its digest is final once `pinnedFence` is set. */
export type DeliveryArtifact = Omit<Row, "bases"> & { bases: BaseImage[] | null };

/** A frozen content, and the id of the store that holds its bytes (`frozenOn`). */
export interface FrozenContent extends Frozen {
  frozenOn: string;
  bases?: BaseImage[];
}

/** Inserts the artifacts that a delivery must make, in this order. An artifact that has a row keeps it unchanged. */
export async function saveArtifacts(
  ledger: Db,
  deliveryId: string,
  artifacts: readonly { name: string; kind: ArtifactKind }[],
): Promise<void> {
  if (artifacts.length === 0) return;
  await ledger.db
    .insertInto("artifacts")
    .values(
      artifacts.map(({ name, kind }, position) => {
        return { deliveryId, name, kind, position, state: "pending" as const, because: "" };
      }),
    )
    .onConflict((conflict) => conflict.columns(["deliveryId", "name"]).doNothing())
    .execute();
}

/** The artifacts of a delivery, in the pipeline's order. */
export async function artifactsOf(ledger: Db, deliveryId: string): Promise<DeliveryArtifact[]> {
  const rows = await ledger.db
    .selectFrom("artifacts")
    .selectAll()
    .where("deliveryId", "=", deliveryId)
    .orderBy("position")
    .execute();
  return rows.map(fromRow);
}

/** The same of several deliveries, in no particular order of these. */
export async function artifactsOfDeliveries(ledger: Db, deliveryIds: readonly string[]): Promise<DeliveryArtifact[]> {
  if (deliveryIds.length === 0) return [];
  const rows = await ledger.db
    .selectFrom("artifacts")
    .selectAll()
    .where("deliveryId", "in", deliveryIds)
    .orderBy("deliveryId")
    .orderBy("position")
    .execute();
  return rows.map(fromRow);
}

/** Sets the state of an artifact. @returns false if there is no such artifact, or if the fence is stale */
export function setArtifactState(
  ledger: Db,
  deliveryId: string,
  name: string,
  state: ArtifactState,
  because: string,
  fence?: number,
): Promise<boolean> {
  return ledger.transaction(async (tx) => {
    if (fence !== undefined && !(await lockFence(tx, deliveryId, fence))) return false;
    const result = await ofDelivery(tx, deliveryId, name).set({ state, because }).executeTakeFirst();
    return result.numUpdatedRows > 0n;
  });
}

/**
 * Saves the content that `prepare` made. Nothing outside knows it yet: a later freeze may replace it until a digest is
 * pinned.
 * @returns false if the fence is stale, or if another digest is pinned
 */
export async function saveFrozen(
  ledger: Db,
  deliveryId: string,
  name: string,
  fence: number,
  content: FrozenContent,
): Promise<boolean> {
  return ledger.transaction(async (tx) => {
    if (!(await lockFence(tx, deliveryId, fence))) return false;
    const result = await ofDelivery(tx, deliveryId, name)
      .set({ ...contentColumns(content), state: "frozen", because: "" })
      .where((eb) => eb.or([eb("pinnedFence", "is", null), eb("digest", "=", content.digest)]))
      .executeTakeFirst();
    return result.numUpdatedRows > 0n;
  });
}

/**
 * `same`: this digest was pinned already · `other`: another digest is final, which the caller must use · `stale`: another
 * worker has the lease, and the caller must not write any name
 */
export type Pinning = { kind: "pinned" | "same" | "stale" } | { kind: "other"; digest: Digest };

/** Makes the digest final, before the first name is written anywhere. */
export function pinDigest(
  ledger: Db,
  deliveryId: string,
  name: string,
  fence: number,
  content: FrozenContent,
): Promise<Pinning> {
  return ledger.transaction(async (tx): Promise<Pinning> => {
    if (!(await lockFence(tx, deliveryId, fence))) return { kind: "stale" };
    const result = await ofDelivery(tx, deliveryId, name)
      .set({ ...contentColumns(content), pinnedFence: fence })
      .where("pinnedFence", "is", null)
      .executeTakeFirst();
    if (result.numUpdatedRows > 0n) return { kind: "pinned" };
    const row = await tx.db
      .selectFrom("artifacts")
      .select("digest")
      .where("deliveryId", "=", deliveryId)
      .where("name", "=", name)
      .executeTakeFirst();
    if (!row?.digest) throw new Error(`delivery ${deliveryId} has no artifact ${name} to pin`);
    if (row.digest !== content.digest) return { kind: "other", digest: row.digest };
    // Another host may have made the same bytes again, after the host that held them was lost.
    await ofDelivery(tx, deliveryId, name).set({ frozenOn: content.frozenOn }).execute();
    return { kind: "same" };
  });
}

/**
 * Clears the pinned content, so that the commit's next variant can be built. (Where the bytes contain the version, a
 * commit with two versions has two variants.) The pinned digest must be recorded in a release first.
 * @returns false if no release has the digest yet, or if the fence is stale
 */
export function resetArtifact(ledger: Db, deliveryId: string, name: string, fence: number): Promise<boolean> {
  return clearContent(ledger, deliveryId, name, fence, (eb) =>
    eb.exists(
      eb
        .selectFrom("releases")
        .select("id")
        .whereRef("releases.digest", "=", "artifacts.digest")
        .where("releases.deliveryId", "=", deliveryId)
        .where("artifact", "=", name),
    ),
  );
}

/**
 * Clears a pinned digest that was published under no name.
 * @returns false if it was published under some name, or if the fence is stale
 */
export function unpinDigest(ledger: Db, deliveryId: string, name: string, fence: number): Promise<boolean> {
  return clearContent(ledger, deliveryId, name, fence, (eb) =>
    eb.not(
      eb.exists(
        eb.selectFrom("locations").select("tag").where("deliveryId", "=", deliveryId).where("artifact", "=", name),
      ),
    ),
  );
}

/** @returns false if the condition does not hold, or if the fence is stale */
function clearContent(
  ledger: Db,
  deliveryId: string,
  name: string,
  fence: number,
  condition: (eb: ExpressionBuilder<Schema, "artifacts">) => Expression<SqlBool>,
): Promise<boolean> {
  return ledger.transaction(async (tx) => {
    if (!(await lockFence(tx, deliveryId, fence))) return false;
    const result = await ofDelivery(tx, deliveryId, name).set(NOTHING_FROZEN).where(condition).executeTakeFirst();
    return result.numUpdatedRows > 0n;
  });
}

const NOTHING_FROZEN = {
  digest: null,
  mediaType: null,
  size: null,
  frozenOn: null,
  parts: null,
  pinnedFence: null,
  bases: null,
};

/**
 * The contents in this store that an unfinished delivery still needs. A content that was prepared while CI ran does not
 * count until it is pinned: it can be built again.
 */
export async function contentsNeededOn(ledger: Db, frozenOn: string): Promise<Frozen[]> {
  const rows = await ledger.db
    .selectFrom("artifacts")
    .innerJoin("deliveries", "deliveries.id", "artifacts.deliveryId")
    .select(["artifacts.digest", "artifacts.mediaType", "artifacts.size", "artifacts.parts"])
    .where("artifacts.frozenOn", "=", frozenOn)
    .where("artifacts.digest", "is not", null)
    .where((eb) =>
      eb.or([
        eb("deliveries.state", "in", ACTIVE_STATES),
        eb.and([eb("deliveries.state", "=", "waiting"), eb("artifacts.pinnedFence", "is not", null)]),
      ]),
    )
    .execute();
  return rows.flatMap((row) => frozenOf(row) ?? []);
}

function ofDelivery(tx: Tx, deliveryId: string, name: string) {
  return tx.db.updateTable("artifacts").where("deliveryId", "=", deliveryId).where("name", "=", name);
}

function contentColumns({ frozenOn, bases, ...frozen }: FrozenContent) {
  return { ...frozenColumns(frozen), frozenOn, ...(bases && { bases: JSON.stringify(bases) }) };
}

function fromRow({ bases, ...row }: Row): DeliveryArtifact {
  return { ...row, bases: bases === null ? null : (JSON.parse(bases) as BaseImage[]) };
}
