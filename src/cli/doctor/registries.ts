import type { ServerConfig } from "../../config/server.ts";
import type { Registry } from "../../registries/registry.ts";
import { type Check, warn } from "./check.ts";
import { serverOf } from "./server-of.ts";

const NONE_REMEDY = "Add one under registries, or without a file set DELIVERD_REGISTRY to its URL.";
const NONE = warn("none is configured, so nothing can be published and every delivery fails", NONE_REMEDY);

/** The login and the right to push of each registry. */
export function registryChecks(config: ServerConfig, registries: ReadonlyMap<string, Registry>): Check[] {
  const group = "Registries";
  if (registries.size === 0) return [{ group, part: "registries", run: async () => NONE, remedy: NONE_REMEDY }];
  return [...registries].map(([key, registry]) => ({
    group,
    part: `registry ${key}`,
    server: serverOf(config.registries[key]),
    run: () => registry.check().then(() => "login and the right to push"),
    remedy: `Check that it runs and can be reached from here, and what registries.${key} says of it.`,
  }));
}
