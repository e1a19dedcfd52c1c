import { repoUrl } from "../../../delivery/repo-name.ts";
import { basicAuth } from "../../../http/login.ts";
import { ciStateBy } from "../../ci-state.ts";
import type { Host } from "../../host.ts";
import { hintReader } from "../events.ts";
import { webhookProof } from "../signature.ts";
import { cloudApi, isAccount } from "./api.ts";
import { readers } from "./hints.ts";
import { postStatus } from "./report.ts";
import { findRepo, findRepoById, listRepos } from "./repos.ts";
import { readChecks } from "./statuses.ts";
import { cloudWebhooks } from "./webhooks.ts";

export interface CloudHostOptions {
  /** The key under `hosts` in the server configuration. */
  key: string;
  /** Without a slash at its end. */
  apiUrl: string;
  cloneUrl: string;
  /** The e-mail address of the account of an API token. Null: it is an access token. */
  username: string | null;
  webhookSecret: string;
  /** Null: only what Bitbucket shows to everybody, and no reports. */
  token: string | null;
  /** What one attempt of an API call may take, in ms. */
  timeout?: number;
  /** The wait before an API call is tried again, in ms. */
  retryBase?: number;
}

/** Bitbucket Cloud. @throws ConfigError where the secret or the token cannot be one. */
export function cloudHost(options: CloudHostOptions): Host {
  const { key, cloneUrl, username, token } = options;
  const proof = webhookProof(key, options.webhookSecret);
  const api = cloudApi(options);
  // The header keeps the token out of the URL.
  const gitUser = isAccount(username) ? "x-bitbucket-api-token-auth" : "x-token-auth";
  return {
    readHints: hintReader({ proof, readers, requestIdHeader: "x-request-uuid" }),
    findRepo: (owner, name) => findRepo(api, owner, name),
    findRepoById: (hostId) => findRepoById(api, hostId),
    listRepos: (owner) => listRepos(api, owner),
    budget: api.budget,
    counted: api.counted,
    ciState: ciStateBy({
      readChecks: (commit) => readChecks(api, commit),
      // Bitbucket requires a number of builds, and none by name.
      readRequired: async () => null,
      clockAhead: api.clockAhead,
    }),
    cloneSource: async (repo) => ({
      url: repoUrl(cloneUrl, repo, ".git"),
      authorization: token === null ? null : basicAuth(gitUser, token),
    }),
    report: (commit, report) => postStatus(api, commit, report),
    webhooks: cloudWebhooks(api, { key, token, proof }),
  };
}
