import { settleAll } from "../../async/settle-all.ts";
import { repoUrl } from "../../delivery/repo-name.ts";
import { basicAuth } from "../../http/login.ts";
import { ciStateBy } from "../ci-state.ts";
import type { Host } from "../host.ts";
import { giteaApi } from "./api.ts";
import { CiEvents } from "./ci-events.ts";
import { hintReader } from "./hints.ts";
import { report } from "./report.ts";
import { findRepo, findRepoById, listRepos, mayWrite } from "./repos.ts";
import { readRequired } from "./required.ts";
import { webhookProof } from "./signature.ts";
import { readChecks } from "./statuses.ts";
import { giteaWebhooks } from "./webhooks.ts";

export interface GiteaHostOptions {
  /** The key under `hosts` in the server configuration. */
  key: string;
  /** Without a slash at its end. */
  url: string;
  cloneUrl: string;
  webhookSecret: string;
  /** Null: only what Gitea shows to everybody, and no reports. */
  token: string | null;
  /** What one attempt of an API call may take, in ms. */
  timeout?: number;
  /** The wait before an API call is tried again, in ms. */
  retryBase?: number;
}

/** Gitea and Forgejo. @throws ConfigError where the secret or the token cannot be one. */
export function giteaHost(options: GiteaHostOptions): Host {
  const { key, url, cloneUrl, token } = options;
  const proof = webhookProof(key, options.webhookSecret);
  const api = giteaApi(options);
  const ciEvents = new CiEvents(api);
  // The process that polls looks for repos first. Nothing waits for the version, and a commit's calls stay few.
  const withVersion = async <T>(asked: Promise<T>): Promise<T> => {
    const [answer] = await settleAll([asked, ciEvents.refresh()]);
    return answer;
  };
  return {
    readHints: hintReader(proof),
    findRepo: (owner, name) => withVersion(findRepo(api, owner, name)),
    findRepoById: (hostId) => findRepoById(api, hostId),
    listRepos: (owner) => withVersion(listRepos(api, owner)),
    budget: api.budget,
    counted: api.counted,
    ciState: ciStateBy({
      readChecks: (commit, gate) => readChecks(api, url, commit, gate),
      readRequired: (commit, branches) => readRequired(api, commit, branches),
      clockAhead: api.clockAhead,
    }),
    // Gitea takes any name with a token as the password; the header keeps the token out of the URL.
    cloneSource: async (repo) => ({
      url: repoUrl(cloneUrl, repo, ".git"),
      authorization: token === null ? null : basicAuth("oauth2", token),
    }),
    report: (commit, wanted, history) => report(api, commit, wanted, history),
    mayWrite: (repo, person) => mayWrite(api, repo, person),
    get sendsCiEvents() {
      return ciEvents.areSent;
    },
    appendsReports: true,
    webhooks: giteaWebhooks(api, { key, webhookSecret: options.webhookSecret, proof, ciEvents, token }),
  };
}
