import { repoUrl } from "../../delivery/repo-name.ts";
import { basicAuth } from "../../http/login.ts";
import { ciStateBy } from "../ci-state.ts";
import type { Host } from "../host.ts";
import { gitlabApi } from "./api.ts";
import { readChecks } from "./checks.ts";
import { hintReader } from "./hints.ts";
import { findProject, listProjects } from "./projects.ts";
import { StatusReporter } from "./report.ts";
import { webhookProof } from "./signature.ts";
import { gitlabWebhooks } from "./webhooks.ts";

export interface GitLabHostOptions {
  /** The key under `hosts` in the server configuration. */
  key: string;
  /** Without a slash at its end. */
  url: string;
  cloneUrl: string;
  /** `whsec_…`, or a token. */
  webhookSecret: string;
  /** Null: only what GitLab shows to everybody, and no reports. */
  token: string | null;
  /** What one attempt of an API call may take, in ms. */
  timeout?: number;
  /** The wait before an API call is tried again, in ms. */
  retryBase?: number;
}

/** GitLab.com and self-managed GitLab. @throws ConfigError where the secret or the token cannot be one. */
export function gitlabHost(options: GitLabHostOptions): Host {
  const { key, cloneUrl, token } = options;
  const proof = webhookProof(key, options.webhookSecret);
  const api = gitlabApi(options);
  const reporter = new StatusReporter(api);
  return {
    readHints: hintReader(proof),
    findRepo: (owner, name) => findProject(api, `${owner}/${name}`),
    findRepoById: (hostId) => findProject(api, hostId),
    listRepos: (owner) => listProjects(api, owner),
    budget: api.budget,
    counted: api.counted,
    ciState: ciStateBy({
      readChecks: (commit, gate) => readChecks(api, commit, gate),
      // GitLab requires whole pipelines, and no jobs by name.
      readRequired: async () => null,
      clockAhead: api.clockAhead,
    }),
    // GitLab takes any name with a token; the header keeps the token out of the URL.
    cloneSource: async (repo) => ({
      url: repoUrl(cloneUrl, repo, ".git"),
      authorization: token === null ? null : basicAuth("oauth2", token),
    }),
    report: (commit, report, history) => reporter.report(commit, report, history),
    appendsReports: true,
    // Only the stage is used: a job that waits is not posted.
    showsDetails: true,
    webhooks: gitlabWebhooks(api, { key, token, proof }),
  };
}
