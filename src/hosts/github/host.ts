import { ConfigError } from "../../delivery/errors.ts";
import { ciStateBy } from "../ci-state.ts";
import type { Host } from "../host.ts";
import { type GitHubAccess, tokenAccess } from "./access.ts";
import { appAccess } from "./app/app-access.ts";
import { appHost } from "./app/app-host.ts";
import { readPrivateKey } from "./app/private-key.ts";
import { readChecks } from "./checks.ts";
import { cloneSourceOf } from "./clone.ts";
import { findRepoOf, listRepos } from "./find-repo.ts";
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
  /** Null: as `app`, or only what GitHub shows to everybody, and no reports. */
  token: string | null;
  /** The GitHub App that deliverd is. Left out, or null: `token`. */
  app?: { id: number; privateKey: string } | null;
  /** What one attempt of an API call may take, in ms. */
  timeout?: number;
  /** The wait before an API call is tried again, in ms. */
  retryBase?: number;
  /** ms since the epoch. Left out: the clock. */
  now?: () => number;
  /** Gets each secret that GitHub makes, so that no log shows it. */
  learn?: (secret: string) => void;
}

/** GitHub and GitHub Enterprise Server. @throws ConfigError where the secret, the token or the App's key cannot be one. */
export function githubHost(options: GitHubHostOptions): Host {
  const { key, webhookSecret, app = null } = options;
  if (webhookSecret.trim() === "") {
    throw new ConfigError(
      "github-webhook-secret-missing",
      `hosts.${key}.webhookSecret is empty: set the secret that GitHub signs this host's webhooks with.`,
    );
  }
  if (app !== null) {
    const { now = Date.now, learn = () => {} } = options;
    const access = appAccess({
      ...options,
      appId: app.id,
      privateKey: readPrivateKey(key, app.privateKey),
      now,
      learn,
    });
    return { ...readingHost(access, options, access.appId), ...appHost(access, options, now) };
  }
  const access = tokenAccess(options);
  return {
    ...readingHost(access, options, null),
    readHints: hintReader(webhookSecret),
    report: (commit, report) => postStatus(access.api, commit, report),
    webhooks: githubWebhooks(access.api, options),
  };
}

/** What is read in the same way with a token and as an App. */
function readingHost(access: GitHubAccess, { cloneUrl }: GitHubHostOptions, ownApp: number | null) {
  return {
    findRepo: (owner, name) => findRepoOf(access, owner, name),
    listRepos: (owner) => listRepos(access, owner),
    budget: access.budget,
    counted: access.counted,
    ciState: ciStateBy({
      readChecks: (commit, gate, hostNow) => readChecks(access.ofRepo(commit.repo), commit, gate, hostNow, ownApp),
      readRequired: (commit, branches) => readRequired(access.ofRepo(commit.repo), commit, branches),
      clockAhead: access.clockAhead,
    }),
    cloneSource: async (repo) => cloneSourceOf(cloneUrl, await access.cloneToken(repo), repo),
  } satisfies Partial<Host>;
}
