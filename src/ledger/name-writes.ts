import { type Selectable, sql } from "kysely";
import { mayWrite, type NameRequest } from "../delivery/may-write.ts";
import type { ArtifactName, Digest, RepoId } from "../delivery/types.ts";
import type { Db, Tx } from "./ledger.ts";
import { getLocation, recordLocation, type StoredLocation } from "./locations.ts";
import type { Schema } from "./schema/schema.ts";
import { fromNow, now } from "./sql.ts";

/** So many contents that may stand under a name are remembered: each is a write that never ended. */
const REMEMBERED = 8;

export interface WriteOrder extends NameRequest {
  /** Unique to this write. */
  token: string;
  /** The process. */
  owner: string;
  /** Several repos may publish in this repository. */
  shared: boolean;
}

/**
 * - `reserved`: nobody else writes this name until `ttl` is over. `ours`: as in `mayWrite`.
 * - `stands`: the name stands for this content already, and nothing is to be written.
 * - `taken`, `another-repos`, `owned`: never. `owned` is another repo's repository; the others as in `mayWrite`.
 * - `busy`: another writes this name, or publishes for the first time in this repository, and may fail yet.
 */
export type Reservation =
  | { kind: "reserved"; ours: Digest[] }
  | { kind: "stands" }
  | { kind: "taken" | "another-repos"; because: string }
  | { kind: "owned"; belongsTo: RepoId }
  | { kind: "busy" };

/**
 * Reserves a name before its registry is written: decides in one transaction who owns the repository and what the name may
 * stand for. @param ttl ms by the store's clock
 */
export function reserveName(ledger: Db, order: WriteOrder, ttl: number): Promise<Reservation> {
  return ledger.transaction(async (tx) => {
    const claim = await claimRepository(tx, order);
    if (claim !== "ours") return claim;
    const earlier = await tx.db
      .selectFrom("nameWrites")
      .selectAll()
      .select(sql<number>`case when until > ${now(tx)} then 1 else 0 end`.as("isUnderWay"))
      .where(isName(order))
      .executeTakeFirst();
    // Of one that is under way nothing is concluded: it may come to its end.
    const unfinished = earlier === undefined || earlier.isUnderWay === 1 ? null : unfinishedOf(earlier);
    const permission = mayWrite(order, await getLocation(tx, order), unfinished);
    if (permission.kind !== "free") return permission;
    const moved = order.immutable ? [] : [order.digest];
    const digests = [...new Set([...moved, ...(unfinished?.digests ?? [])])].slice(0, REMEMBERED);
    const { registry, repository, tag, repoId, token, owner } = order;
    const taken = await tx.db
      .insertInto("nameWrites")
      .values({
        ...{ registry, repository, tag, repoId, token, owner, digests: JSON.stringify(digests) },
        immutable: order.immutable ? 1 : 0,
        until: fromNow(tx, ttl) ?? 0,
      })
      .onConflict((conflict) =>
        conflict
          .columns(["registry", "repository", "tag"])
          .doUpdateSet((eb) => ({
            repoId: eb.ref("excluded.repoId"),
            immutable: eb.ref("excluded.immutable"),
            digests: eb.ref("excluded.digests"),
            token: eb.ref("excluded.token"),
            owner: eb.ref("excluded.owner"),
            until: eb.ref("excluded.until"),
          }))
          .where("nameWrites.until", "<=", now(tx)),
      )
      .returning("token")
      .executeTakeFirst();
    return taken === undefined ? { kind: "busy" } : { kind: "reserved", ours: permission.ours };
  });
}

/**
 * Whose the repository is. Whoever asks first locks its row until the transaction ends, so that of two repos that publish
 * there for the first time the second sees the first.
 */
async function claimRepository(
  tx: Tx,
  { registry, repository, repoId, shared }: WriteOrder,
): Promise<"ours" | Extract<Reservation, { kind: "owned" | "busy" }>> {
  const { confirmed, repoId: belongsTo } = await lockRepository(tx, registry, repository, repoId);
  if (belongsTo === repoId || shared) return "ours";
  if (confirmed === 1) return { kind: "owned", belongsTo };
  const rival = await tx.db
    .selectFrom("nameWrites")
    .select("token")
    .where("registry", "=", registry)
    .where("repository", "=", repository)
    .where("repoId", "!=", repoId)
    .where("until", ">", now(tx))
    .executeTakeFirst();
  if (rival !== undefined) return { kind: "busy" };
  await tx.db
    .updateTable("nameOwners")
    .set({ repoId, at: now(tx) })
    .where("registry", "=", registry)
    .where("repository", "=", repository)
    .execute();
  return "ours";
}

function lockRepository(tx: Tx, registry: string, repository: string, repoId: RepoId) {
  return tx.db
    .insertInto("nameOwners")
    .values({ registry, repository, repoId, at: now(tx), confirmed: 0 })
    .onConflict((conflict) =>
      conflict.columns(["registry", "repository"]).doUpdateSet((eb) => ({ at: eb.ref("nameOwners.at") })),
    )
    .returning(["repoId", "confirmed"])
    .executeTakeFirstOrThrow();
}

/** @returns false: the reservation ran out, and another may have written since */
export async function keepReservation(
  ledger: Db,
  order: Pick<WriteOrder, "registry" | "repository" | "tag" | "token">,
  ttl: number,
): Promise<boolean> {
  const row = await ledger.db
    .updateTable("nameWrites")
    .set({ until: fromNow(ledger, ttl) ?? 0 })
    .where(isName(order))
    .where("token", "=", order.token)
    .where("until", ">", now(ledger))
    .returning("token")
    .executeTakeFirst();
  return row !== undefined;
}

/** Lets others write. What may stand there all the same, since an answer may have been lost, is still known. */
export async function endReservation(ledger: Db, order: Pick<WriteOrder, "registry" | "repository" | "tag" | "token">) {
  await ledger.db
    .updateTable("nameWrites")
    .set({ until: 0 })
    .where(isName(order))
    .where("token", "=", order.token)
    .execute();
}

/**
 * Notes what was read back under a reserved name, and with it that the repository is its repo's.
 * @returns false: the reservation was lost before, or the name stands for another content; nothing is noted
 */
export function settleName(ledger: Db, order: WriteOrder, location: Omit<StoredLocation, "at">): Promise<boolean> {
  return ledger.transaction(async (tx) => {
    const { registry, repository, repoId } = order;
    // The same order of locks as in `reserveName`.
    const { repoId: belongsTo } = await lockRepository(tx, registry, repository, repoId);
    if (belongsTo !== repoId && !order.shared) return false;
    const held = await tx.db
      .deleteFrom("nameWrites")
      .where(isName(order))
      .where("token", "=", order.token)
      .returning("token")
      .executeTakeFirst();
    if (held === undefined || !(await recordLocation(tx, location))) return false;
    await tx.db
      .updateTable("nameOwners")
      .set({ repoId, confirmed: 1 })
      .where("registry", "=", registry)
      .where("repository", "=", repository)
      .where("confirmed", "=", 0)
      .execute();
    return true;
  });
}

/** Null: nobody has published there. */
export async function ownerOf(ledger: Db, registry: string, repository: string): Promise<RepoId | null> {
  const owner = await ledger.db
    .selectFrom("nameOwners")
    .select("repoId")
    .where("registry", "=", registry)
    .where("repository", "=", repository)
    .where("confirmed", "=", 1)
    .executeTakeFirst();
  return owner?.repoId ?? null;
}

function unfinishedOf({ immutable, repoId, digests }: Selectable<Schema["nameWrites"]>) {
  return { immutable: immutable === 1, repoId, digests: JSON.parse(digests) as Digest[] };
}

function isName({ registry, repository, tag }: Pick<ArtifactName, "registry" | "repository" | "tag">) {
  return sql<boolean>`registry = ${registry} and repository = ${repository} and tag = ${tag}`;
}
