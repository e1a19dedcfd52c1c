import { ConfigError } from "../../delivery/errors.ts";
import { ciStateBy } from "../ci-state.ts";
import type { Host } from "../host.ts";
import { githubApi } from "./api.ts";
import { readChecks } from "./checks.ts";
import { cloneSourceOf } from "./clone.ts";
import { findRepo, listRepos } from "./find-repo.ts";
import { hintReader } from "./hints.ts";
import { postStatus } from "./report.ts";
import { readRequired } from "./required.ts";
import { githubWebhooks } from "./webhooks.ts";

export interface GitHubHostOptions {
  /** The key under `hosts` in the server configuration. */
  key: string;
  apiUrl: string;
  cloneUrl: string;
  webhookSecret: string;
  /** Null: only what GitHub shows to everybody, and no reports. */
  token: string | null;
  /** What one attempt of an API call may take, in ms. */
  timeout?: number;
  /** The wait before an API call is tried again, in ms. */
  retryBase?: number;
}

/** GitHub and GitHub Enterprise Server. @throws ConfigError where the secret or the token cannot be one. */
export function githubHost(options: GitHubHostOptions): Host {
  if (options.webhookSecret.trim() === "") {
    throw new ConfigError(
      "github-webhook-secret-missing",
      `hosts.${options.key}.webhookSecret is empty: set the secret that GitHub signs this host's webhooks with.`,
    );
  }
  const api = githubApi(options);
  return {
    readHints: hintReader(options.webhookSecret),
    findRepo: (owner, name) => findRepo(api, owner, name),
    listRepos: (owner) => listRepos(api, owner),
    budget: () => api.budget(),
    counted: (work) => api.counted(work),
    ciState: ciStateBy({
      readChecks: (commit, gate, hostNow) => readChecks(api, commit, gate, hostNow),
      readRequired: (commit, branches) => readRequired(api, commit, branches),
      clockAhead: api.clockAhead,
    }),
    cloneSource: async (repo) => cloneSourceOf(options.cloneUrl, options.token, repo),
    report: (commit, report) => postStatus(api, commit, report),
    webhooks: githubWebhooks(api, options),
  };
}
