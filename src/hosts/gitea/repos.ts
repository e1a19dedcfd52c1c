import * as z from "zod";
import type { Repo } from "../../delivery/types.ts";
import type { HostRepo } from "../host.ts";
import { path, type RestApi } from "../rest/client.ts";
import { Declined } from "../rest/failure.ts";
import { readAnswer, repoId, repository, routeOf } from "./payload.ts";

/** The repo by its current or a former name: Gitea redirects. Null: Gitea shows none. @throws TransientError */
export async function findRepo(api: RestApi, owner: string, name: string): Promise<HostRepo | null> {
  return isNested(owner) ? null : repoAt(api, routeOf({ owner, name }));
}

/** The repo with this id, whatever it is called now. Null: Gitea shows none. @throws TransientError */
export async function findRepoById(api: RestApi, hostId: string): Promise<HostRepo | null> {
  return repoAt(api, path`/repositories/${hostId}`);
}

async function repoAt(api: RestApi, route: string): Promise<HostRepo | null> {
  try {
    return readAnswer("a repo", repository, [await api.get(route)])[0] ?? null;
  } catch (error) {
    if (error instanceof Declined) return null;
    throw error;
  }
}

/** All repos of an organisation or user. @throws TransientError */
export async function listRepos(api: RestApi, owner: string): Promise<HostRepo[]> {
  if (isNested(owner)) return [];
  for (const route of [path`/orgs/${owner}/repos`, path`/users/${owner}/repos`]) {
    try {
      const listed = readAnswer("a list of repos", repository, await api.list(route));
      // Gitea leaves out repos that the token may not see, but counts them: pages may overlap.
      return [...new Map(listed.map((repo) => [repo.hostId, repo])).values()];
    } catch (error) {
      // Only one of the two routes knows the owner. If neither does, there are no repos.
      if (!(error instanceof Declined)) throw error;
    }
  }
  return [];
}

/** Gitea has no owner within an owner. */
function isNested(owner: string): boolean {
  return owner.includes("/");
}

const permission = z.object({ permission: z.string() });

/** Whether a person may push to the repo. Only an administrator of the repo is shown it. @throws TransientError */
export async function mayWrite(api: RestApi, repo: Repo, person: string): Promise<boolean> {
  try {
    const answer = await api.get(`${routeOf(repo)}${path`/collaborators/${person}/permission`}`);
    const [told] = readAnswer("a permission", permission, [answer]);
    return ["write", "admin", "owner"].includes(told?.permission ?? "");
  } catch (error) {
    if (error instanceof Declined) return false;
    throw error;
  }
}

/** The name of a repo now, as after a rename that nobody has told deliverd. Null: it has the name that we know. */
export async function newNameOf(api: RestApi, repo: Repo): Promise<Repo | null> {
  const found = await findRepoById(api, repoId(repo));
  if (found === null || (found.owner === repo.owner && found.name === repo.name)) return null;
  return { ...repo, owner: found.owner, name: found.name };
}
