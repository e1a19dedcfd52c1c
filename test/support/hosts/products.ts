import assert from "node:assert/strict";
import { type HostedRepo, type SampleRepo, sampleRepo } from "../fixtures/sample-repo.ts";
import { startBitbucketCloud } from "./bitbucket/cloud/cloud.ts";
import { startBitbucketDataCenter } from "./bitbucket/data-center/data-center.ts";
import { GenericStandIn } from "./generic/generic.ts";
import { startGitea } from "./gitea/gitea.ts";
import { testKeys } from "./github/app.ts";
import { startGitHub } from "./github/github.ts";
import { startGitLab } from "./gitlab/gitlab.ts";

/** A webhook that a host sent, and the status that it was answered with. */
export interface Told {
  event: string;
  /** 0: no answer. */
  status: number;
}

/** What a commit bears of deliverd, in the host's words. */
export interface ShownReport {
  state: string;
  description: string;
}

/** A repo of the host with a work tree beside it. */
export type ProductRepo = SampleRepo<HostedRepo, Told>;

/** The stand-in of a product, as far as the demo and the counts of API calls know hosts. */
export interface RunningProduct {
  /** An entry of `hosts`. */
  settings: Record<string, unknown>;
  /** The owner of `createRepo`. */
  owner: string;
  createRepo(name: string): Promise<ProductRepo>;
  /** The ref was pushed in the bare repo. */
  push(repo: ProductRepo, ref: string): Promise<Told[]>;
  /** From now on it talks to this deliverd. @param key under `hosts` */
  connect(deliverdUrl: string, key: string): void;
  /** The check passes. @returns what was sent of it */
  pass(repo: ProductRepo, sha: string, check: string): Promise<Told[]>;
  /** The newest report under a context. */
  reportOn(repo: ProductRepo, sha: string, context: string): ShownReport | null;
  /** The state of a report on a release. */
  success: string;
  /** The API calls that count against the host's limit, the oldest first. */
  calls(): string[];
  forgetCalls(): void;
  /** What deliverd sent that the host does not take. */
  violations(): string[];
  close(): Promise<void>;
}

export interface Product {
  /** The key under `hosts`, and what the demo's `--host` takes. */
  key: string;
  title: string;
  /** What is stood in for, beside webhooks and git. */
  standsInFor: string;
  /** The most API calls for one delivery, from its webhook to its release. */
  maxCalls: number;
  /** False: no webhook says that CI has ended. */
  tellsCi: boolean;
  start(): Promise<RunningProduct>;
}

const SECRET = "a webhook secret of products";

interface Hooked {
  event: string;
  answer: { status: number } | null;
}

interface StandIn<R extends HostedRepo> {
  createRepo(wanted: { owner: string; name: string }): Promise<R>;
  push(repo: HostedRepo, ref: string): Promise<Hooked[]>;
  close(): Promise<void>;
}

interface Call {
  method: string;
  path: string;
  status: number | null;
}

function told({ event, answer }: Hooked): Told {
  return { event, status: answer?.status ?? 0 };
}

/** What every stand-in has in common. */
function common<R extends HostedRepo>(
  standIn: StandIn<R>,
  facts: { owner: string; requests: Call[]; violations: string[]; hooks: Hooked[] },
) {
  const push = async (repo: HostedRepo, ref: string) => (await standIn.push(repo, ref)).map(told);
  return {
    owner: facts.owner,
    createRepo: (name: string): Promise<ProductRepo> =>
      sampleRepo<HostedRepo, Told>(
        { createRepo: (wanted) => standIn.createRepo(wanted), push },
        { owner: facts.owner, name },
      ),
    push: ({ repo }: ProductRepo, ref: string) => push(repo, ref),
    calls: () => facts.requests.map(({ method, path }) => `${method} ${path}`),
    forgetCalls: () => void facts.requests.splice(0),
    violations: () => facts.violations,
    close: () => standIn.close(),
    /** Webhooks that were sent and answered while `work` ran. Of a report that deliverd sends meanwhile, others may be under way. */
    async toldDuring(work: () => Promise<unknown>): Promise<Told[]> {
      const before = facts.hooks.length;
      await work();
      return facts.hooks.slice(before).flatMap((hook) => (hook.answer === null ? [] : [told(hook)]));
    },
  };
}

function shown(report: { state: string; description: string | null } | undefined): ShownReport | null {
  return report === undefined ? null : { state: report.state, description: report.description ?? "" };
}

async function gitHub(): Promise<RunningProduct> {
  const github = await startGitHub();
  const { apiUrl, cloneUrl, token, requests, violations, hooks } = github;
  return {
    ...common(github, { owner: "acme", requests, violations, hooks }),
    settings: { type: "github", apiUrl, cloneUrl, token, webhookSecret: SECRET },
    connect: (url, key) => github.sendHooksTo(`${url}/webhooks/${key}`, SECRET),
    // A conditional request whose answer has not changed is free:
    // https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests
    calls: () => requests.filter(({ status }) => status !== 304).map(({ method, path }) => `${method} ${path}`),
    pass: async ({ repo }, sha, check) => (await github.green(repo, sha, { check })).map(told),
    reportOn: ({ repo }, sha, context) => shown(github.lastStatus(repo, sha, context)),
    success: "success",
  };
}

async function gitHubApp(): Promise<RunningProduct> {
  const github = await startGitHub();
  const { apiUrl, cloneUrl, requests, violations, hooks } = github;
  const { id } = github.createApp();
  github.installApp("acme");
  const app = { id, privateKey: testKeys.pkcs1 };
  return {
    ...common(github, { owner: "acme", requests, violations, hooks }),
    settings: { type: "github", apiUrl, cloneUrl, app, webhookSecret: SECRET },
    connect: (url, key) => github.sendAppHooksTo(`${url}/webhooks/${key}`, SECRET),
    // Calls by the App itself, for its tokens, have a limit of their own.
    calls: () =>
      requests
        .filter(({ as, status }) => as === "installation" && status !== 304)
        .map(({ method, path }) => `${method} ${path}`),
    pass: async ({ repo }, sha, check) => (await github.green(repo, sha, { check })).map(told),
    reportOn({ repo }, sha, context) {
      const run = github.checkRunsOf(repo, sha, context).at(-1);
      return run === undefined
        ? null
        : { state: run.conclusion ?? run.status, description: run.shown?.title ?? run.name };
    },
    success: "success",
  };
}

async function gitLab(): Promise<RunningProduct> {
  const gitlab = await startGitLab();
  const { url, cloneUrl, token, requests, violations, hooks } = gitlab;
  const parts = common(gitlab, { owner: "acme", requests, violations, hooks });
  return {
    ...parts,
    settings: { type: "gitlab", url, cloneUrl, token, webhookSecret: SECRET },
    connect: (to, key) => void gitlab.sendHooksTo(`${to}/webhooks/${key}`, { token: SECRET }),
    pass: ({ repo }, sha, check) => parts.toldDuring(() => gitlab.setJob(repo, sha, check, "success")),
    reportOn({ repo }, sha, context) {
      const job = gitlab.jobsOf(repo, sha, context).at(-1);
      return job === undefined ? null : { state: job.status, description: job.description ?? "" };
    },
    success: "success",
  };
}

async function gitea(): Promise<RunningProduct> {
  const standIn = await startGitea();
  const { url, cloneUrl, token, requests, violations, hooks } = standIn;
  const parts = common(standIn, { owner: "acme", requests, violations, hooks });
  return {
    ...parts,
    settings: { type: "gitea", url, cloneUrl, token, webhookSecret: SECRET },
    connect: (to, key) => standIn.sendHooksTo(`${to}/webhooks/${key}`, SECRET),
    pass: ({ repo }, sha, check) => parts.toldDuring(() => standIn.setStatus(repo, sha, check, "success")),
    reportOn: ({ repo }, sha, context) => shown(standIn.statusesOf(repo, sha, context).at(-1)),
    success: "success",
  };
}

async function bitbucketCloud(): Promise<RunningProduct> {
  const email = "sam@example.com";
  const cloud = await startBitbucketCloud({ kind: "api", email, token: "ATATT=products+canary" });
  const { apiUrl, cloneUrl, login, front, hooks } = cloud;
  const parts = common(cloud, { owner: "acme", requests: front.requests, violations: front.violations, hooks });
  return {
    ...parts,
    settings: { type: "bitbucket", apiUrl, cloneUrl, username: email, token: login.token, webhookSecret: SECRET },
    connect: (to, key) => cloud.sendHooksTo(`${to}/webhooks/${key}`, SECRET),
    pass: ({ repo }, sha, check) =>
      parts.toldDuring(() => cloud.setStatus(repo, sha, { name: check, state: "SUCCESSFUL" })),
    reportOn: ({ repo }, sha, context) => shown(cloud.statusesOf(repo, sha).find(({ name }) => name === context)),
    success: "SUCCESSFUL",
  };
}

async function bitbucketDataCenter(): Promise<RunningProduct> {
  const dataCenter = await startBitbucketDataCenter({ username: null, token: "BBDC+products/canary" });
  const { url, cloneUrl, login, front, hooks } = dataCenter;
  return {
    ...common(dataCenter, { owner: "ACME", requests: front.requests, violations: front.violations, hooks }),
    settings: { type: "bitbucket", url, cloneUrl, token: login.token, webhookSecret: SECRET },
    connect: (to, key) => dataCenter.sendHooksTo(`${to}/webhooks/${key}`, SECRET),
    async pass({ repo }, sha, check) {
      dataCenter.setBuild(repo, sha, { name: check, state: "SUCCESSFUL" });
      return [];
    },
    reportOn: ({ repo }, sha, context) => shown(dataCenter.buildsOf(repo, sha).find(({ key }) => key === context)),
    success: "SUCCESSFUL",
  };
}

async function generic(): Promise<RunningProduct> {
  const server = await GenericStandIn.start();
  const { cloneUrl, username, token, secret, reportUrl, violations } = server;
  const sent = ({ body, status }: { body: Record<string, unknown>; status: number }): Hooked => ({
    event: String(body.type ?? "results of CI"),
    answer: { status },
  });
  const standIn = {
    createRepo: (wanted: { owner: string; name: string }) => server.createRepo(wanted),
    push: async (repo: HostedRepo, ref: string) => (await server.push(repo, ref)).map(sent),
    close: () => server.close(),
  };
  return {
    // It has no API.
    ...common(standIn, { owner: "acme", requests: [], violations, hooks: [] }),
    settings: { type: "generic", cloneUrl, username, token, webhookSecret: secret, reportUrl },
    connect(url, key) {
      server.sendHooksTo(`${url}/webhooks/${key}`);
      server.ciUrl = `${url}/api/v1/ci`;
    },
    async pass({ repo }, sha, check) {
      await server.setCheck(repo, sha, check, "success");
      const last = server.sent.at(-1) ?? assert.fail("CI sent nothing");
      return [told(sent(last))];
    },
    reportOn: (_repo, sha, context) =>
      shown(server.reports.findLast((each) => each.sha === sha && each.context === context)),
    success: "success",
  };
}

const usual = { standsInFor: "its REST API", maxCalls: 12, tellsCi: true };

/** Every product that a type of host is for. A new one is a line here. */
export const products: readonly Product[] = [
  { ...usual, key: "github", title: "GitHub", start: gitHub },
  { ...usual, key: "github-app", title: "GitHub App", maxCalls: 9, start: gitHubApp },
  { ...usual, key: "gitlab", title: "GitLab", start: gitLab },
  { ...usual, key: "gitea", title: "Gitea", start: gitea },
  { ...usual, key: "bitbucket", title: "Bitbucket Cloud", start: bitbucketCloud },
  {
    ...usual,
    key: "bitbucket-data-center",
    title: "Bitbucket Data Center",
    tellsCi: false,
    start: bitbucketDataCenter,
  },
  {
    key: "generic",
    title: "Git server",
    standsInFor: "CI that sends its results",
    maxCalls: 0,
    tellsCi: true,
    start: generic,
  },
];
