import type { ArtifactKind, ArtifactName, RepoId } from "../../src/delivery/types.ts";
import { getLocation, type StoredLocation } from "../../src/ledger/locations.ts";
import { ownerOf } from "../../src/ledger/name-writes.ts";
import { keysOfPlace } from "../../src/registries/index.ts";
import type { Station } from "../station.ts";

type Parts = Pick<Station, "config" | "ledger">;

/** The repo that owns the repository, under any key of its registry. Null: nobody has published there. */
export async function ownerOfRepository(
  { config, ledger }: Parts,
  registry: string,
  repository: string,
  kind: ArtifactKind,
): Promise<RepoId | null> {
  return ownerOf(ledger, registry, repository, await keysOfPlace(config.registries, registry, kind));
}

/** What a name holds by the ledger, whichever key of its registry it was written through. */
export async function standingUnder(
  { config, ledger }: Parts,
  name: Pick<ArtifactName, "registry" | "repository" | "tag">,
  kind: ArtifactKind,
): Promise<StoredLocation | null> {
  return getLocation(ledger, name, await keysOfPlace(config.registries, name.registry, kind));
}
