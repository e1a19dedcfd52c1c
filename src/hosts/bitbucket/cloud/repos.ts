import type { HostRepo } from "../../host.ts";
import { path, type RestApi } from "../../rest/client.ts";
import { Declined, unlessDeclined } from "../../rest/failure.ts";
import { readAnswer, repository, routeById } from "./payload.ts";

/** The repo with this name now. Null: Bitbucket shows none. @throws TransientError */
export async function findRepo(api: RestApi, workspace: string, name: string): Promise<HostRepo | null> {
  return isNested(workspace) ? null : find(api, path`/repositories/${workspace}/${name}`);
}

/** The same by its id, in whichever workspace it is. */
export function findRepoById(api: RestApi, hostId: string): Promise<HostRepo | null> {
  return find(api, routeById(hostId));
}

async function find(api: RestApi, route: string): Promise<HostRepo | null> {
  try {
    const [found] = readAnswer("a repo", repository, [await api.get(route)]);
    return found?.isGit ? found.repo : null;
  } catch (error) {
    if (error instanceof Declined) return null;
    throw error;
  }
}

/** The repos of a workspace that the token may see. @throws TransientError */
export async function listRepos(api: RestApi, workspace: string): Promise<HostRepo[]> {
  if (isNested(workspace)) return [];
  const items = await unlessDeclined(api.list(path`/repositories/${workspace}`, { sort: "created_on" }), []);
  return readAnswer("a list of repos", repository, items).flatMap(({ isGit, repo }) => (isGit ? [repo] : []));
}

/** Bitbucket has no workspace within a workspace. */
function isNested(workspace: string): boolean {
  return workspace.includes("/");
}
