import type { ServerConfig } from "../config/server.ts";
import { matchRepo } from "../delivery/bounds.ts";
import type { NameSpace } from "../delivery/distinct-names.ts";
import { reposNamed } from "../delivery/repo-name.ts";
import type { ArtifactKind, RepoBounds } from "../delivery/types.ts";
import { nameSpaceOf, registryTypes } from "../registries/index.ts";

/** What the server allows a repo, without a secret's value: a pipeline can be checked by it before it is pushed. */
export interface RepoRules extends Pick<RepoBounds, "branches" | "tags" | "ci"> {
  /** The entry of `repos` that counts. Null: none matches. */
  match: string | null;
  /** Why the repo is not delivered. Null: it is. */
  because: string | null;
  registries: {
    key: string;
    type: string;
    isDefault: boolean;
    /** Whether the repo may publish there. */
    allowed: boolean;
    /** Which kinds of artifacts it takes, and where their names are. */
    kinds: ({ kind: ArtifactKind } & NameSpace)[];
  }[];
  /** Names of the secrets that builds of the repo may read. Null: they are only shown to operators. */
  secrets: string[] | null;
}

/** @param named `<owner>/<name>` or `<host>/<owner>/<name>` */
export async function rulesOf(
  { repos, registries, hosts }: Pick<ServerConfig, "repos" | "registries" | "hosts">,
  named: string,
): Promise<RepoRules> {
  const bounds = boundsOf(repos, Object.keys(hosts), named);
  const { match = null, branches = null, tags = null, ci = null, registries: keys = null, secrets = {} } = bounds ?? {};
  return {
    match,
    because: bounds === null ? `${named} is in no entry of repos` : null,
    ...{ branches, tags, ci },
    registries: await Promise.all(
      Object.entries(registries).map(async ([key, settings]) => ({
        key,
        type: settings.type,
        isDefault: settings.default,
        allowed: bounds !== null && (keys === null || keys.includes(key)),
        kinds: await Promise.all(
          registryTypes
            .of(settings)
            .kinds(settings)
            .map(async (kind) => ({ kind, ...(await nameSpaceOf(settings, kind)) })),
        ),
      })),
    ),
    secrets: Object.keys(secrets),
  };
}

/** Of several repos that the name may mean, the first that an entry matches. */
function boundsOf(entries: RepoBounds[], hosts: string[], named: string): RepoBounds | null {
  const found = reposNamed(named, hosts).map((repo) => matchRepo(entries, repo));
  return found.find((bounds) => bounds !== null) ?? null;
}
