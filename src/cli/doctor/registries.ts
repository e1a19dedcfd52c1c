import type { ServerConfig } from "../../config/server.ts";
import type { Registry } from "../../registries/registry.ts";
import type { Check } from "./check.ts";
import { serverOf } from "./server-of.ts";

/** The login and the right to push of each registry. */
export function registryChecks(config: ServerConfig, registries: ReadonlyMap<string, Registry>): Check[] {
  return [...registries].map(([key, registry]) => ({
    group: "Registries",
    part: `registry ${key}`,
    server: serverOf(config.registries[key]),
    run: () => registry.check().then(() => "login and the right to push"),
    remedy: `Check that it runs and can be reached from here, and what registries.${key} says of it.`,
  }));
}
