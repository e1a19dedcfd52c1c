import { loadServerConfig, type ServerConfig } from "../../config/server.ts";
import { ConfigError } from "../../delivery/errors.ts";
import type { Repo } from "../../delivery/types.ts";
import { openHosts } from "../../hosts/index.ts";
import type { CheckoutRepo } from "../checkout-repo.ts";
import { hostTools } from "../host-tools.ts";

/** What a build goes by. */
export interface BuildSettings {
  config: ServerConfig;
  /** Nothing configures a server here: only the engine is known. */
  isOffline: boolean;
}

/**
 * The configuration that the daemon would have, from a file or the environment; with neither, one that allows every
 * repo and has no registries.
 * @throws ConfigError `bad-config`
 */
export function buildSettings(path: string | undefined, env: NodeJS.ProcessEnv): BuildSettings {
  if (path !== undefined || env.DELIVERD_CONFIG || env.DELIVERD_REPOS)
    return { config: loadServerConfig({ path, env }), isOffline: false };
  const placeholders = { GITHUB_WEBHOOK_SECRET: "not-used", DELIVERD_REPOS: "*/*" };
  return { config: loadServerConfig({ env: { ...env, ...placeholders } }), isOffline: true };
}

/** The repo as its host knows it, or why the host did not say. */
export type KnownByHost = { kind: "known"; repo: Repo } | { kind: "unknown"; because: string };

/** Asks the host for the repo's id: the label of an image with its delivery depends on it. */
export async function askHost(config: ServerConfig, repo: CheckoutRepo): Promise<KnownByHost> {
  const name = `${repo.owner}/${repo.name}`;
  try {
    const tools = hostTools(null, () => {});
    const hosts = await openHosts(config.hosts, tools);
    const found = (await hosts.get(repo.host)?.findRepo(repo.owner, repo.name)) ?? null;
    if (found === null) return { kind: "unknown", because: `hosts.${repo.host} shows no repo ${name}` };
    const { hostId, owner, name: own, defaultBranch } = found;
    const id = `${repo.host}:${hostId}`;
    return {
      kind: "known",
      repo: { id, host: repo.host, owner, name: own, defaultBranch: defaultBranch ?? repo.defaultBranch },
    };
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error) || error instanceof ConfigError) throw error;
    return { kind: "unknown", because: error.message };
  }
}
