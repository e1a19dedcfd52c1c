import { KeyedMutex } from "../async/keyed-mutex.ts";
import type { NameSpace } from "../delivery/distinct-names.ts";
import type { ArtifactKind } from "../delivery/types.ts";
import type { Shelving } from "../delivery/version-names.ts";
import { type TypedSettings, typeList } from "../settings/type-list.ts";
import { ami } from "./ami/index.ts";
import { artifactory } from "./artifactory/index.ts";
import { codeArtifact } from "./codeartifact/index.ts";
import { dockerHub } from "./docker-hub/index.ts";
import { ecr } from "./ecr/index.ts";
import { http } from "./http/index.ts";
import { maven } from "./maven/index.ts";
import { npm } from "./npm/index.ts";
import { oci } from "./oci/index.ts";
import type { Stock } from "./protocols/oci/image-registry.ts";
import { pypi } from "./pypi/index.ts";
import type { Registry } from "./registry.ts";
import type { RegistrySettings, RegistryType } from "./registry-type.ts";

export type { RegistrySettings } from "./registry-type.ts";

const declared = [dockerHub, oci, ecr, artifactory, codeArtifact, pypi, npm, maven, http, ami] as const;

export type RegistryTypeName = (typeof declared)[number]["type"];

/** Every type of registry. Whatever depends on the type of a registry asks its declaration here. */
export const registryTypes = typeList<RegistrySettings, RegistryType>(declared);

/**
 * All registries by their key. Nothing is asked over the network here.
 * @throws ConfigError `registry-url`, `registry-credentials`
 */
export async function openRegistries(
  configs: Record<string, TypedSettings>,
  stock: Stock,
  types = registryTypes,
): Promise<Map<string, Registry>> {
  const shared = { mutex: new KeyedMutex(), ...stock };
  const opened = new Map<string, Registry>();
  for (const [key, config] of Object.entries(configs)) {
    opened.set(key, await types.of(config).open(key, config, shared));
  }
  return opened;
}

/**
 * The keys under `registries` with the same names of this kind as `key`, including `key`. Who owns a name under one of
 * them owns it under all.
 */
export async function keysOfPlace(
  configs: Record<string, TypedSettings>,
  key: string,
  kind: ArtifactKind,
  types = registryTypes,
): Promise<string[]> {
  const own = configs[key];
  if (own === undefined) return [key];
  const place = await types.of(own).place(own, kind);
  const isSame = async (each: TypedSettings) => (await types.of(each).place(each, kind)) === place;
  const others = await Promise.all(
    Object.entries(configs).map(async ([other, each]) => (other === key || !(await isSame(each)) ? [] : [other])),
  );
  return [key, ...others.flat()];
}

/** The names of artifacts of this kind in a registry of these settings. */
export async function nameSpaceOf(
  settings: TypedSettings,
  kind: ArtifactKind,
  types = registryTypes,
): Promise<NameSpace> {
  const place = await types.of(settings).place(settings, kind);
  return { shelving: shelvingOf(settings, kind, types), place };
}

/** Whether a registry names artifacts of this kind by paths. Files have paths everywhere. */
export function shelvingOf(settings: TypedSettings, kind: ArtifactKind, types = registryTypes): Shelving {
  return kind === "file" || types.of(settings).namesArePaths ? "path" : "package";
}
