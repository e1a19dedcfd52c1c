import { once } from "../../async/once.ts";
import type { ServerConfig } from "../../config/server.ts";
import { ConfigError } from "../../delivery/errors.ts";
import type { Host } from "../../hosts/host.ts";
import { hostTypes } from "../../hosts/index.ts";
import { type Check, ok, type Result, warn } from "./check.ts";
import type { PublicUrlProbe } from "./public-url.ts";
import { serverOf } from "./server-of.ts";
import { listShownRepos, type ShownRepos } from "./shown-repos.ts";
import { checkWebhooks } from "./webhooks.ts";

/** The token of each git host, and the webhooks of the repos. */
export function hostChecks(config: ServerConfig, hosts: ReadonlyMap<string, Host>, probe: PublicUrlProbe): Check[] {
  const group = "Git hosts";
  return [...hosts].flatMap(([key, host]) => {
    const shown = once(() => listShownRepos(config, key, host));
    const part = `host ${key}`;
    return [
      {
        group,
        part,
        server: serverOf(config.hosts[key]),
        run: async () => hostResult(config, key, await shown()),
        remedy: `Check the address of hosts.${key}, and that this machine may reach it.`,
      },
      {
        group,
        part: `webhooks ${key}`,
        needs: [part],
        run: async () => checkWebhooks({ config, key, host, probe }, await shown()),
        remedy: "Run `deliverd hooks check <owner>/<name>` for one of the repos.",
      },
    ];
  });
}

function hostResult({ hosts }: ServerConfig, key: string, { seen, hidden, leftOut }: ShownRepos): Result {
  if (hidden.length > 0) {
    throw new ConfigError(
      "host-shows-no-repo",
      `it shows no repo of ${hidden.join(", ")}. Let the token of hosts.${key} see it, or mend the entry under repos.`,
    );
  }
  const shown = seen.length === 0 ? "" : `; it shows ${seen.join(", ")}`;
  const rest = leftOut.length === 0 ? "" : `; ${leftOut.length} more entries of repos were not asked for`;
  const settings = hosts[key];
  if (settings === undefined) throw new Error(`no host ${key} is configured`);
  const { reportsNeed = "token" } = hostTypes.of(settings);
  const answer = `${settings.token === null ? "answers without a token" : "takes the token"}${shown}${rest}`;
  if (settings[reportsNeed] != null) return ok(answer);
  const unseen = settings.token === null ? "private repos are not seen, and " : "";
  return warn(`${answer}; ${unseen}commits get no statuses`, `Set hosts.${key}.${reportsNeed}.`);
}
