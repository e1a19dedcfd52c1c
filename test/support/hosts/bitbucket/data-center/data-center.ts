import { rm } from "node:fs/promises";
import { type GitServer, startGitServer } from "../../git-server.ts";
import { BareRepos, type Name, noticeChange } from "../bare-repos.ts";
import { type Answer, type Call, type Fault, Front } from "../front.ts";
import { type Hook, type HookDelivery, newHook, sendHook } from "../hooks.ts";
import type { Backend } from "./backend.ts";
import { modifiedPayload, refsChangedPayload } from "./payloads.ts";
import { answerTo, setBuild } from "./routes.ts";
import { type Build, HOOK_EVENTS, type Repository, refusal, WRONG_LOGIN } from "./state.ts";

export type { HookDelivery } from "../hooks.ts";
export type { Build, Repository } from "./state.ts";

/** The user that an HTTP access token belongs to. Null: it is a repo's or a project's, and git gets it alone. */
export interface Login {
  username: string | null;
  token: string;
}

/** A bucket of requests. */
export interface Bucket {
  size: number;
  remaining: number;
  fillRate: number;
  /** s */
  interval: number;
}

/**
 * Bitbucket Data Center's REST API, webhooks and git over HTTP, as far as a delivery daemon needs them. It says nothing
 * of builds by webhook.
 */
export class BitbucketDataCenterStandIn {
  readonly front: Front;
  readonly hooks: HookDelivery[] = [];
  readonly backend: Backend;
  readonly login: Login;
  readonly #repos: BareRepos<Repository>;
  readonly #git: GitServer;
  #everywhere: Hook | null = null;
  #lastId = 40;
  /** Null: nobody has switched the limit on, and there are no headers of it. */
  bucket: Bucket | null = null;

  private constructor(login: Login, repos: BareRepos<Repository>, front: Front, gitServer: GitServer) {
    this.login = login;
    this.front = front;
    this.#repos = repos;
    this.#git = gitServer;
    this.backend = {
      ...{ repos, projectHooks: new Map(), isAdmin: true, mayRead: true, isNew: true },
      url: () => this.url,
      nextId: () => ++this.#lastId,
      onTest: (url, id) => this.#test(url, id),
    };
    front.answer = (call) => this.#answer(call);
    front.limitHeaders = () => this.#limitHeaders();
  }

  static async start(
    login: Login = { username: "sam", token: "BBDC-stand-in+canary0123456789/Ax" },
  ): Promise<BitbucketDataCenterStandIn> {
    const repos = await BareRepos.open<Repository>();
    const gitServer = await startGitServer(repos.root, {
      takesBearer: true,
      lookup(path, name, credentials) {
        if (credentials?.username !== (login.username ?? "") || credentials.password !== login.token)
          return { refuse: 401 };
        // The key of a project is in lower case here.
        const repo = repos.all.find((one) => path === `scm/${one.owner.toLowerCase()}` && one.name === name);
        return repo === undefined ? { refuse: 404 } : { directory: repo.directory };
      },
    });
    return new BitbucketDataCenterStandIn(login, repos, await Front.start(refusal), gitServer);
  }

  get url(): string {
    return this.front.url;
  }

  /** git is behind another port here. */
  get cloneUrl(): string {
    return `${this.#git.cloneUrl}/scm`;
  }

  createRepo(wanted: { owner: string; name: string; defaultBranch?: string }): Promise<Repository> {
    return this.#repos.create(String(this.backend.nextId()), wanted, { builds: new Map(), required: [] });
  }

  /** The webhook tells it; the old name leads nowhere. */
  async rename(name: Name, to: Partial<Name>): Promise<void> {
    const repo = this.#repos.get(name);
    const old = { ...repo };
    Object.assign(repo, to);
    await this.#deliver(repo, "repo:modified", modifiedPayload(this.url, old, repo));
  }

  /** Every repo has this webhook, for all events. */
  sendHooksTo(url: string, secret: string): void {
    this.#everywhere = newHook(String(this.backend.nextId()), url, { secret, events: new Set(HOOK_EVENTS) });
  }

  hooksOf(name: Name): Hook[] {
    return this.#repos.get(name).hooks;
  }

  addHook(name: Name, url: string, more: Partial<Hook> = {}): Hook {
    const hook = this.#newHook(url, more);
    this.hooksOf(name).push(hook);
    return hook;
  }

  addProjectHook(project: string, url: string, more: Partial<Hook> = {}): void {
    const hooks = this.backend.projectHooks.get(project) ?? [];
    this.backend.projectHooks.set(project, [...hooks, this.#newHook(url, more)]);
  }

  #newHook(url: string, more: Partial<Hook>): Hook {
    const facts = { name: "deliverd", secret: "s3cret", events: new Set(HOOK_EVENTS), ...more };
    return newHook(String(this.backend.nextId()), url, facts);
  }

  requireBuilds(name: Name, type: string, id: string, buildParentKeys: string[]): void {
    const required = { id: this.backend.nextId(), buildParentKeys, refMatcher: { id, type: { id: type } } };
    this.#repos.get(name).required.push(required);
  }

  fail(fault: Fault): void {
    this.front.fail(fault);
  }

  /** These refs were pushed, moved or deleted in the bare repo by one push. */
  async push(name: Name, refs: string | string[]): Promise<HookDelivery[]> {
    const repo = this.#repos.get(name);
    const changes = await Promise.all([refs].flat().map((ref) => noticeChange(repo, ref)));
    return [await this.#deliver(repo, "repo:refs_changed", refsChangedPayload(this.url, repo, changes))];
  }

  /** A build of CI gets this state: its key is its name, unless another one is given. No webhook tells it. */
  setBuild(name: Name, sha: string, wanted: Partial<Build> & { name: string; state: string }): void {
    const rest = { key: wanted.name, url: "https://ci.example.com/1", description: "", parent: null, ref: null };
    setBuild(this.#repos.get(name), sha, { ...rest, ...wanted });
  }

  buildsOf(name: Name, sha: string): Build[] {
    return this.#repos.get(name).builds.get(sha) ?? [];
  }

  /** Nothing is left on disk. */
  async close(): Promise<void> {
    await Promise.all([this.front.close(), this.#git.close()]);
    await rm(this.#repos.root, { recursive: true, force: true });
  }

  async #deliver(repo: Repository, event: string, payload: Record<string, unknown>): Promise<HookDelivery> {
    const delivery: HookDelivery = { event, payload, answer: null };
    this.hooks.push(delivery);
    const hooks = [...(this.#everywhere === null ? [] : [this.#everywhere]), ...repo.hooks];
    for (const hook of hooks.filter(({ isActive, events }) => isActive && events.has(event)))
      await sendHook(RULES, hook, delivery);
    return delivery;
  }

  /** A ping, signed where it is for a webhook that is known. */
  async #test(url: string, webhookId: string | null): Promise<Answer> {
    const known = this.#repos.all.flatMap(({ hooks }) => hooks).find(({ id }) => id === webhookId);
    const delivery: HookDelivery = { event: "diagnostics:ping", payload: { test: true }, answer: null };
    await sendHook(RULES, newHook("0", url, { secret: known?.secret ?? null }), delivery);
    return { status: 200, body: { request: { url, method: "POST" }, response: delivery.answer } };
  }

  #answer(call: Call): Answer | Promise<Answer> {
    if (call.authorization !== `Bearer ${this.login.token}`) return WRONG_LOGIN;
    if (this.bucket !== null && --this.bucket.remaining < 0) {
      this.bucket.remaining = 0;
      const wait = { "retry-after": String(this.bucket.interval) };
      return { ...refusal(429, "You have exceeded the rate limit."), headers: wait };
    }
    return answerTo(this.backend, call);
  }

  #limitHeaders(): Record<string, string> {
    if (this.bucket === null) return {};
    const { size, remaining, fillRate, interval } = this.bucket;
    return {
      "x-ratelimit-limit": String(size),
      "x-ratelimit-remaining": String(remaining),
      "x-ratelimit-interval-seconds": String(interval),
      "x-ratelimit-fillrate": String(fillRate),
    };
  }
}

/** It does not repeat what failed. */
const RULES = {
  requestIdHeader: "x-request-id",
  attempts: 1,
  headersOf: () => ({ "user-agent": "Atlassian HttpClient / Bitbucket-9.4.0" }),
};

export function startBitbucketDataCenter(login?: Login): Promise<BitbucketDataCenterStandIn> {
  return BitbucketDataCenterStandIn.start(login);
}
