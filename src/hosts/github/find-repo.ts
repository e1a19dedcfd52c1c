import type { HostRepo } from "../host.ts";
import { Declined, type GitHubApi } from "./api.ts";
import { readAnswer, repository } from "./payload.ts";

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

/** All repos of an organisation or user. @throws TransientError */
export async function listRepos(api: GitHubApi, owner: string): Promise<HostRepo[]> {
  if (isNested(owner)) return [];
  for (const route of ["GET /orgs/{owner}/repos", "GET /users/{owner}/repos"]) {
    try {
      return readAnswer("a list of repos", repository, await api.list(route, { owner }));
    } catch (error) {
      // Only one of the two routes knows the owner. If neither does, there are no repos.
      if (!(error instanceof Declined)) throw error;
    }
  }
  return [];
}

/** GitHub has no owner within an owner. */
function isNested(owner: string): boolean {
  return owner.includes("/");
}
