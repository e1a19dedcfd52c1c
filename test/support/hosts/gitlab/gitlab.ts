import { createHash, randomUUID } from "node:crypto";
import { once } from "node:events";
import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { git } from "../git.ts";
import { type GitServer, startGitServer } from "../git-server.ts";
import { type Answer, refusal } from "./answer.ts";
import { type HookDelivery, newHook, sendHook, TRIGGERS } from "./hooks.ts";
import { jobPayload, pipelinePayload, pushPayload } from "./payloads.ts";
import { answerTo, type Backend } from "./routes.ts";
import {
  GitLabState,
  type Hook,
  isFinished,
  type Job,
  type JobStatus,
  moveTo,
  type Pipeline,
  type Project,
  statusOf,
} from "./state.ts";

export type { HookDelivery } from "./hooks.ts";
export type { Hook, Job, Pipeline, Project } from "./state.ts";

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

/** GitLab's REST API, webhooks and git over HTTP, as far as a delivery daemon needs them. */
export class GitLabStandIn {
  /** Method, path and query of every request, in their order. */
  readonly requests: { method: string; path: string; status: number | null }[] = [];
  /** What no client should have sent. A test ends by asserting that it is empty. */
  readonly violations: string[] = [];
  readonly hooks: HookDelivery[] = [];
  readonly backend: Backend;
  readonly #state: GitLabState;
  readonly #server: Server;
  readonly #git: GitServer;
  readonly #faults: Fault[] = [];
  readonly #sending = new Set<Promise<unknown>>();
  #everywhere: Hook | null = null;
  /** Requests a minute; null: GitLab has no limit, and no headers of it. */
  rateLimit: { limit: number; used: number } | null = null;

  private constructor(state: GitLabState, server: Server, gitServer: GitServer) {
    this.#state = state;
    this.#server = server;
    this.#git = gitServer;
    this.backend = {
      ...{ state, locks: new Set(), tellsPipeline: true, mayManageHooks: true },
      url: () => this.url,
      cloneUrl: () => this.cloneUrl,
      onStatus: (project, pipeline) => this.#later(this.#tellPipeline(project, pipeline)),
      onTest: (project, hook) => this.#test(project, hook),
    };
  }

  static async start(token = "glpat-stand-in+canary0123456789"): Promise<GitLabStandIn> {
    const state = await GitLabState.open(token);
    const gitServer = await startGitServer(state.root, {
      lookup(owner, name, credentials) {
        if (credentials?.password !== token) return { refuse: 401 };
        const project = state.find(`${owner}/${name}`);
        return project === undefined ? { refuse: 404 } : { directory: project.directory };
      },
    });
    const server = createServer();
    const gitlab = new GitLabStandIn(state, server, gitServer);
    server.on("request", (request, response) => {
      gitlab.#respond(request, response).catch((error: unknown) => {
        gitlab.violations.push(`the stand-in failed on ${request.method} ${request.url}: ${error}`);
        response.destroy();
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return gitlab;
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

  createRepo(wanted: { owner: string; name: string; defaultBranch?: string }): Promise<Project> {
    return this.#state.createProject(wanted);
  }

  rename(name: Name, to: string): void {
    this.#state.rename(this.#state.get(name), to);
  }

  /** The name is a user's, and no group's. */
  addUser(name: string): void {
    this.#state.users.add(name);
  }

  protect(name: Name): void {
    this.#state.get(name).isProtected = true;
  }

  /** Every project has this webhook, for all events. */
  sendHooksTo(url: string, secret: { token?: string; signingToken?: string }): Hook {
    const events = new Set(Object.values(TRIGGERS));
    const { token = null, signingToken = null } = secret;
    this.#everywhere = newHook(this.#state.nextId(), url, { events, token, signingToken });
    return this.#everywhere;
  }

  hooksOf(name: Name): Hook[] {
    return this.#state.get(name).hooks;
  }

  addHook(name: Name, url: string, more: Partial<Hook> = {}): Hook {
    const hook = newHook(this.#state.nextId(), url, { events: new Set(Object.values(TRIGGERS)), ...more });
    this.hooksOf(name).push(hook);
    return hook;
  }

  addGroupHook(group: string, url: string, more: Partial<Hook> = {}): void {
    const hook = newHook(this.#state.nextId(), url, { events: new Set(Object.values(TRIGGERS)), ...more });
    this.#state.groupHooks.set(group, [...(this.#state.groupHooks.get(group) ?? []), hook]);
  }

  fail(fault: Fault): void {
    this.#faults.push({ ...fault });
  }

  forgetFaults(): void {
    this.#faults.splice(0);
  }

  /** The ref was pushed, moved or deleted in the bare repo. */
  async push(name: Name, ref: string): Promise<HookDelivery[]> {
    const project = this.#state.get(name);
    const read = (what: string) =>
      git(project.directory, ["rev-parse", "--verify", "--quiet", what]).catch(() => undefined);
    const before = project.announced.get(ref);
    const after = await read(ref);
    if (after === undefined) project.announced.delete(ref);
    else project.announced.set(ref, after);
    const commit = after === undefined ? null : ((await read(`${ref}^{commit}`)) ?? null);
    const payload = pushPayload(this.url, project, { ref, before, after, commit });
    return this.#deliver(project, ref.startsWith("refs/tags/") ? "Tag Push Hook" : "Push Hook", payload);
  }

  /** A pipeline of the commit; with a status and without jobs it is one that could not start, or has not yet. */
  startPipeline(name: Name, sha: string, more: Partial<Pipeline> = {}): Pipeline {
    return this.#state.addPipeline(this.#state.get(name), sha, more);
  }

  /**
   * A job of CI gets this state: in the newest pipeline that runners work for, which is made where there is none. A
   * finished job that moves is a re-run.
   */
  async setJob(
    name: Name,
    sha: string,
    jobName: string,
    status: JobStatus,
    more: { pipeline?: Pipeline; allowFailure?: boolean } = {},
  ): Promise<Job> {
    const project = this.#state.get(name);
    const pipeline =
      more.pipeline ??
      project.pipelines.findLast((one) => one.sha === sha && one.source !== "external") ??
      this.#state.addPipeline(project, sha);
    const known = pipeline.jobs.find((job) => job.name === jobName && !job.isExternal && !job.isRetried);
    const allowFailure = more.allowFailure ?? known?.allowFailure ?? false;
    const isOpen = known !== undefined && !isFinished(known.status);
    const job = isOpen ? known : this.#state.addJob(pipeline, jobName, { allowFailure });
    const before = statusOf(pipeline);
    moveTo(job, status, this.#state.now());
    await this.#deliver(project, "Job Hook", jobPayload(this.url, project, pipeline, job));
    if (statusOf(pipeline) !== before || pipeline.jobs.length === 1) await this.#tellPipeline(project, pipeline);
    return job;
  }

  /** All jobs of a commit under a name, also those that were retried. */
  jobsOf(name: Name, sha: string, jobName: string): Job[] {
    return this.pipelinesOf(name, sha).flatMap(({ jobs }) => jobs.filter((job) => job.name === jobName));
  }

  pipelinesOf(name: Name, sha: string): Pipeline[] {
    return this.#state.get(name).pipelines.filter((one) => one.sha === sha);
  }

  /** Waits for webhooks under way; nothing is left on disk. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#sending);
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await Promise.all([closed, this.#git.close()]);
    await rm(this.#state.root, { recursive: true, force: true });
  }

  #tellPipeline(project: Project, pipeline: Pipeline): Promise<HookDelivery[]> {
    return this.#deliver(project, "Pipeline Hook", pipelinePayload(this.url, project, pipeline));
  }

  async #deliver(project: Project, event: string, payload: Record<string, unknown>): Promise<HookDelivery[]> {
    const delivery: HookDelivery = { id: randomUUID(), event, payload, answer: null };
    this.hooks.push(delivery);
    for (const hook of this.#everywhere === null ? project.hooks : [this.#everywhere, ...project.hooks]) {
      if (hook.events.has(TRIGGERS[event] ?? "")) await sendHook(this.#state, hook, delivery);
    }
    return [delivery];
  }

  async #test(project: Project, hook: Hook): Promise<Answer> {
    const commit = await git(project.directory, ["rev-parse", project.defaultBranch]);
    const facts = { ref: `refs/heads/${project.defaultBranch}`, before: commit, after: commit, commit };
    const payload = pushPayload(this.url, project, facts);
    await sendHook(this.#state, hook, { id: randomUUID(), event: "Push Hook", payload, answer: null }, true);
    return hook.failures === 0
      ? { status: 201, body: { message: "201 Created" } }
      : refusal(422, "Hook execution failed");
  }

  #later(work: Promise<unknown>): void {
    const tracked = work.catch((error: unknown) => this.violations.push(String(error)));
    this.#sending.add(tracked.finally(() => this.#sending.delete(tracked)));
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "" } = request;
    const entry: GitLabStandIn["requests"][number] = { method, path: url, status: null };
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
    const text = answer.body === undefined ? "" : JSON.stringify(answer.body);
    const etag = `W/"${createHash("md5").update(text).digest("hex")}"`;
    const isKnown = method === "GET" && answer.status === 200 && request.headers["if-none-match"] === etag;
    entry.status = isKnown ? 304 : answer.status;
    response.writeHead(entry.status, {
      "content-type": "application/json",
      ...this.#limitHeaders(),
      etag,
      ...answer.headers,
    });
    response.end(isKnown || answer.status === 204 ? undefined : text);
  }

  #takeFault(method: string): Fault | null {
    const fault = this.#faults.find((one) => one.method === undefined || one.method === method);
    if (fault === undefined) return null;
    fault.times -= 1;
    if (fault.times <= 0) this.#faults.splice(this.#faults.indexOf(fault), 1);
    return fault;
  }

  async #answer(request: IncomingMessage, text: string): Promise<Answer> {
    const given = request.headers["private-token"] ?? request.headers.authorization?.replace(/^bearer /i, "");
    if (given !== this.token) return refusal(401, "401 Unauthorized");
    if (this.rateLimit !== null && ++this.rateLimit.used > this.rateLimit.limit) {
      return { status: 429, body: "Retry later", headers: { "retry-after": "42" } };
    }
    const url = new URL(request.url ?? "", this.url);
    if (!url.pathname.startsWith("/api/v4/"))
      return { ...refusal(404, "404 Not Found"), violation: "it is not the API" };
    let body: Record<string, unknown> | undefined;
    try {
      body = text === "" ? undefined : (JSON.parse(text) as Record<string, unknown>);
    } catch {
      return { ...refusal(400, "The request body is not JSON"), violation: "the body is not JSON" };
    }
    return answerTo(this.backend, { method: request.method ?? "", url, body, token: given });
  }

  #limitHeaders(): Record<string, string> {
    if (this.rateLimit === null) return {};
    const { limit, used } = this.rateLimit;
    const reset = Math.ceil(Date.now() / 60_000) * 60;
    return {
      "ratelimit-limit": String(limit),
      "ratelimit-name": "throttle_authenticated_api",
      "ratelimit-observed": String(used),
      "ratelimit-remaining": String(Math.max(0, limit - used)),
      "ratelimit-reset": String(reset),
    };
  }
}

export function startGitLab(token?: string): Promise<GitLabStandIn> {
  return GitLabStandIn.start(token);
}
