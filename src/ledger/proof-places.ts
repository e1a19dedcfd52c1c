import type { Db, Tx } from "./ledger.ts";
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
