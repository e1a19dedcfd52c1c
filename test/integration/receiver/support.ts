import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { request as httpRequest, type IncomingHttpHeaders } from "node:http";
import { createRequire } from "node:module";
import { hintReader } from "../../../src/hosts/github/hints.ts";
import type { Host } from "../../../src/hosts/host.ts";
import type { NewHint } from "../../../src/ledger/hints.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";
import { createApp, type Listening, listen } from "../../../src/receiver/app.ts";
import { type HealthCheck, healthRoute } from "../../../src/receiver/health.ts";
import { createInbox, type InboxLimits } from "../../../src/receiver/inbox.ts";
import { type WebhookOptions, webhookRoute } from "../../../src/receiver/webhooks.ts";

const SECRET = "a secret of the tests";

export const sign = (body: string | Buffer, secret = SECRET, kind = "sha256") =>
  `${kind}=${createHmac(kind, secret).update(body).digest("hex")}`;

const examples: { name: string; examples: unknown[] }[] = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve("@octokit/webhooks-examples/api.github.com/index.json"), "utf8"),
);

/** One of GitHub's own examples of an event, of the repo Codertocat/Hello-World. */
export function example(event: string): string {
  const payload = examples.find(({ name }) => name === event)?.examples[0];
  if (payload === undefined) throw new Error(`GitHub gives no example of ${event}`);
  return JSON.stringify(payload);
}

/** A promise that the test settles (Promise.withResolvers, which Node 20 lacks). */
export function deferred(): { promise: Promise<void>; resolve(): void } {
  let resolve = () => {};
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  json: Record<string, unknown>;
}

export interface Sending {
  path?: string;
  method?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
}

export interface TestReceiver extends Listening {
  /** The hints of every commit, in their order. */
  commits: NewHint[][];
  told: NewHint[][];
  send(sending?: Sending): Promise<Answer>;
  /** A body of this event, rightly signed. */
  sendEvent(event: string, body?: string, headers?: Record<string, string>): Promise<Answer>;
}

export interface Setup extends Partial<WebhookOptions> {
  commit?: (hints: NewHint[]) => Promise<void>;
  limits?: InboxLimits;
  checks?: HealthCheck[];
}

/** The receiver as it is served, with the ledger's commit left to the test. */
export async function startReceiver({ commit, limits, checks = [], ...options }: Setup = {}): Promise<TestReceiver> {
  const commits: NewHint[][] = [];
  const told: NewHint[][] = [];
  const inbox = createInbox(async (hints) => {
    commits.push(hints);
    await commit?.(hints);
  }, limits);
  const metrics = createMetrics();
  const answers = metrics.counter("deliverd_webhooks_total", "Webhooks by host and answer.");
  metrics.gauge("deliverd_inbox_pending", "Hints that are not committed yet.", () => inbox.pending());
  const app = createApp({
    webhooks: webhookRoute({
      hosts: new Map([["github", { readHints: hintReader(SECRET) } as Host]]),
      accepts: (host, owner) => host === "github" && owner === "Codertocat",
      inbox,
      keepOrders: async () => {},
      onHints: (hints) => told.push(hints),
      onAnswer: (host, status) => answers.add({ host, status: String(status) }),
      log: silentLog,
      ...options,
    }),
    health: healthRoute({ checks, metrics, log: silentLog, checkTimeoutMs: 200 }),
    log: silentLog,
  });
  const listening = await listen(app, { port: 0, address: "127.0.0.1" });
  const post = (sending: Sending = {}) => send(listening.port, sending);
  return {
    ...listening,
    close: () => listening.close(0),
    commits,
    told,
    send: post,
    sendEvent: (event, body = example(event), headers = {}) =>
      post({ body, headers: { "x-github-event": event, "x-hub-signature-256": sign(body), ...headers } }),
  };
}

function send(
  port: number,
  { path = "/webhooks/github", method = "POST", headers = {}, body }: Sending,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const all = { "content-type": "application/json", "x-github-delivery": "d-1", ...headers };
    const request = httpRequest({ host: "127.0.0.1", port, path, method, headers: all }, async (response) => {
      try {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk);
        const text = Buffer.concat(chunks).toString();
        const isJson = /json/.test(response.headers["content-type"] ?? "") && text !== "";
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          text,
          json: isJson ? JSON.parse(text) : {},
        });
      } catch (error) {
        reject(error);
      }
    });
    request.on("error", reject);
    request.end(body);
  });
}
