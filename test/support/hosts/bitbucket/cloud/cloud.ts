import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { type GitServer, startGitServer } from "../../git-server.ts";
import { BareRepos, type Name, noticeChange } from "../bare-repos.ts";
import { type Answer, type Call, type Fault, Front } from "../front.ts";
import { type Hook, type HookDelivery, newHook, sendHook } from "../hooks.ts";
import { pushPayload, renamePayload, statusPayload } from "./payloads.ts";
import { answerTo, type Backend, setStatus } from "./routes.ts";
import { HOOK_EVENTS, type Repository, refusal, type Status } from "./state.ts";

export type { HookDelivery } from "../hooks.ts";
export type { Repository } from "./state.ts";

/** A login by an access token, or by the API token of an account. */
export type Login = { kind: "access"; token: string } | { kind: "api"; email: string; token: string };

/** Two repeats, as Bitbucket has them. */
const HOOK_ATTEMPTS = 3;

/** Bitbucket Cloud's REST API, webhooks and git over HTTP, as far as a delivery daemon needs them. */
export class BitbucketCloudStandIn {
  readonly front: Front;
  readonly hooks: HookDelivery[] = [];
  readonly backend: Backend;
  readonly login: Login;
  readonly #repos: BareRepos<Repository>;
  readonly #git: GitServer;
  readonly #sending = new Set<Promise<unknown>>();
  #everywhere: Hook | null = null;
  /** Requests an hour. `tells`: whether answers have the headers. */
  rateLimit = { limit: 1_000, used: 0, tells: true };

  private constructor(login: Login, repos: BareRepos<Repository>, front: Front, gitServer: GitServer) {
    this.login = login;
    this.front = front;
    this.#repos = repos;
    this.#git = gitServer;
    this.backend = {
      ...{ repos, workspaceHooks: new Map(), mayManageHooks: true, mayWrite: true },
      apiUrl: () => this.apiUrl,
      cloneUrl: () => this.cloneUrl,
      nextUuid: () => randomUUID(),
      onStatus: (repo, sha, status, isNew) => this.#later(this.#tellStatus(repo, sha, status, isNew)),
    };
    front.answer = (call) => this.#answer(call);
    front.limitHeaders = () => this.#limitHeaders();
  }

  static async start(
    login: Login = { kind: "access", token: "ATCTT3xFfGN0-stand-in=canary0123" },
  ): Promise<BitbucketCloudStandIn> {
    const repos = await BareRepos.open<Repository>();
    const user = login.kind === "access" ? "x-token-auth" : "x-bitbucket-api-token-auth";
    const gitServer = await startGitServer(repos.root, {
      lookup(owner, name, credentials) {
        if (credentials?.username !== user || credentials.password !== login.token) return { refuse: 401 };
        const repo = repos.find({ owner, name });
        return repo === undefined ? { refuse: 404 } : { directory: repo.directory };
      },
    });
    const front = await Front.start(refusal);
    return new BitbucketCloudStandIn(login, repos, front, gitServer);
  }

  get apiUrl(): string {
    return `${this.front.url}/2.0`;
  }

  get cloneUrl(): string {
    return this.#git.cloneUrl;
  }

  createRepo(wanted: { owner: string; name: string; defaultBranch?: string }): Promise<Repository> {
    return this.#repos.create(randomUUID(), wanted, { statuses: new Map() });
  }

  /** Webhooks tell it; the old name leads nowhere. */
  async rename(name: Name, to: string): Promise<void> {
    const repo = this.#repos.get(name);
    const from = repo.name;
    repo.name = to;
    await this.#deliver(repo, "repo:updated", renamePayload(repo, from));
  }

  async transfer(name: Name, to: string): Promise<void> {
    const repo = this.#repos.get(name);
    repo.owner = to;
    await this.#deliver(repo, "repo:transfer", renamePayload(repo, repo.name));
  }

  /** Every repo has this webhook, for all events. */
  sendHooksTo(url: string, secret: string): void {
    this.#everywhere = newHook(randomUUID(), url, { secret, events: new Set(HOOK_EVENTS) });
  }

  hooksOf(name: Name): Hook[] {
    return this.#repos.get(name).hooks;
  }

  addHook(name: Name, url: string, more: Partial<Hook> = {}): Hook {
    const hook = newHook(randomUUID(), url, { secret: "s3cret", events: new Set(HOOK_EVENTS), ...more });
    this.hooksOf(name).push(hook);
    return hook;
  }

  addWorkspaceHook(workspace: string, url: string, more: Partial<Hook> = {}): void {
    const hook = newHook(randomUUID(), url, { secret: "s3cret", events: new Set(HOOK_EVENTS), ...more });
    this.backend.workspaceHooks.set(workspace, [...(this.backend.workspaceHooks.get(workspace) ?? []), hook]);
  }

  fail(fault: Fault): void {
    this.front.fail(fault);
  }

  /** These refs were pushed, moved or deleted in the bare repo by one push. `forgets`: as a tag from the web pages. */
  async push(name: Name, refs: string | string[], forgets = false): Promise<HookDelivery[]> {
    const repo = this.#repos.get(name);
    const changes = await Promise.all([refs].flat().map((ref) => noticeChange(repo, ref)));
    return [await this.#deliver(repo, "repo:push", pushPayload(repo, changes, forgets))];
  }

  /** A build of CI gets this state: its key is its name, unless another one is given. */
  async setStatus(name: Name, sha: string, wanted: Partial<Status> & { name: string; state: string }): Promise<void> {
    const repo = this.#repos.get(name);
    const key = wanted.key ?? wanted.name;
    const isNew = !this.statusesOf(name, sha).some((one) => one.key === key);
    const rest = { url: "https://ci.example.com/1", description: "", refname: null, ...wanted };
    await this.#tellStatus(repo, sha, setStatus(repo, sha, { ...rest, key }), isNew);
  }

  statusesOf(name: Name, sha: string): Status[] {
    return this.#repos.get(name).statuses.get(sha) ?? [];
  }

  /** Waits for webhooks under way; nothing is left on disk. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#sending);
    await Promise.all([this.front.close(), this.#git.close()]);
    await rm(this.#repos.root, { recursive: true, force: true });
  }

  #tellStatus(repo: Repository, sha: string, status: Status, isNew: boolean): Promise<HookDelivery> {
    const event = isNew ? "repo:commit_status_created" : "repo:commit_status_updated";
    return this.#deliver(repo, event, statusPayload(this.apiUrl, repo, sha, status));
  }

  async #deliver(repo: Repository, event: string, payload: Record<string, unknown>): Promise<HookDelivery> {
    const delivery: HookDelivery = { event, payload, answer: null };
    this.hooks.push(delivery);
    const rules = {
      requestIdHeader: "x-request-uuid",
      attempts: HOOK_ATTEMPTS,
      headersOf: ({ id }: Hook, attempt: number) => ({
        "user-agent": "Bitbucket-Webhooks/2.0",
        "x-hook-uuid": id,
        "x-attempt-number": String(attempt),
      }),
    };
    const hooks = [...(this.#everywhere === null ? [] : [this.#everywhere]), ...repo.hooks];
    for (const hook of hooks.filter(({ isActive, events }) => isActive && events.has(event)))
      await sendHook(rules, hook, delivery);
    return delivery;
  }

  #later(work: Promise<unknown>): void {
    const tracked = work.catch((error: unknown) => this.front.violations.push(String(error)));
    this.#sending.add(tracked.finally(() => this.#sending.delete(tracked)));
  }

  #answer(call: Call): Answer | Promise<Answer> {
    const { login, rateLimit } = this;
    const expected =
      login.kind === "access"
        ? `Bearer ${login.token}`
        : `Basic ${Buffer.from(`${login.email}:${login.token}`).toString("base64")}`;
    if (call.authorization !== expected)
      return refusal(401, "Token is invalid, expired, or not supported for this endpoint.");
    rateLimit.used += 1;
    if (rateLimit.used > rateLimit.limit) return refusal(429, "Rate limit for this resource has been exceeded");
    return answerTo(this.backend, call);
  }

  /** How many are left is not told, only that it is less than a fifth. */
  #limitHeaders(): Record<string, string> {
    const { limit, used, tells } = this.rateLimit;
    if (!tells) return {};
    return {
      "x-ratelimit-limit": String(limit),
      "x-ratelimit-resource": "repositories-read",
      "x-ratelimit-nearlimit": String(used > limit * 0.8),
    };
  }
}

export function startBitbucketCloud(login?: Login): Promise<BitbucketCloudStandIn> {
  return BitbucketCloudStandIn.start(login);
}
