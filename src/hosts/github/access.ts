import type { Repo } from "../../delivery/types.ts";
import type { Budget } from "../host.ts";
import { type GitHubApi, githubApi } from "./api.ts";

/** How deliverd calls GitHub: with a token that a person made, or as an App. */
export interface GitHubAccess {
  /** For calls about one repo. */
  ofRepo(repo: Pick<Repo, "id" | "owner">): GitHubApi;
  /** For finding the repos of an owner. Null: GitHub shows none there. @throws TransientError */
  ofOwner(owner: string): Promise<GitHubApi | null>;
  /** The list of an owner's repos; several: one of them knows the owner. */
  repoLists(owner: string): { route: string; parameters: Record<string, unknown> }[];
  /** What git logs in with. Null: nothing, so only public repos can be cloned. @throws TransientError */
  cloneToken(repo: Pick<Repo, "id" | "owner">): Promise<string | null>;
  budget(account?: string): Budget | null;
  counted(work: () => Promise<void>): Promise<number>;
  clockAhead(): number;
}

export interface TokenAccessOptions {
  key: string;
  apiUrl: string;
  /** Null: no login, so only public data. */
  token: string | null;
  timeout?: number;
  retryBase?: number;
}

/** @throws ConfigError if the token cannot be one */
export function tokenAccess(options: TokenAccessOptions): GitHubAccess & { api: GitHubApi } {
  const api = githubApi(options);
  return {
    api,
    ofRepo: () => api,
    ofOwner: async () => api,
    repoLists: (owner) => [
      { route: "GET /orgs/{owner}/repos", parameters: { owner } },
      { route: "GET /users/{owner}/repos", parameters: { owner } },
    ],
    cloneToken: async () => options.token,
    budget: () => api.budget(),
    counted: (work) => api.counted(work),
    clockAhead: () => api.clockAhead(),
  };
}
