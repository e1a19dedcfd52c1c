import type { ServerConfig } from "../config/server.ts";
import { questionOfPattern } from "../delivery/repo-name.ts";
import { hostTypes } from "../hosts/index.ts";
import type { SetUpHost } from "../web/set-up-app.ts";
import { addressOf, isOutOfReach } from "./webhook-health.ts";

/** The hosts that deliverd can be set up at as an App, by their key. */
export async function setUpHosts(config: ServerConfig): Promise<Map<string, SetUpHost>> {
  const found = new Map<string, SetUpHost>();
  for (const [key, settings] of Object.entries(config.hosts)) {
    const setup = await hostTypes.of(settings).setUpApp?.(key, settings);
    if (setup === undefined) continue;
    found.set(key, {
      setup,
      webhookUrl: addressOf(config, key).url,
      owners: ownersOf(config, key),
      isReachable: !isOutOfReach(config, key),
    });
  }
  return found;
}

/** The owners whose repos `repos` names at this host. */
function ownersOf({ repos }: ServerConfig, key: string): string[] {
  return repos.flatMap((entry) => {
    const question = questionOfPattern(entry, key);
    return question.kind === "repo" || question.kind === "owner" ? [question.owner] : [];
  });
}
