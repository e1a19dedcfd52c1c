import { type TypedSettings, typeList } from "../settings/type-list.ts";
import { bitbucket } from "./bitbucket/index.ts";
import { generic } from "./generic/index.ts";
import { gitea } from "./gitea/index.ts";
import { github } from "./github/index.ts";
import { gitlab } from "./gitlab/index.ts";
import type { Host } from "./host.ts";
import type { HostTools } from "./host-tools.ts";
import type { HostSettings, HostType } from "./host-type.ts";

/** Every type of git host. Whatever depends on the type of a host asks its declaration here. */
export const hostTypes = typeList<HostSettings, HostType>([github, gitlab, gitea, bitbucket, generic]);

/** Every configured host by its key. Nothing is asked over the network here. @throws ConfigError */
export async function openHosts(hosts: Record<string, TypedSettings>, tools: HostTools): Promise<Map<string, Host>> {
  const opened = new Map<string, Host>();
  for (const [key, settings] of Object.entries(hosts)) {
    opened.set(key, await hostTypes.of(settings).open(key, settings, tools));
  }
  return opened;
}
