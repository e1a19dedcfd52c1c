import { once } from "../../async/once.ts";
import type { ServerConfig } from "../../config/server.ts";
import { ConfigError } from "../../delivery/errors.ts";
import { questionOfPattern } from "../../delivery/repo-name.ts";
import type { Host } from "../../hosts/host.ts";
import { hostTypes } from "../../hosts/index.ts";
import { type Check, ok, type Result, warn } from "./check.ts";
import type { PublicUrlProbe } from "./public-url.ts";
import { serverOf } from "./server-of.ts";
import { listShownRepos, type ShownRepos } from "./shown-repos.ts";
import { checkWebhooks } from "./webhooks.ts";

/** Each is a call or two at the host. */
const OWNERS_ASKED = 20;

/** The login at each git host, and the webhooks of the repos. */
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
        run: async () => hostResult(config, key, await loginOf(config, key, host), await shown()),
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

/** Asked first: what a login lacks may be why it shows no repos. Null: a token, or nothing. */
async function loginOf({ repos, hosts }: ServerConfig, key: string, host: Host): Promise<string | null> {
  if (host.checkLogin === undefined) return null;
  const owners = repos.flatMap((entry) => {
    const question = questionOfPattern(entry, key);
    // With another host beside it, an entry that names none may mean that one.
    if (entry.host === undefined && Object.keys(hosts).length > 1) return [];
    return question.kind === "repo" || question.kind === "owner" ? [question.owner] : [];
  });
  const { name, faults } = await host.checkLogin([...new Set(owners)].slice(0, OWNERS_ASKED));
  if (faults.length > 0) throw new ConfigError("host-login-incomplete", `${name}: ${faults.join("; ")}.`);
  return name;
}

function hostResult(
  { hosts }: ServerConfig,
  key: string,
  login: string | null,
  { seen, hidden, leftOut }: ShownRepos,
): Result {
  if (hidden.length > 0) {
    throw new ConfigError(
      "host-shows-no-repo",
      `it shows no repo of ${hidden.join(", ")}. Let the token or App of hosts.${key} see it, or mend the entry under repos.`,
    );
  }
  const shown = seen.length === 0 ? "" : `; it shows ${seen.join(", ")}`;
  const rest = leftOut.length === 0 ? "" : `; ${leftOut.length} more entries of repos were not asked for`;
  if (login !== null) return ok(`takes ${login}${shown}${rest}`);
  const settings = hosts[key];
  if (settings === undefined) throw new Error(`no host ${key} is configured`);
  const { reportsNeed = "token" } = hostTypes.of(settings);
  const answer = `${settings.token === null ? "answers without a token" : "takes the token"}${shown}${rest}`;
  if (settings[reportsNeed] != null) return ok(answer);
  const unseen = settings.token === null ? "private repos are not seen, and " : "";
  return warn(`${answer}; ${unseen}commits get no statuses`, `Set hosts.${key}.${reportsNeed}.`);
}
