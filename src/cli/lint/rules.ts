import { knownRegistries, type RulesFor } from "../../../workers/commit/read-plan.ts";
import type { RepoRules } from "../../api/rules.ts";
import { builderOf } from "../../builders/index.ts";
import type { ServerConfig } from "../../config/server.ts";
import { matchRepo } from "../../delivery/bounds.ts";
import type { KnownRegistry } from "../../delivery/plan-problems.ts";
import type { ArtifactKind, Repo, RepoBounds } from "../../delivery/types.ts";
import { type ClientOptions, requestJson } from "../client.ts";

/** What a pipeline is held to, and where that is from. */
export interface RuleSource {
  rulesFor: RulesFor;
  /** Why the server would not deliver this repo at all. Null: it would. */
  notDelivered: string | null;
  /** Nothing is known of the server. */
  isOffline: boolean;
  /** The server did not say which secrets builds may read. */
  hidesSecrets?: boolean;
}

const ANYTHING: Omit<RepoBounds, "secrets"> = { match: "*/*", branches: null, tags: null, ci: null, registries: null };
const KINDS = Object.keys(builderOf) as ArtifactKind[];

/** Without a server: every registry and every secret that the pipeline names is there. */
export const offlineRules: RuleSource = {
  isOffline: true,
  notDelivered: null,
  async rulesFor(artifacts) {
    const keys = artifacts.flatMap((artifact) => artifact?.publish.map((to) => to?.to ?? "") ?? []);
    return {
      bounds: { ...ANYTHING, secrets: granted(namedSecrets(artifacts)) },
      registries: Object.fromEntries(
        [...new Set(keys.length === 0 ? ["default"] : keys)].map((key) => [key, assumed(key)]),
      ),
    };
  },
};

/** The secrets that the pipeline asks for: where nobody says which are granted, all of them are taken as granted. */
function namedSecrets(artifacts: Parameters<RulesFor>[0]): string[] {
  return artifacts.flatMap((artifact) => artifact?.secrets ?? []);
}

function granted(secrets: readonly string[]): RepoBounds["secrets"] {
  return Object.fromEntries(secrets.map((name) => [name, ""]));
}

/** A registry of which only the key is known. Packages may have paths there, so their names are not compared. */
function assumed(key: string): KnownRegistry {
  const names = KINDS.map((kind) => {
    const shelving = kind === "image" || kind === "ami" ? ("package" as const) : ("path" as const);
    return [kind, { shelving, place: key }] as const;
  });
  return { type: "unknown", isDefault: false, kinds: KINDS, names: new Map(names) };
}

/** By a configuration file, as the server itself reads it. */
export function rulesOfConfig(config: ServerConfig, repo: Repo): RuleSource {
  const bounds = matchRepo(config.repos, repo);
  return {
    isOffline: false,
    notDelivered: bounds === null ? `${repo.owner}/${repo.name} is in no entry of repos` : null,
    rulesFor: async (artifacts) => ({
      bounds: bounds ?? { ...ANYTHING, secrets: {} },
      registries: await knownRegistries(config, artifacts),
    }),
  };
}

/** By what a running server says. */
export async function rulesOfServer(server: ClientOptions, repo: Repo, named?: string): Promise<RuleSource> {
  const query = new URLSearchParams({ repo: named ?? `${repo.owner}/${repo.name}` });
  const rules = await requestJson<RepoRules>(server, `/api/v1/rules?${query}`);
  const { because, registries, secrets, ...bounds } = rules;
  const allowed = registries.filter((each) => each.allowed).map(({ key }) => key);
  return {
    isOffline: false,
    notDelivered: because,
    hidesSecrets: secrets === null,
    rulesFor: async (artifacts) => ({
      bounds: {
        ...bounds,
        match: bounds.match ?? "*/*",
        registries: because !== null || allowed.length === registries.length ? null : allowed,
        secrets: granted(secrets ?? namedSecrets(artifacts)),
      },
      registries: Object.fromEntries(
        registries.map(({ key, type, isDefault, kinds }) => [
          key,
          {
            type,
            isDefault,
            kinds: kinds.map(({ kind }) => kind),
            names: new Map(kinds.map(({ kind, ...space }) => [kind, space])),
          },
        ]),
      ),
    }),
  };
}
