import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import type { AccessToken } from "../../../src/api/access.ts";
import { createAuth } from "../../../src/api/auth.ts";
import { apiRoute } from "../../../src/api/index.ts";
import type { ApiOptions, KeepCi } from "../../../src/api/options.ts";
import { rulesOf } from "../../../src/api/rules.ts";
import type { Host } from "../../../src/hosts/host.ts";
import { type Delivery, ensureDelivery, setState } from "../../../src/ledger/deliveries.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMask } from "../../../src/observe/mask.ts";
import { createApp, listen } from "../../../src/receiver/app.ts";
import type { Registry } from "../../../src/registries/registry.ts";
import { webRoute } from "../../../src/web/index.ts";
import { REPO } from "../../support/databases/ledgers.ts";
import { artifactPlan, planWith } from "../../support/fixtures/plans.ts";
import { answerCheck } from "./open-api.ts";

export const TOKEN = "admin-token-of-the-tests";

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
}

export interface TestApi {
  url: string;
  /** Commits asked for by a person. */
  asked: [repo: string, sha: string][];
  woken: string[];
  /** The path of every route of API and pages, a method each. */
  routes: string[];
  /**
   * The path goes out as it is written: nothing tidies it up first. An answer of the API that differs from its OpenAPI
   * document fails.
   */
  send(method: string, path: string, headers?: Record<string, string>, body?: string): Promise<Answer>;
  /** As the administrator. */
  get(path: string): Promise<Answer>;
  close(): Promise<void>;
}

const bounds = { branches: null, tags: null, ci: null, registries: null, secrets: {} };

/** The part of a server's configuration that its rules are made from. */
const RULES: Parameters<typeof rulesOf>[0] = {
  hosts: { github: { type: "github", cloneUrl: "https://github.com", token: null } },
  registries: {
    local: {
      type: "oci",
      url: "https://r.example.com",
      default: true,
      shared: [],
      proof: "referrers",
      publicUrl: null,
    },
    files: {
      type: "http",
      url: "https://files.example.com",
      default: false,
      shared: [],
      proof: "referrers",
      publicUrl: null,
    },
  },
  repos: [
    { match: "acme/*", ...bounds },
    { match: "acme/pay", ...bounds, branches: ["main"], registries: ["local"], secrets: { NPM_READ: "never shown" } },
  ],
};

/** API and pages as they are served, over a real ledger. */
export async function startApi(
  ledger: Ledger,
  options: {
    anonymous?: "none" | "viewer";
    publicUrl?: string;
    registries?: Map<string, Registry>;
    hosts?: Map<string, Host>;
    keepCi?: KeepCi;
    tokens?: AccessToken[];
    compareCommits?: ApiOptions["compareCommits"];
  } = {},
): Promise<TestApi> {
  const auth = createAuth({
    adminToken: TOKEN,
    tokens: options.tokens ?? [],
    anonymous: options.anonymous ?? "none",
    secureCookie: options.publicUrl?.startsWith("https:") ?? false,
  });
  const asked: [string, string][] = [];
  const woken: string[] = [];
  const changes = {
    statuses: { config: { publicUrl: "https://deliverd.example.com" }, mask: createMask([]) },
    onDeliveryChanged: ({ id }: Delivery) => void woken.push(id),
  };
  const api = apiRoute({
    ledger,
    auth,
    registries: options.registries ?? new Map(),
    requestCommit: async (repo, sha) => void asked.push([repo, sha]),
    ci: { hosts: options.hosts ?? new Map(), keep: options.keepCi ?? (async ({ repo }) => repo) },
    isConfigured: (repo) => repo.startsWith("acme/"),
    rulesOf: (repo) => rulesOf(RULES, repo),
    compareCommits: options.compareCommits ?? (async () => null),
    ...changes,
  });
  const web = webRoute({
    ledger,
    auth,
    ...changes,
    setUp: {
      hosts: new Map(),
      publicUrl: "https://deliverd.example.com",
      adminToken: TOKEN,
      save: () => Promise.reject(new Error("no App is made in these tests")),
    },
  });
  const app = createApp({
    health: (_request, _response, next) => next(),
    api,
    web,
    log: silentLog,
  });
  const listening = await listen(app, { port: 0, address: "127.0.0.1" });
  const document = await sendTo(listening.port, "GET", "/api/v1/openapi.json", {});
  const check = answerCheck(JSON.parse(document.text));
  const send: TestApi["send"] = async (method, path, headers = {}, body) => {
    const answer = await sendTo(listening.port, method, path, headers, body);
    check(method, path, answer);
    return answer;
  };
  return {
    url: `http://127.0.0.1:${listening.port}`,
    asked,
    woken,
    routes: [api, web].flatMap(pathsOf),
    send,
    get: (path) => send("GET", path, { authorization: `Bearer ${TOKEN}` }),
    close: () => listening.close(0),
  };
}

function sendTo(
  port: number,
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port, method, path, headers }, async (response) => {
      try {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk);
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text: Buffer.concat(chunks).toString(),
        });
      } catch (error) {
        reject(error);
      }
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** The paths of a router and of the routers inside it. Express has no public interface for them. */
function pathsOf(router: unknown): string[] {
  const { stack = [] } = router as { stack?: { route?: { path: string }; handle: unknown }[] };
  return stack.flatMap(({ route, handle }) => (route === undefined ? pathsOf(handle) : [route.path]));
}

/** A delivery; of the repo that `withRepo` made, unless `repo` is the id of another one. */
export async function deliveryIn(
  ledger: Ledger,
  sha: string,
  more: {
    message?: string;
    author?: string;
    ref?: string;
    because?: string;
    state?: Delivery["state"];
    repo?: string;
  } = {},
): Promise<Delivery> {
  const { message = "Begin", author = "Sam", ref = "refs/heads/main", because = "because", state = "waiting" } = more;
  const delivery = await ensureDelivery(ledger, more.repo ?? REPO, sha, {
    ref,
    state: "waiting",
    because,
    message,
    author,
    committedAt: 0,
  });
  await setState(ledger, delivery.id, {
    from: ["waiting"],
    to: state,
    because,
    plan: planWith({ artifacts: [artifactPlan()] }),
  });
  return delivery;
}
