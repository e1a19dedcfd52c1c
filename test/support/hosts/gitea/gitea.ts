import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { git } from "../git.ts";
import { type GitServer, startGitServer } from "../git-server.ts";
import { type Answer, refusal } from "./answer.ts";
import type { Backend } from "./backend.ts";
import { EVENTS, type HookDelivery, newDelivery, newHook, type Passes, type Software, sendHook } from "./hooks.ts";
import { MAX_ON_PAGE } from "./pages.ts";
import { type PushFacts, pushPayload, refPayload, statusPayload } from "./payloads.ts";
import { answerTo } from "./routes.ts";
import { GiteaState, type Hook, type Repo, type StatusRow, type StatusState } from "./state.ts";

export type { HookDelivery } from "./hooks.ts";
export type { Hook, Repo, StatusRow, StatusState } from "./state.ts";

export interface Fault {
  /** `cut`: no answer; `half`: half of one, whose first half is an empty list. */
  status: number | "cut" | "half";
  headers?: Record<string, string>;
  times: number;
  method?: string;
  message?: string;
  /** The request has its effect, and only its answer is lost. */
  isDone?: boolean;
}

type Name = { owner: string; name: string };

const VERSIONS: Record<Software, string> = { gitea: "1.25.4", forgejo: "11.0.3+gitea-1.22.0" };

/** The REST API, webhooks and git over HTTP of Gitea or Forgejo, as far as a delivery daemon needs them. */
export class GiteaStandIn {
  /** Method, path and query of every request, in their order. */
  readonly requests: { method: string; path: string; status: number | null }[] = [];
  /** What no client should have sent. A test ends by asserting that it is empty. */
  readonly violations: string[] = [];
  readonly hooks: HookDelivery[] = [];
  readonly backend: Backend;
  /** Which headers with a signature reach the receiver. */
  passes: Passes = () => true;
  readonly #state: GiteaState;
  readonly #server: Server;
  readonly #git: GitServer;
  readonly #faults: Fault[] = [];
  /** Webhooks are sent one after the other. */
  #sending: Promise<unknown> = Promise.resolve();
  #everywhere: Hook | null = null;

  private constructor(state: GiteaState, server: Server, gitServer: GitServer, software: Software) {
    this.#state = state;
    this.#server = server;
    this.#git = gitServer;
    this.backend = {
      ...{ state, software, version: VERSIONS[software], pageLimit: MAX_ON_PAGE },
      ...{ mayManageHooks: true, mayWrite: true },
      url: () => this.url,
      cloneUrl: () => this.cloneUrl,
      onStatus: (repo, row) => void this.#tellStatus(repo, row),
      onTest: (repo, hook) => void this.#test(repo, hook),
    };
  }

  static async start(software: Software, token = "stand-in0canary0123456789abcdef01234567"): Promise<GiteaStandIn> {
    const state = await GiteaState.open(token);
    const gitServer = await startGitServer(state.root, {
      lookup(owner, name, credentials) {
        if (credentials?.password !== token) return { refuse: 401 };
        const repo = state.find(owner, name);
        if (repo !== undefined) return { directory: repo.directory };
        const moved = state.byId(state.moved.get(`${owner}/${name}`) ?? 0);
        return moved === undefined ? { refuse: 404 } : { moved: `${moved.owner}/${moved.name}` };
      },
    });
    const server = createServer();
    const gitea = new GiteaStandIn(state, server, gitServer, software);
    server.on("request", (request, response) => {
      gitea.#respond(request, response).catch((error: unknown) => {
        gitea.violations.push(`the stand-in failed on ${request.method} ${request.url}: ${error}`);
        response.destroy();
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return gitea;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get cloneUrl(): string {
    return this.#git.cloneUrl;
  }

  get token(): string {
    return this.#state.token;
  }

  createRepo(wanted: { owner: string; name: string; defaultBranch?: string }): Promise<Repo> {
    return this.#state.createRepo(wanted);
  }

  rename(name: Name, to: string): void {
    this.#state.rename(this.#state.get(name), to);
  }

  /** The name is a user's, and no organisation's. */
  addUser(name: string): void {
    this.#state.users.add(name);
  }

  allow(name: Name, person: string, permission: "read" | "write" | "admin"): void {
    this.addUser(person);
    this.#state.get(name).permissions.set(person, permission);
  }

  /** @param contexts globs. `enabled: false`: the list is kept, and nothing is required */
  protect(name: Name, branch: string, contexts: string[], enabled = true): void {
    this.#state.get(name).protection.set(branch, { enabled, contexts });
  }

  /** Every repo has this webhook, for all events. */
  sendHooksTo(url: string, secret: string): Hook {
    const events = new Set<string>(EVENTS[this.backend.software]);
    this.#everywhere = newHook(this.#state.nextId(), url, { events, secret });
    return this.#everywhere;
  }

  hooksOf(name: Name): Hook[] {
    return this.#state.get(name).hooks;
  }

  addHook(name: Name, url: string, more: Partial<Hook> = {}): Hook {
    const hook = newHook(this.#state.nextId(), url, more);
    this.hooksOf(name).push(hook);
    return hook;
  }

  addOrganisationHook(organisation: string, url: string, more: Partial<Hook> = {}): void {
    const hook = newHook(this.#state.nextId(), url, more);
    const known = this.#state.organisationHooks.get(organisation) ?? [];
    this.#state.organisationHooks.set(organisation, [...known, hook]);
  }

  fail(fault: Fault): void {
    this.#faults.push({ ...fault });
  }

  forgetFaults(): void {
    this.#faults.splice(0);
  }

  /** The ref was pushed, moved or deleted in the bare repo. */
  async push(name: Name, ref: string): Promise<HookDelivery[]> {
    const repo = this.#state.get(name);
    const read = (what: string) =>
      git(repo.directory, ["rev-parse", "--verify", "--quiet", what]).catch(() => undefined);
    const before = repo.announced.get(ref);
    const after = await read(ref);
    if (after === undefined) repo.announced.delete(ref);
    else repo.announced.set(ref, after);
    const commit = after === undefined ? null : ((await read(`${ref}^{commit}`)) ?? null);
    const facts: PushFacts = { ref, before, after, commit };
    const places = { url: this.url, cloneUrl: this.cloneUrl };
    const told: HookDelivery[] = [];
    const tell = async (event: string, payload: Record<string, unknown>) =>
      told.push(await this.#deliver(repo, event, payload));
    const isTag = ref.startsWith("refs/tags/");
    // A branch is created before it is pushed to, a tag after it; of a deleted branch only `delete` tells.
    if (before === undefined && !isTag) await tell("create", refPayload(places, repo, facts));
    if (after !== undefined || isTag) await tell("push", pushPayload(places, repo, facts));
    if (before === undefined && isTag) await tell("create", refPayload(places, repo, facts));
    if (after === undefined) await tell("delete", refPayload(places, repo, facts));
    return told;
  }

  /** CI reports. @param creator null: Gitea's own Actions */
  async setStatus(
    name: Name,
    sha: string,
    context: string,
    state: StatusState | string,
    creator: string | null = "ci-bot",
  ): Promise<StatusRow> {
    const repo = this.#state.get(name);
    const targetUrl =
      creator === null ? `/${name.owner}/${name.name}/actions/runs/1/jobs/0` : "https://ci.example.com/1";
    const row = this.#state.addStatus(repo, { sha, state, context, description: "", targetUrl, creator });
    await this.#tellStatus(repo, row);
    return row;
  }

  /** Every row under a context, the oldest first. */
  statusesOf(name: Name, sha: string, context: string): StatusRow[] {
    return this.#state.get(name).statuses.filter((row) => row.sha === sha && row.context === context);
  }

  /** Waits for webhooks under way; nothing is left on disk. */
  async close(): Promise<void> {
    await this.#sending;
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await Promise.all([closed, this.#git.close()]);
    await rm(this.#state.root, { recursive: true, force: true });
  }

  async #tellStatus(repo: Repo, row: StatusRow): Promise<void> {
    const payload = statusPayload({ url: this.url, cloneUrl: this.cloneUrl }, repo, row);
    await this.#deliver(repo, "status", payload);
  }

  async #test(repo: Repo, hook: Hook): Promise<void> {
    const commit = await git(repo.directory, ["rev-parse", repo.defaultBranch]);
    const facts = { ref: `refs/heads/${repo.defaultBranch}`, before: commit, after: commit, commit };
    const payload = pushPayload({ url: this.url, cloneUrl: this.cloneUrl }, repo, facts);
    await this.#inTurn(() => this.#send(hook, newDelivery("push", payload)));
  }

  async #deliver(repo: Repo, event: string, payload: Record<string, unknown>): Promise<HookDelivery> {
    const delivery = newDelivery(event, payload);
    const all = [this.#everywhere, ...repo.hooks, ...(this.#state.organisationHooks.get(repo.owner) ?? [])];
    const subscribed = all.filter((hook): hook is Hook => hook?.events.has(event) ?? false);
    await this.#inTurn(async () => {
      this.hooks.push(delivery);
      for (const hook of subscribed) await this.#send(hook, delivery);
    });
    return delivery;
  }

  async #send(hook: Hook, delivery: HookDelivery): Promise<void> {
    if (hook.active) await sendHook(hook, this.backend.software, delivery, this.passes);
  }

  #inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.#sending.then(work);
    this.#sending = done.catch((error: unknown) => this.violations.push(String(error)));
    return done;
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "" } = request;
    const entry: GiteaStandIn["requests"][number] = { method, path: url, status: null };
    this.requests.push(entry);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const fault = this.#takeFault(method);
    const work = () => this.#answer(request, Buffer.concat(chunks).toString());
    if (fault?.isDone) await work();
    if (fault?.status === "cut") {
      response.destroy();
      return;
    }
    if (fault?.status === "half") {
      response.writeHead(200, { "content-type": "application/json", "content-length": 1000 }).write("[]");
      setImmediate(() => response.destroy());
      return;
    }
    const failed = fault && {
      ...refusal(fault.status as number, fault.message ?? "Planted failure"),
      headers: fault.headers ?? {},
    };
    const answer: Answer = failed ?? (await work());
    if (answer.violation !== undefined) this.violations.push(`${method} ${url}: ${answer.violation}`);
    entry.status = answer.status;
    response.writeHead(answer.status, { "content-type": "application/json;charset=utf-8", ...answer.headers });
    response.end(answer.body === undefined ? undefined : JSON.stringify(answer.body));
  }

  #takeFault(method: string): Fault | null {
    const fault = this.#faults.find((one) => one.method === undefined || one.method === method);
    if (fault === undefined) return null;
    fault.times -= 1;
    if (fault.times <= 0) this.#faults.splice(this.#faults.indexOf(fault), 1);
    return fault;
  }

  async #answer(request: IncomingMessage, text: string): Promise<Answer> {
    const [, given] = /^(?:token|bearer) (.+)$/i.exec(request.headers.authorization ?? "") ?? [];
    if (given !== undefined && given !== this.token) return refusal(401, "invalid username, password or token");
    const url = new URL(request.url ?? "", this.url);
    if (!url.pathname.startsWith("/api/v1/")) {
      return { ...refusal(404, "not found"), violation: "it is not the API" };
    }
    let body: Record<string, unknown> | undefined;
    try {
      body = text === "" ? undefined : (JSON.parse(text) as Record<string, unknown>);
    } catch {
      return { ...refusal(422, "invalid character"), violation: "the body is not JSON" };
    }
    const login = given === undefined ? null : "ada";
    return answerTo(this.backend, { method: request.method ?? "", url, body, login });
  }
}

export function startGitea(software: Software = "gitea"): Promise<GiteaStandIn> {
  return GiteaStandIn.start(software);
}
