import type { Selectable } from "kysely";
import type { SignedStatement } from "../delivery/proof/attachment.ts";
import type { ProofFacts } from "../delivery/proof/facts.ts";
import type { Digest } from "../delivery/types.ts";
import type { Db, Tx } from "./ledger.ts";
import { type ProofOf, queueProofTask } from "./proof-tasks.ts";
import type { ProofPlaceState } from "./schema/proofs.ts";
import type { Schema } from "./schema/schema.ts";
import { now } from "./sql.ts";

export interface StoredProof {
  facts: ProofFacts;
  /** Null: it is not signed yet. */
  signedAt: number | null;
  keyId: string | null;
  because: string | null;
  /** Sorted by their type. Empty until it is signed. */
  statements: SignedStatement[];
  places: Pick<Selectable<Schema["proofPlaces"]>, "registry" | "repository" | "state" | "because" | "at">[];
}

/** Records that a release is owed a proof, once, in the transaction that records the release. */
export async function oweProof(tx: Tx, of: ProofOf & { id: string }, facts: ProofFacts): Promise<void> {
  const added = await tx.db
    .insertInto("proofs")
    .values({ releaseId: of.id, facts: JSON.stringify(facts), at: now(tx) })
    .onConflict((conflict) => conflict.column("releaseId").doNothing())
    .executeTakeFirst();
  if (added.numInsertedOrUpdatedRows === 0n) return;
  const { digest, files = [] } = facts.content;
  const digests = [...new Set([digest, ...files.map((file) => file.digest)])];
  await tx.db
    .insertInto("proofSubjects")
    .values(digests.map((each) => ({ digest: each, releaseId: of.id })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  await queueProofTask(tx, of, { step: "sign", releaseId: of.id });
}

/**
 * Saves what was signed, unless another worker was first: a release has one proof, and what was uploaded once stays.
 * @returns whether it was saved
 */
export async function saveSigned(
  tx: Tx,
  releaseId: string,
  keyId: string,
  statements: readonly SignedStatement[],
): Promise<boolean> {
  const first = await tx.db
    .updateTable("proofs")
    .set({ signedAt: now(tx), keyId, because: null })
    .where("releaseId", "=", releaseId)
    .where("signedAt", "is", null)
    .executeTakeFirst();
  if (first.numUpdatedRows === 0n) return false;
  await tx.db
    .insertInto("proofBundles")
    .values(statements.map((each) => ({ releaseId, ...each })))
    .execute();
  return true;
}

/** Records why a proof could not be signed. */
export async function noteUnsigned(ledger: Db, releaseId: string, because: string): Promise<void> {
  await ledger.db
    .updateTable("proofs")
    .set({ because })
    .where("releaseId", "=", releaseId)
    .where("signedAt", "is", null)
    .execute();
}

/** Null: the release was recorded before deliverd made proofs. */
export async function proofOf(ledger: Db, releaseId: string): Promise<StoredProof | null> {
  const row = await ledger.db.selectFrom("proofs").selectAll().where("releaseId", "=", releaseId).executeTakeFirst();
  if (row === undefined) return null;
  const statements = await ledger.db
    .selectFrom("proofBundles")
    .select(["predicateType", "bundle"])
    .where("releaseId", "=", releaseId)
    .orderBy("predicateType")
    .execute();
  const places = await ledger.db
    .selectFrom("proofPlaces")
    .select(["registry", "repository", "state", "because", "at"])
    .where("releaseId", "=", releaseId)
    .orderBy("registry")
    .orderBy("repository")
    .execute();
  const { signedAt, keyId, because, facts } = row;
  return { facts: JSON.parse(facts) as ProofFacts, signedAt, keyId, because, statements, places };
}

/**
 * `none`: the release is older than proofs · `owed`: not signed, or not yet in every place · `stands`: in every place
 * that takes it · `refused`: a place will never take it
 */
export const PROOF_STATES = ["none", "owed", "stands", "refused"] as const;
export type ProofState = (typeof PROOF_STATES)[number];

export function stateOfProof({
  signedAt,
  places,
}: {
  signedAt: number | null;
  places: readonly { state: ProofPlaceState }[];
}): ProofState {
  if (signedAt === null || places.some(({ state }) => state === "owed")) return "owed";
  return places.some(({ state }) => state === "refused") ? "refused" : "stands";
}

/** How the proofs of releases stand, by their ids. A release without an entry is older than proofs. */
export async function proofStates(ledger: Db, releaseIds: readonly string[]): Promise<Map<string, ProofState>> {
  if (releaseIds.length === 0) return new Map();
  const rows = await ledger.db
    .selectFrom("proofs")
    .leftJoin("proofPlaces", "proofPlaces.releaseId", "proofs.releaseId")
    .select(["proofs.releaseId", "proofs.signedAt", "proofPlaces.state"])
    .where("proofs.releaseId", "in", releaseIds)
    .execute();
  const found = new Map<string, { signedAt: number | null; places: { state: ProofPlaceState }[] }>();
  for (const { releaseId, signedAt, state } of rows) {
    const proof = found.get(releaseId) ?? { signedAt, places: [] };
    found.set(releaseId, proof);
    if (state !== null) proof.places.push({ state });
  }
  return new Map([...found].map(([id, proof]) => [id, stateOfProof(proof)]));
}

/** Ids of the releases whose manifest or one of whose files has this digest. */
export async function releasesWithDigest(ledger: Db, digest: Digest): Promise<string[]> {
  const rows = await ledger.db
    .selectFrom("proofSubjects")
    .select("releaseId")
    .where("digest", "=", digest)
    .orderBy("releaseId")
    .execute();
  return rows.map(({ releaseId }) => releaseId);
}
