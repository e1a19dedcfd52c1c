import { repoUrl } from "../../../delivery/repo-name.ts";
import { basicAuth } from "../../../http/login.ts";
import { ciStateBy } from "../../ci-state.ts";
import type { Host } from "../../host.ts";
import { hintReader } from "../events.ts";
import { webhookProof } from "../signature.ts";
import { dataCenterApi } from "./api.ts";
import { readChecks } from "./builds.ts";
import { eventOf, readers } from "./hints.ts";
import { postBuild } from "./report.ts";
import { Repos } from "./repos.ts";
import { readRequired } from "./required.ts";
import { dataCenterWebhooks } from "./webhooks.ts";

export interface DataCenterHostOptions {
  /** The key under `hosts` in the server configuration. */
  key: string;
  /** Without a slash at its end. */
  url: string;
  cloneUrl: string;
  /** The user of the token, for git. Null: git gets the token alone, as that of a project or repo needs it. */
  username: string | null;
  webhookSecret: string;
  /** Null: only what Bitbucket shows to everybody, and no reports. */
  token: string | null;
  /** What one attempt of an API call may take, in ms. */
  timeout?: number;
  /** The wait before an API call is tried again, in ms. */
  retryBase?: number;
}

/** Bitbucket Data Center. @throws ConfigError where the secret or the token cannot be one. */
export function dataCenterHost(options: DataCenterHostOptions): Host {
  const { key, cloneUrl, username, token } = options;
  const proof = webhookProof(key, options.webhookSecret);
  const api = dataCenterApi(options);
  const repos = new Repos(api);
  return {
    readHints: hintReader({ proof, readers, eventOf, requestIdHeader: "x-request-id" }),
    findRepo: (owner, name) => repos.find(owner, name),
    findRepoById: (hostId) => repos.findById(hostId),
    listRepos: (owner) => repos.list(owner),
    budget: api.budget,
    counted: api.counted,
    ciState: ciStateBy({
      readChecks: (commit) => readChecks(api, commit),
      readRequired: (commit, branches) => readRequired(api, commit, branches),
      clockAhead: api.clockAhead,
    }),
    // A project's key is written in lower case there. The header keeps the token out of the URL.
    cloneSource: async (repo) => ({
      url: repoUrl(cloneUrl, { owner: repo.owner.toLowerCase(), name: repo.name }, ".git"),
      authorization: token === null ? null : username === null ? `Bearer ${token}` : basicAuth(username, token),
    }),
    report: (commit, report) => postBuild(api, commit, report),
    sendsCiEvents: false,
    webhooks: dataCenterWebhooks(api, { key, token, proof }),
  };
}
