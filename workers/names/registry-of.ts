import { Refused } from "../../src/delivery/errors.ts";
import { matchesAny } from "../../src/delivery/glob.ts";
import type { Station } from "../station.ts";

export function registryOf<R>({ registries }: { registries: ReadonlyMap<string, R> }, key: string): R {
  const registry = registries.get(key);
  if (registry === undefined)
    throw new Refused("registry-unknown", `registries.${key} is not configured on this server`);
  return registry;
}

/** Whether several repos may publish there, by the server's configuration. */
export function isShared({ config }: Pick<Station, "config">, registry: string, repository: string): boolean {
  return matchesAny(config.registries[registry]?.shared ?? [], repository);
}

export function ownedByAnother(registry: string, repository: string): Refused {
  return new Refused(
    "name-owned",
    `${repository} in ${registry} belongs to another repo, which published it first. ` +
      `An administrator can allow both with registries.${registry}.shared.`,
  );
}
