import type { HostRepo } from "../host.ts";
import type { GitHubAccess } from "./access.ts";
import { Declined, type GitHubApi } from "./api.ts";
import { readAnswer, repository } from "./payload.ts";

/** As `findRepo`, with the access to its owner. */
export async function findRepoOf(access: GitHubAccess, owner: string, name: string): Promise<HostRepo | null> {
  const api = isNested(owner) ? null : await access.ofOwner(owner);
  return api === null ? null : findRepo(api, owner, name);
}

/** The repo by its current or a former name: GitHub redirects. Null: GitHub shows none. @throws TransientError */
export async function findRepo(api: GitHubApi, owner: string, name: string): Promise<HostRepo | null> {
  if (isNested(owner)) return null;
  const answer = await askFor(api, owner, name);
  if (answer === null) return null;
  return readAnswer("a repo", repository, [answer])[0] ?? null;
}

async function askFor(api: GitHubApi, owner: string, name: string): Promise<unknown> {
  try {
    return await api.get("GET /repos/{owner}/{repo}", { owner, repo: name });
  } catch (error) {
    if (error instanceof Declined) return null;
    throw error;
  }
}

/** All repos of an organisation or user that GitHub shows. @throws TransientError */
export async function listRepos(access: GitHubAccess, owner: string): Promise<HostRepo[]> {
  if (isNested(owner)) return [];
  const api = await access.ofOwner(owner);
  if (api === null) return [];
  for (const { route, parameters } of access.repoLists(owner)) {
    try {
      return readAnswer("a list of repos", repository, await api.list(route, parameters));
    } catch (error) {
      // If no route knows the owner, there are no repos.
      if (!(error instanceof Declined)) throw error;
    }
  }
  return [];
}

/** GitHub has no owner within an owner. */
function isNested(owner: string): boolean {
  return owner.includes("/");
}
