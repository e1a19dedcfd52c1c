import type { Digest, RepoId } from "../delivery/types.ts";
import type { Db, Tx } from "./ledger.ts";
import { queueProofTask } from "./proof-tasks.ts";
import type { ProofPlaceState } from "./schema/proofs.ts";
import { now } from "./sql.ts";

/** A repository of a registry that has a release. */
export interface Place {
  /** The key under `registries`. */
  registry: string;
  repository: string;
}

/** Records that a release's proof is owed in these places. One that is known already stays as it is. */
export async function owePlaces(tx: Tx, releaseId: string, places: readonly Place[]): Promise<void> {
  if (places.length === 0) return;
  await tx.db
    .insertInto("proofPlaces")
    .values(places.map(({ registry, repository }) => ({ releaseId, registry, repository, ...OWED, at: now(tx) })))
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/**
 * Owes the proof of a content to a place where it got a name just now. Nothing is owed before the proof is signed: then
 * it goes to all places that there are.
 */
export async function oweProofAt(
  ledger: Db,
  content: { repoId: RepoId; artifact: string; digest: Digest },
  { registry, repository, tag }: Place & { tag: string },
): Promise<void> {
  const releases = await ledger.db
    .selectFrom("releases")
    .innerJoin("proofs", "proofs.releaseId", "releases.id")
    .leftJoin("proofPlaces", (join) =>
      join
        .onRef("proofPlaces.releaseId", "=", "releases.id")
        .on("proofPlaces.registry", "=", registry)
        .on("proofPlaces.repository", "=", repository),
    )
    .select(["releases.id", "releases.repoId", "releases.sha", "releases.deliveryId", "releases.kind"])
    .select("proofPlaces.state")
    .where("releases.repoId", "=", content.repoId)
    .where("releases.artifact", "=", content.artifact)
    .where("releases.digest", "=", content.digest)
    .where("proofs.signedAt", "is not", null)
    .execute();
  // An image's proof is beside the image, whatever its names are. A file's is beside each name.
  const owed = releases.filter(({ state, kind }) => state === null || kind !== "image");
  if (owed.length === 0) return;
  await ledger.transaction(async (tx) => {
    for (const { id, repoId, sha, deliveryId } of owed) {
      await owePlaces(tx, id, [{ registry, repository }]);
      const task = { step: "attach", releaseId: id, registry, repository, again: false, tag } as const;
      await queueProofTask(tx, { repoId, sha, deliveryId }, task);
    }
  });
}

const OWED = { state: "owed" as const, because: "" };

/** Records how a release's proof stands in a place. */
export async function setPlace(
  ledger: Db,
  releaseId: string,
  { registry, repository }: Place,
  state: ProofPlaceState,
  because: string,
): Promise<void> {
  await ledger.db
    .insertInto("proofPlaces")
    .values({ releaseId, registry, repository, state, because, at: now(ledger) })
    .onConflict((conflict) =>
      conflict.columns(["releaseId", "registry", "repository"]).doUpdateSet((eb) => ({
        state: eb.ref("excluded.state"),
        because: eb.ref("excluded.because"),
        at: eb.ref("excluded.at"),
      })),
    )
    .execute();
}
