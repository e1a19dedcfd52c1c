import { Refused } from "../../src/delivery/errors.ts";
import { matchesAny } from "../../src/delivery/glob.ts";
import type { ArtifactKind, ArtifactName, RepoId } from "../../src/delivery/types.ts";
import { getLocation, type StoredLocation } from "../../src/ledger/locations.ts";
import { ownerOf } from "../../src/ledger/name-writes.ts";
import { keysOfPlace } from "../../src/registries/index.ts";
import type { Registry } from "../../src/registries/registry.ts";
import type { Station } from "../station.ts";

export function registryOf({ registries }: Pick<Station, "registries">, key: string): Registry {
  const registry = registries.get(key);
  if (registry === undefined)
    throw new Refused("registry-unknown", `registries.${key} is not configured on this server`);
  return registry;
}

/** Whether several repos may publish there, by the server's configuration. */
export function isShared({ config }: Pick<Station, "config">, registry: string, repository: string): boolean {
  return matchesAny(config.registries[registry]?.shared ?? [], repository);
}

type Books = Pick<Station, "config" | "ledger">;

/** Whose the repository is, whichever key of its registry was published through. Null: nobody has published there. */
export async function ownerOfRepository(
  { config, ledger }: Books,
  registry: string,
  repository: string,
  kind: ArtifactKind,
): Promise<RepoId | null> {
  return ownerOf(ledger, registry, repository, await keysOfPlace(config.registries, registry, kind));
}

/** What the ledger says stands under a name, whichever key of its registry it was written through. */
export async function standingUnder(
  { config, ledger }: Books,
  name: Pick<ArtifactName, "registry" | "repository" | "tag">,
  kind: ArtifactKind,
): Promise<StoredLocation | null> {
  return getLocation(ledger, name, await keysOfPlace(config.registries, name.registry, kind));
}

export function ownedByAnother(registry: string, repository: string): Refused {
  return new Refused(
    "name-owned",
    `${repository} in ${registry} belongs to another repo, which published it first. An administrator can allow both with registries.${registry}.shared.`,
  );
}
