import type { HostRepo } from "../host.ts";
import { Declined, type GitHubApi } from "./api.ts";
import { readAnswer, repository } from "./payload.ts";

/** The repo by its current or a former name, as GitHub redirects; null where it shows none. @throws TransientError. */
export async function findRepo(api: GitHubApi, owner: string, name: string): Promise<HostRepo | null> {
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

/** Every repo of an organisation, or of a user. @throws TransientError. */
export async function listRepos(api: GitHubApi, owner: string): Promise<HostRepo[]> {
  for (const route of ["GET /orgs/{owner}/repos", "GET /users/{owner}/repos"]) {
    try {
      return readAnswer("a list of repos", repository, await api.list(route, { owner }));
    } catch (error) {
      // Only the one of the two that fits answers; an owner that neither knows has no repos.
      if (!(error instanceof Declined)) throw error;
    }
  }
  return [];
}
