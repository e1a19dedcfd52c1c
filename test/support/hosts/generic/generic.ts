import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { initBare, revParse } from "../git.ts";
import { type GitServer, startGitServer } from "../git-server.ts";

type Name = { owner: string; name: string };

export interface PlainRepo extends Name {
  defaultBranch: string;
  /** Where the bare repo is. */
  directory: string;
}

export interface ReceivedReport {
  repo: string;
  sha: string;
  context: string;
  state: string;
  description: string;
  url: string;
}

/** One request of the server's hook, or of its CI. */
export interface SentRequest {
  body: Record<string, unknown>;
  /** 0: no answer. */
  status: number;
  answer: string;
}

interface Fault {
  status: number | "cut" | "half";
  headers?: Record<string, string>;
  times: number;
}

const KEYS = ["type", "repo", "sha", "context", "state", "description", "url"];
const STATES = ["pending", "success", "failure", "error"];
const ZERO = "0".repeat(40);

/**
 * A plain git server with a password, whose post-receive hook and CI send signed requests, and a receiver of reports.
 * Signatures are made and verified by the library of Standard Webhooks.
 */
export class GenericStandIn {
  readonly username = "deploy";
  readonly token = "generic-token+canary/0123456789";
  readonly secret = `whsec_${Buffer.alloc(32, "a generic secret ").toString("base64")}`;
  readonly reports: ReceivedReport[] = [];
  /** Requests to the URL of reports, the refused too. */
  requests = 0;
  /** What no client should have sent. A test ends by asserting that it is empty. */
  readonly violations: string[] = [];
  readonly sent: SentRequest[] = [];
  readonly #webhook = new Webhook(this.secret);
  readonly #repos = new Map<string, PlainRepo>();
  readonly #faults: Fault[] = [];
  readonly #root: string;
  readonly #server: Server;
  #git: GitServer | null = null;
  #hookUrl: string | null = null;
  /** Where CI sends its results; null: it sends none. */
  ciUrl: string | null = null;

  private constructor(root: string, server: Server) {
    this.#root = root;
    this.#server = server;
  }

  static async start(): Promise<GenericStandIn> {
    const server = createServer();
    const generic = new GenericStandIn(await mkdtemp(join(tmpdir(), "dd-generic-")), server);
    server.on("request", (request, response) => {
      generic.#take(request, response).catch((error: unknown) => {
        generic.violations.push(`a report could not be taken: ${error}`);
        response.destroy();
      });
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    generic.#git = await startGitServer(generic.#root, {
      lookup(owner, name, credentials) {
        const { username, token } = generic;
        if (credentials?.username !== username || credentials.password !== token) return { refuse: 401 };
        const repo = generic.#repos.get(`${owner}/${name}`);
        return repo === undefined ? { refuse: 404 } : { directory: repo.directory };
      },
    });
    return generic;
  }

  /** For `cloneUrl` of the configuration. */
  get cloneUrl(): string {
    return `${this.#git?.cloneUrl}/{owner}/{name}.git`;
  }

  get reportUrl(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/reports?token=report-canary`;
  }

  async createRepo({ owner, name, defaultBranch = "main" }: Name & { defaultBranch?: string }): Promise<PlainRepo> {
    const repo = { owner, name, defaultBranch, directory: join(this.#root, owner, `${name}.git`) };
    await initBare(repo.directory, defaultBranch);
    this.#repos.set(`${owner}/${name}`, repo);
    return repo;
  }

  sendHooksTo(url: string): void {
    this.#hookUrl = url;
  }

  /** What a post-receive hook does for one ref: it knows the new value, which of an annotated tag is the tag object. */
  async push(name: Name, ref: string): Promise<SentRequest[]> {
    const after = await revParse(this.#get(name).directory, ref);
    if (this.#hookUrl === null) return [];
    return [await this.send(this.#hookUrl, { type: "push", repo: pathOf(name), ref, sha: after ?? ZERO })];
  }

  /** CI reports a check, and says in a webhook that there is something new, as a CI may that keeps results elsewhere. */
  async setCheck(name: Name, sha: string, check: string, state: string, at = new Date()): Promise<void> {
    const result = {
      name: check,
      state,
      at: at.toISOString(),
      url: `https://ci.example.com/${encodeURIComponent(check)}`,
    };
    if (this.ciUrl !== null) await this.send(this.ciUrl, { repo: pathOf(name), sha, checks: [result] });
    else if (this.#hookUrl !== null) await this.send(this.#hookUrl, { type: "ci", repo: pathOf(name), sha });
  }

  /** The headers of a signed request. */
  sign(text: string, { at = new Date(), id = `msg_${randomUUID()}` } = {}): Record<string, string> {
    return {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
      "webhook-signature": this.#webhook.sign(id, at, text),
    };
  }

  async send(url: string, body: Record<string, unknown>, stamp: { at?: Date; id?: string } = {}): Promise<SentRequest> {
    const text = JSON.stringify(body);
    const request: SentRequest = { body, status: 0, answer: "" };
    this.sent.push(request);
    try {
      const response = await fetch(url, { method: "POST", headers: this.sign(text, stamp), body: text });
      request.status = response.status;
      request.answer = await response.text();
    } catch (error) {
      request.answer = String(error);
    }
    return request;
  }

  fail(fault: Fault): void {
    this.#faults.push({ ...fault });
  }

  forgetFaults(): void {
    this.#faults.splice(0);
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await this.#git?.close();
    await rm(this.#root, { recursive: true, force: true });
  }

  #get({ owner, name }: Name): PlainRepo {
    const repo = this.#repos.get(`${owner}/${name}`);
    if (repo === undefined) throw new Error(`there is no repo ${owner}/${name}`);
    return repo;
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.requests += 1;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const fault = this.#faults.find(({ times }) => times > 0);
    if (fault !== undefined) {
      fault.times -= 1;
      if (typeof fault.status === "string") response.destroy();
      else response.writeHead(fault.status, fault.headers).end("[]");
      return;
    }
    const problem = await this.#problemOf(request, text);
    if (problem === null) {
      const { type: _, ...report } = JSON.parse(text) as ReceivedReport & { type: string };
      this.reports.push(report);
      response.writeHead(204).end();
      return;
    }
    if (problem.isWrong) this.violations.push(problem.text);
    response.writeHead(problem.isWrong ? 400 : 404).end(problem.text);
  }

  async #problemOf(request: IncomingMessage, text: string): Promise<{ text: string; isWrong: boolean } | null> {
    const wrong = (what: string) => ({ text: what, isWrong: true });
    if (request.method !== "POST" || request.url !== "/reports?token=report-canary")
      return wrong(`${request.method} ${request.url}`);
    if (request.headers["content-type"] !== "application/json") return wrong("a report that is no JSON");
    let report: Record<string, unknown>;
    try {
      report = this.#webhook.verify(text, request.headers as Record<string, string>) as Record<string, unknown>;
    } catch (error) {
      return wrong(`a report whose signature is wrong: ${error}`);
    }
    const keys = Object.keys(report);
    if (keys.join() !== KEYS.join()) return wrong(`a report with the keys ${keys}`);
    if (report.type !== "report" || !STATES.includes(String(report.state))) return wrong(`a report: ${text}`);
    const repo = this.#repos.get(String(report.repo));
    if (repo === undefined) return { text: "no such repo", isWrong: false };
    const sha = String(report.sha);
    return (await revParse(repo.directory, `${sha}^{commit}`)) === sha
      ? null
      : { text: "no such commit", isWrong: false };
  }
}

function pathOf({ owner, name }: Name): string {
  return `${owner}/${name}`;
}
