import type { ServerConfig } from "../config/server.ts";
import { isLoopback } from "../delivery/webhook-address.ts";
import { hostTypes } from "../hosts/index.ts";
import type { Log } from "../observe/log.ts";

/** Warns once of each thing that a start does not need and a delivery does. */
export function warnOfMissingSettings(
  config: Pick<ServerConfig, "hosts" | "registries" | "publicUrl">,
  log: Pick<Log, "warn">,
): void {
  const { hosts, registries, publicUrl } = config;
  for (const [host, settings] of Object.entries(hosts)) {
    const warning = hostWarning(host, settings);
    if (warning !== null) log.warn(warning, { host });
  }
  if (Object.keys(registries).length === 0) {
    log.warn(
      "no registry is configured, so nothing can be published and every delivery fails. Webhooks, API and pages work. " +
        "Add a registry under registries (without a file: set DELIVERD_REGISTRY to the URL of one)",
    );
  }
  // The links work on a laptop, and nowhere else: whoever forgot the setting sees it only on a commit's page.
  if (isLoopback(publicUrl)) {
    log.warn(
      "commit statuses and notices link to this machine only; set publicUrl (DELIVERD_PUBLIC_URL) to the address " +
        "under which people reach deliverd",
      { publicUrl },
    );
  }
}

/** Null: the host has what it needs to set statuses. */
function hostWarning(host: string, settings: ServerConfig["hosts"][string]): string | null {
  const { reportsNeed = "token", insteadOfToken = reportsNeed } = hostTypes.of(settings);
  const key = `hosts.${host}.${reportsNeed}`;
  if (settings[reportsNeed] != null || settings[insteadOfToken] != null) return null;
  if (reportsNeed !== "token") return `${key} is not set: commits get no statuses. Builds and releases work`;
  const variable = settings.type === "github" ? " (without a file: GITHUB_TOKEN)" : "";
  return (
    `${key} is not set: deliverd reads public repos only, sets no commit statuses, registers no webhooks, and may call ` +
    "the host less often. Webhooks, builds and releases of public repos work. " +
    `Set ${key}${variable} to an access token`
  );
}
