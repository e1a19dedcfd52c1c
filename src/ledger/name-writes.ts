import { type Selectable, sql } from "kysely";
import { mayWrite, type NameRequest } from "../delivery/may-write.ts";
import type { ArtifactName, Digest, RepoId } from "../delivery/types.ts";
import type { Db, Tx } from "./ledger.ts";
import { locationsUnder, recordLocation, type StoredLocation, standingOf } from "./locations.ts";
import type { Schema } from "./schema/schema.ts";
import { fromNow, now } from "./sql.ts";

/** How many contents that may stand under a name are remembered: each is of a write that never ended. */
const REMEMBERED = 8;

export interface WriteOrder extends NameRequest {
  /** Unique to this write. */
  token: string;
  /** The process. */
  owner: string;
  /** Several repos may publish in this repository. */
  shared: boolean;
  /** Every key of the configuration that leads to the same place, `registry` among them. Left out: `registry` alone. */
  keys?: readonly string[];
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
 * stand for. Rows of other keys of the same place count as the name's own; they may be older than the second key, so each
 * key keeps its rows. @param ttl ms by the store's clock
 */
export function reserveName(ledger: Db, order: WriteOrder, ttl: number): Promise<Reservation> {
  return ledger.transaction(async (tx) => {
    const claim = await claimRepository(tx, order);
    if (claim !== "ours") return claim;
    const earlier = await writesOf(tx, order);
    // Of a write that is under way nothing is concluded: it may still end well.
    const isUnderWay = earlier.some((write) => write.isUnderWay === 1);
    const unfinished = isUnderWay ? null : unfinishedOf(earlier);
    const standing = await locationsUnder(tx, order, keysOf(order));
    const permission = mayWrite(order, standingOf(standing), unfinished);
    // Where only another key has the name with this content, it is written again: that notes it under this key too.
    const isNoted = permission.kind !== "stands" || standing.some((one) => isNotedAs(order, one));
    if (permission.kind !== "free" && isNoted) return permission;
    if (isUnderWay) return { kind: "busy" };
    if (earlier.length > 0) await removeWrites(tx, order);
    await insertWrite(tx, order, unfinished?.digests ?? [], ttl);
    return { kind: "reserved", ours: permission.kind === "free" ? permission.ours : [] };
  });
}

function keysOf({ registry, keys = [registry] }: Pick<WriteOrder, "registry" | "keys">): string[] {
  return [...new Set(keys)].sort();
}

function isNotedAs(order: WriteOrder, { registry, digest, immutable }: StoredLocation): boolean {
  return registry === order.registry && digest === order.digest && (immutable || !order.immutable);
}

/** Every write of the name that did not come to its end, whoever began it, the newest first. */
function writesOf(tx: Tx, { repository, tag, ...order }: WriteOrder) {
  return tx.db
    .selectFrom("nameWrites")
    .selectAll()
    .select(sql<number>`case when until > ${now(tx)} then 1 else 0 end`.as("isUnderWay"))
    .where("registry", "in", keysOf(order))
    .where("repository", "=", repository)
    .where("tag", "=", tag)
    .orderBy("until", "desc")
    .execute();
}

/** Under every key: the name has one row, and a writer that lost it finds none. */
async function removeWrites(tx: Tx, { repository, tag, ...order }: WriteOrder): Promise<void> {
  await tx.db
    .deleteFrom("nameWrites")
    .where("registry", "in", keysOf(order))
    .where("repository", "=", repository)
    .where("tag", "=", tag)
    .execute();
}

/** @param left what earlier writes may have put there */
async function insertWrite(tx: Tx, order: WriteOrder, left: Digest[], ttl: number): Promise<void> {
  const { registry, repository, tag, repoId, token, owner } = order;
  const moved = order.immutable ? [] : [order.digest];
  const digests = [...new Set([...moved, ...left])].slice(0, REMEMBERED);
  await tx.db
    .insertInto("nameWrites")
    .values({
      ...{ registry, repository, tag, repoId, token, owner, digests: JSON.stringify(digests) },
      immutable: order.immutable ? 1 : 0,
      until: fromNow(tx, ttl) ?? 0,
    })
    .execute();
}

/**
 * Whose the repository is. Whoever asks first locks its rows until the transaction ends, so that of two repos that publish
 * there for the first time the second sees the first.
 */
async function claimRepository(
  tx: Tx,
  order: WriteOrder,
): Promise<"ours" | Extract<Reservation, { kind: "owned" | "busy" }>> {
  const { repository, repoId, shared } = order;
  const claims = await lockRepository(tx, order);
  const belongsTo = confirmedOwner(claims);
  if (shared || belongsTo === repoId) return "ours";
  if (belongsTo !== null) return { kind: "owned", belongsTo };
  if (claims.every((claim) => claim.repoId === repoId)) return "ours";
  const rival = await tx.db
    .selectFrom("nameWrites")
    .select("token")
    .where("registry", "in", keysOf(order))
    .where("repository", "=", repository)
    .where("repoId", "!=", repoId)
    .where("until", ">", now(tx))
    .executeTakeFirst();
  if (rival !== undefined) return { kind: "busy" };
  await tx.db
    .updateTable("nameOwners")
    .set({ repoId, at: now(tx) })
    .where("registry", "in", keysOf(order))
    .where("repository", "=", repository)
    .execute();
  return "ours";
}

/** Locks the repository's row under each key, in the order of the keys: two that lock the same rows never wait in a circle. */
function lockRepository(tx: Tx, order: WriteOrder): Promise<Selectable<Schema["nameOwners"]>[]> {
  const { repository, repoId } = order;
  return tx.db
    .insertInto("nameOwners")
    .values(keysOf(order).map((registry) => ({ registry, repository, repoId, at: now(tx), confirmed: 0 })))
    .onConflict((conflict) =>
      conflict.columns(["registry", "repository"]).doUpdateSet((eb) => ({ at: eb.ref("nameOwners.at") })),
    )
    .returningAll()
    .execute();
}

/** Before two keys were known to lead to one place, two repos may have published there: the first of them owns it. */
function confirmedOwner(claims: readonly Selectable<Schema["nameOwners"]>[]): RepoId | null {
  const [first] = claims.filter(({ confirmed }) => confirmed === 1).toSorted((a, b) => a.at - b.at);
  return first?.repoId ?? null;
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
    const claims = await lockRepository(tx, order);
    const claimed = claims.find((claim) => claim.registry === registry)?.repoId;
    if ((confirmedOwner(claims) ?? claimed) !== repoId && !order.shared) return false;
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

/** @param keys as in `WriteOrder` @returns null: nobody has published there */
export async function ownerOf(
  ledger: Db,
  registry: string,
  repository: string,
  keys: readonly string[] = [registry],
): Promise<RepoId | null> {
  const claims = await ledger.db
    .selectFrom("nameOwners")
    .selectAll()
    .where("registry", "in", keys)
    .where("repository", "=", repository)
    .execute();
  return confirmedOwner(claims);
}

/** What earlier writes may have left. An immutable one keeps the name for its repo, whatever else was tried. */
function unfinishedOf(writes: readonly Selectable<Schema["nameWrites"]>[]) {
  const first = writes.find((write) => write.immutable === 1) ?? writes[0];
  if (first === undefined) return null;
  const digests = writes.flatMap((write) => JSON.parse(write.digests) as Digest[]);
  return { immutable: first.immutable === 1, repoId: first.repoId, digests };
}

function isName({ registry, repository, tag }: Pick<ArtifactName, "registry" | "repository" | "tag">) {
  return sql<boolean>`registry = ${registry} and repository = ${repository} and tag = ${tag}`;
}
