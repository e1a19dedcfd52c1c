import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { revParse } from "../git.ts";
import { type GitServer, startGitServer } from "../git-server.ts";
import type { AppHouse, Installation, NewApp, StandInApp } from "./app.ts";
import { addSuite, type Making, type NewCheckRun, type NewSuite, putCheckRun } from "./checks.ts";
import { type HookAnswer, type HookDelivery, newHook, sendHook, sendTo, subscribes } from "./hooks.ts";
import type { JsonObject } from "./json.ts";
import { isContext } from "./operations.ts";
import { payloadOf, type WebhookEvent, type WebhookFacts, zero } from "./payloads.ts";
import { type Api, type Fault, startApi } from "./server.ts";
import {
  type App,
  actions,
  type CheckRun,
  type CheckSuite,
  type CommitChecks,
  type Hook,
  type HookRights,
  type NewRepo,
  type Protection,
  type Repo,
  type RepoName,
  type RunConclusion,
  State,
  type Status,
  type StatusState,
} from "./state.ts";

export type { GitServer, HookAnswer, HookDelivery, JsonObject, NewCheckRun, NewRepo, Repo, RepoName, Status };

export interface GitHubOptions {
  /** The token that the daemon is given. Left out: `ghs_standin`. */
  token?: string;
  /** ms since the epoch. */
  now?: () => number;
}

/** A GitHub of one's own: REST API, webhooks and git over HTTP on 127.0.0.1. It shares no code with what it tests. */
export class GitHubStandIn {
  readonly token: string;
  readonly git: GitServer;
  /** Webhooks sent or lost, oldest first. */
  readonly hooks: HookDelivery[] = [];
  /** True: webhooks are kept in `hooks`, but not sent. `redeliver` sends them later. */
  webhooksOff = false;
  readonly #api: Api;
  readonly #state: State;
  readonly #now: () => number;
  readonly #sending = new Set<Promise<unknown>>();

  private constructor(parts: { token: string; git: GitServer; api: Api; state: State; now: () => number }) {
    this.token = parts.token;
    this.git = parts.git;
    this.#api = parts.api;
    this.#state = parts.state;
    this.#now = parts.now;
  }

  static async start(options: GitHubOptions): Promise<GitHubStandIn> {
    const token = options.token ?? "ghs_standin";
    const now = options.now ?? Date.now;
    const state = new State(await mkdtemp(join(tmpdir(), "dd-github-")), token, now);
    const git = await startGitServer(state.root, { lookup: (...asked) => state.lookup(...asked) });
    const api = await startApi({
      state,
      now,
      // As on GitHub, a status that the daemon itself sets comes back to it as a webhook.
      onStatus: (repo, sha, status) =>
        standIn.#later(standIn.#announce("status", repo, { sha, context: status.context })),
      onPing: (repo, hook) => standIn.#later(standIn.#ping(repo, hook)),
      onCheckRun: (repo, sha, { name, app, id }, action) =>
        standIn.#later(standIn.#announce("check_run", repo, { sha, name, app, id, action })),
    });
    const standIn = new GitHubStandIn({ token, git, api, state, now });
    return standIn;
  }

  /** For `apiUrl` of the host's configuration. */
  get apiUrl(): string {
    return this.#api.url;
  }

  /** For `cloneUrl` of the host's configuration. */
  get cloneUrl(): string {
    return this.git.cloneUrl;
  }

  /** Every request and answer that was not as GitHub describes it. A test ends by asserting that this is empty. */
  get violations(): string[] {
    return this.#api.violations;
  }

  get requests(): Api["requests"] {
    return this.#api.requests;
  }

  get rateLimit(): Api["rateLimit"] {
    return this.#api.rateLimit;
  }

  /** Lets the next matching API requests fail. */
  fail(fault: Fault): void {
    this.#api.faults.push({ ...fault });
  }

  /** The faults that no request has met yet are no more. */
  forgetFaults(): void {
    this.#api.faults.splice(0);
  }

  /** Spoils answers before they are checked: only to show that they are. */
  spoilAnswers(spoil: Api["spoil"]): void {
    this.#api.spoil = spoil;
  }

  createRepo(repo: NewRepo): Promise<Repo> {
    return this.#state.createRepo(repo);
  }

  /** The old name leads to the new one, in the API and for clones, until another repo takes it. The `Repo` changes with it. */
  async renameRepo(repo: RepoName, to: Partial<RepoName>): Promise<void> {
    const own = this.#state.get(repo);
    const from = own.name;
    await this.#state.renameRepo(own, to);
    // A webhook of a repo is mostly not registered for it; an App is.
    if (this.#state.apps.app !== null) await this.#announce("repository", own, { action: "renamed", from });
  }

  setStatus(
    repo: RepoName,
    sha: string,
    status: { context: string; state: StatusState; description?: string; by?: App },
  ): Status {
    const one: Status = {
      id: this.#state.nextId(),
      context: status.context,
      state: status.state,
      description: status.description ?? null,
      targetUrl: null,
      createdAt: this.#time(),
      by: status.by ?? null,
    };
    this.#checks(repo, sha).statuses.push(one);
    return one;
  }

  setCheckRun(repo: RepoName, sha: string, run: NewCheckRun): CheckRun {
    return putCheckRun(this.#checks(repo, sha), run, this.#making(repo));
  }

  /** A suite without runs: of Actions, as GitHub makes one for each run of a workflow, unless an app is given. */
  addSuite(repo: RepoName, sha: string, suite: NewSuite = {}): CheckSuite {
    return addSuite(this.#checks(repo, sha), suite, this.#making(repo));
  }

  /** A suite without runs, as GitHub makes one for every app that might check the commit. */
  addEmptySuite(repo: RepoName, sha: string, app: App = { id: 29310, slug: "idle-app" }): CheckSuite {
    return this.addSuite(repo, sha, { app });
  }

  /**
   * `required`: names of checks, of whichever app. `also`: further rules of the ruleset. Without `tells`, the host answers
   * 403 when it is asked for them.
   */
  protectBranch(
    repo: RepoName,
    branch: string,
    rule: { required: string[]; appId?: number; also?: JsonObject[]; via?: Protection["via"]; tells?: boolean },
  ): void {
    const required = rule.required.map((context) => ({ context, appId: rule.appId ?? null }));
    const protection: Protection = { also: [], via: "protection", tells: true, ...rule, required };
    this.#state.get(repo).protections.set(branch, protection);
  }

  /** All statuses of a commit, oldest first: those set by the test and those set through the API. */
  statusesOf(repo: RepoName, sha: string): Status[] {
    return this.#checks(repo, sha).statuses;
  }

  lastStatus(repo: RepoName, sha: string, context: string): Status | undefined {
    return this.statusesOf(repo, sha).findLast((one) => isContext(one, context));
  }

  /** Where webhooks go from now on: every organisation has this webhook. */
  sendHooksTo(url: string, secret: string): void {
    this.#state.everywhere = newHook(this.#state.nextId(), this.#time(), { url, secret });
  }

  /** The webhooks that are registered on a repo, to be looked at and changed. */
  hooksOf(repo: RepoName): Hook[] {
    return this.#state.get(repo).hooks;
  }

  /** Registers a webhook on a repo behind the API's back. Left out: what deliverd wants, for every event. */
  addHook(repo: RepoName, more: Parameters<typeof newHook>[2]): Hook {
    const hook = newHook(this.#state.nextId(), this.#time(), more);
    this.hooksOf(repo).push(hook);
    return hook;
  }

  /** The GitHub App that deliverd may be. There is one at most. */
  createApp(wanted: NewApp = {}): StandInApp {
    return this.#state.apps.create(wanted, () => this.#state.nextId(), this.#time());
  }

  get apps(): AppHouse {
    return this.#state.apps;
  }

  /** @param repos left out: all repos of the owner */
  installApp(owner: string, more: { repos?: Repo[]; ownerType?: Installation["ownerType"] } = {}): Installation {
    const { app, installations } = this.#state.apps;
    if (app === null) throw new Error("there is no App: call createApp first");
    const installation: Installation = {
      id: this.#state.nextId(),
      owner,
      ownerType: more.ownerType ?? "Organization",
      repoIds: more.repos?.map(({ id }) => id) ?? null,
      permissions: { ...app.permissions },
      suspendedAt: null,
      createdAt: this.#time(),
      rateLimit: { limit: 5_000, used: 0, resetAt: this.#now() + 3_600_000 },
    };
    installations.push(installation);
    return installation;
  }

  uninstallApp(installation: Installation): void {
    const { installations } = this.#state.apps;
    installations.splice(installations.indexOf(installation), 1);
    for (const [text, token] of this.#state.apps.tokens)
      if (token.installation === installation) this.#state.apps.tokens.delete(text);
  }

  /** Where the App's webhooks go from now on. No organisation has a webhook of its own beside it. */
  sendAppHooksTo(url: string, secret: string): void {
    const { app } = this.#state.apps;
    if (app === null) throw new Error("there is no App: call createApp first");
    this.#state.everywhere = null;
    Object.assign(app.hook.config, { url, secret });
    app.hook.events = ["*"];
  }

  /** All that is known of a commit's CI, to be looked at and changed. */
  checksOf(repo: RepoName, sha: string): CommitChecks {
    return this.#checks(repo, sha);
  }

  /** What the App says of a commit under a name, oldest first: each run as it is now. */
  checkRunsOf(repo: RepoName, sha: string, name: string): CheckRun[] {
    const { app } = this.#state.apps;
    return this.#checks(repo, sha).runs.filter((run) => run.name === name && run.app.id === app?.id);
  }

  /** A person presses "Re-run" of the newest run, or one of its buttons. */
  async press(repo: RepoName, sha: string, name: string, by: string, button?: string): Promise<HookDelivery> {
    const run = this.checkRunsOf(repo, sha, name).at(-1);
    if (run === undefined) throw new Error(`the App has no check run ${name} on ${sha}`);
    if (button !== undefined && !run.shown?.actions.some(({ identifier }) => identifier === button)) {
      throw new Error(`the check run ${name} has no button ${button}`);
    }
    const action = button === undefined ? "rerequested" : "requested_action";
    const facts = { sha, name, app: run.app, id: run.id, action, by } as const;
    return this.#announce("check_run", this.#state.get(repo), button === undefined ? facts : { ...facts, button });
  }

  /** A person presses "Re-run all checks" of the App's suite. */
  pressSuite(repo: RepoName, sha: string, by: string): Promise<HookDelivery> {
    const { app } = this.#state.apps;
    if (app === null) throw new Error("there is no App: call createApp first");
    const facts = { sha, app: { id: app.id, slug: app.slug }, action: "rerequested", by } as const;
    return this.#announce("check_suite", this.#state.get(repo), facts);
  }

  /** What a person may do in a repo; a stranger has no answer. */
  setPermission(repo: RepoName, login: string, permission: "admin" | "write" | "read" | "none"): void {
    this.#state.get(repo).collaborators.set(login.toLowerCase(), permission);
  }

  /** A person sends the form of a manifest, and agrees. @returns where GitHub leads: the address of the page, with its code */
  submitManifest(action: string, manifest: string): URL {
    const { redirect_url, ...rest } = JSON.parse(manifest) as Record<string, unknown>;
    const code = randomUUID().replaceAll("-", "");
    this.#state.apps.manifests.set(code, rest);
    const back = new URL(String(redirect_url));
    back.searchParams.set("code", code);
    back.searchParams.set("state", new URL(action).searchParams.get("state") ?? "");
    return back;
  }

  /** What the token may do with webhooks from now on. */
  limitHookRights(rights: HookRights): void {
    this.#state.hookRights.set(this.token, rights);
  }

  /** A full payload about what git and the stand-in hold. A test may change it before it sends it. */
  webhook<E extends WebhookEvent>(event: E, repo: RepoName, facts: WebhookFacts[E]): Promise<JsonObject> {
    return payloadOf(event, this.#state.get(repo), facts, this.#state);
  }

  /** Signs and sends, whatever `webhooksOff` and `sendHooksTo` say. */
  async send(
    url: string,
    secret: string,
    event: string,
    payload: JsonObject,
    more: { deliveryId?: string } = {},
  ): Promise<HookAnswer> {
    const delivery: HookDelivery = { id: more.deliveryId ?? randomUUID(), event, payload, answer: null };
    this.hooks.push(delivery);
    delivery.answer = await sendHook(url, secret, delivery);
    return delivery.answer;
  }

  /** Sends once more under the same id, as an administrator can on GitHub. */
  async redeliver(delivery: HookDelivery): Promise<HookAnswer> {
    if (this.#state.everywhere === null) throw new Error("nobody to send webhooks to: call sendHooksTo first");
    delivery.answer = await this.#sendTo(this.#state.everywhere, delivery);
    return delivery.answer;
  }

  /** Tells of a ref that was pushed, moved or deleted in the bare repo since it was last told: `create` for a new one, then `push`. */
  async push(repo: RepoName, ref: string): Promise<HookDelivery[]> {
    const own = this.#state.get(repo);
    const before = own.announced.get(ref) ?? zero;
    const after = (await revParse(own.directory, ref)) ?? zero;
    if (before === after) throw new Error(`${ref} of ${own.owner}/${own.name} has not moved since it was last told`);
    const push = await payloadOf("push", own, { ref, before, after }, this.#state);
    if (after === zero) own.announced.delete(ref);
    else own.announced.set(ref, after);
    const created = before === zero ? [await this.#announce("create", own, { ref })] : [];
    const pushed = await this.#deliver("push", own, push);
    return [...created, pushed, ...(await this.#requestSuite(own, after))];
  }

  /** CI passes: a check run (and a status, where a context is given), with every webhook that GitHub sends of it. */
  green(repo: RepoName, sha: string, ci: { check?: string; status?: string } = {}): Promise<HookDelivery[]> {
    return this.#ciEnds(repo, sha, ci, "success");
  }

  red(repo: RepoName, sha: string, ci: { check?: string; status?: string } = {}): Promise<HookDelivery[]> {
    return this.#ciEnds(repo, sha, ci, "failure");
  }

  /** Waits for webhooks under way and for the servers to end; nothing is left on disk. */
  async close(): Promise<void> {
    this.webhooksOff = true;
    await Promise.allSettled(this.#sending);
    await Promise.all([this.#api.close(), this.git.close()]);
    await rm(this.#state.root, { recursive: true, force: true });
  }

  async #ciEnds(
    name: RepoName,
    sha: string,
    ci: { check?: string; status?: string },
    conclusion: "success" | "failure",
  ): Promise<HookDelivery[]> {
    const repo = this.#state.get(name);
    const check = ci.check ?? (ci.status === undefined ? "test" : null);
    const sent: HookDelivery[] = [];
    if (check !== null) {
      this.setCheckRun(repo, sha, { name: check, conclusion });
      sent.push(await this.#announce("check_run", repo, { sha, name: check }));
      const unfinished = this.#checks(repo, sha).runs.some(
        (run) => run.app.id === actions.id && run.status !== "completed",
      );
      if (!unfinished) {
        sent.push(await this.#announce("check_suite", repo, { sha }));
        sent.push(await this.#announce("workflow_run", repo, { sha, conclusion: conclusion satisfies RunConclusion }));
      }
    }
    if (ci.status !== undefined) {
      this.setStatus(repo, sha, { context: ci.status, state: conclusion });
      sent.push(await this.#announce("status", repo, { sha, context: ci.status }));
    }
    return sent;
  }

  /** At a push GitHub makes a suite for each App that may write checks, and asks the App alone to fill it. */
  async #requestSuite(repo: Repo, after: string): Promise<HookDelivery[]> {
    const { app } = this.#state.apps;
    const commit = after === zero ? null : await revParse(repo.directory, `${after}^{commit}`);
    if (app === null || commit === null || this.#state.apps.of(repo)?.permissions.checks !== "write") return [];
    const own = { id: app.id, slug: app.slug };
    if (this.#checks(repo, commit).suites.some((suite) => suite.app.id === app.id)) return [];
    this.addSuite(repo, commit, { app: own });
    return [await this.#announce("check_suite", repo, { sha: commit, app: own, action: "requested" })];
  }

  async #announce<E extends WebhookEvent>(event: E, repo: Repo, facts: WebhookFacts[E]): Promise<HookDelivery> {
    return this.#deliver(event, repo, await payloadOf(event, repo, facts, this.#state));
  }

  async #deliver(event: WebhookEvent, repo: Repo, payload: JsonObject): Promise<HookDelivery> {
    const delivery: HookDelivery = { id: randomUUID(), event, payload, answer: null };
    this.hooks.push(delivery);
    if (this.webhooksOff) return delivery;
    const { everywhere } = this.#state;
    for (const hook of everywhere === null ? repo.hooks : [everywhere, ...repo.hooks]) {
      if (subscribes(hook, event) && !isForAppOnly(event, payload))
        delivery.answer = await this.#sendTo(hook, delivery);
    }
    await this.#sendToApp(repo, delivery);
    return delivery;
  }

  /** An App hears of the repos where it is installed; what is lost stands in its list of deliveries. */
  async #sendToApp(repo: Repo, delivery: HookDelivery): Promise<void> {
    const { app } = this.#state.apps;
    const installation = this.#state.apps.of(repo);
    if (app === null || installation === null || installation.suspendedAt !== null) return;
    const { hook } = app;
    if (hook.config.url === "" || !subscribes(hook, delivery.event)) return;
    delivery.payload = { ...delivery.payload, installation: { id: installation.id, node_id: "I_1" } };
    delivery.answer = await this.#sendTo(hook, delivery);
  }

  async #ping(repo: Repo, hook: Hook): Promise<void> {
    const payload = await payloadOf("ping", repo, {}, this.#state);
    await this.#sendTo(hook, { id: randomUUID(), event: "ping", payload });
  }

  #sendTo(hook: Hook, delivery: Pick<HookDelivery, "id" | "event" | "payload">): Promise<HookAnswer> {
    return sendTo(hook, delivery, { id: this.#state.nextId(), at: this.#time() });
  }

  #later(work: Promise<unknown>): void {
    const tracked = work
      .catch((error: unknown) => this.violations.push(String(error)))
      .finally(() => this.#sending.delete(tracked));
    this.#sending.add(tracked);
  }

  #checks(repo: RepoName, sha: string) {
    return this.#state.checksOf(this.#state.get(repo), sha);
  }

  #making(repo: RepoName): Making {
    return { nextId: () => this.#state.nextId(), now: this.#time(), branch: this.#state.get(repo).defaultBranch };
  }

  #time(): string {
    return new Date(this.#now()).toISOString().replace(/\.\d+Z$/, "Z");
  }
}

/** What only the App of a check hears. */
function isForAppOnly(event: string, { action }: JsonObject): boolean {
  return event.startsWith("check_") && ["requested", "rerequested", "requested_action"].includes(String(action));
}

export function startGitHub(options: GitHubOptions = {}): Promise<GitHubStandIn> {
  return GitHubStandIn.start(options);
}
