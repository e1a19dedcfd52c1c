import assert from "node:assert/strict";
import { Agent, request as httpRequest } from "node:http";
import { startRedis } from "../support/databases/redis.ts";
import { type HostExamples, keyOf } from "../support/hosts/examples/host-examples.ts";
import { hostExamples } from "../support/hosts/examples/index.ts";
import { peakOf } from "../support/processes/memory.ts";
import { startDeliverd } from "../support/world/deliverd.ts";
import { type Case, caseMaker } from "./cases.ts";
import { Random } from "./random.ts";

export interface WebhookRun {
  payloads: number;
  /** How many answers of each status for each key under `hosts`; 0: none came. */
  answers: Record<string, Record<number, number>>;
  /** Answers that their case does not allow, the first few. */
  unexpected: string[];
  crashes: number;
  /** Of the receiver's process, at its peak. */
  maxRssMb: number;
  seconds: number;
}

const SECRETS = hostExamples.map(({ settings }) => settings.webhookSecret);
/** As many as may send a large body at a time: more are told to come later, which is no fault of the payload. */
const AT_ONCE = 8;

/** Sends so many requests for each type of host at a `deliverd receiver` of its own process, and sees what comes back. */
export async function fuzzWebhooks(options: {
  payloadsForEach: number;
  seed: number;
  say?: (line: string) => void;
}): Promise<WebhookRun> {
  const random = new Random(options.seed);
  const redis = await startRedis();
  const deliverd = await startDeliverd({ command: "receiver", config: configFor(redis.url) });
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  const port = Number(new URL(deliverd.url).port);
  const run: WebhookRun = { payloads: 0, answers: {}, unexpected: [], crashes: 0, maxRssMb: 0, seconds: 0 };
  const makers = hostExamples.map((host) => ({ key: keyOf(host), make: caseMaker(host) }));
  const total = options.payloadsForEach * makers.length;
  const started = performance.now();
  try {
    const next = async (): Promise<void> => {
      while (run.payloads < total && run.crashes === 0) {
        const { key, make } = makers[run.payloads % makers.length] ?? assert.fail();
        run.payloads += 1;
        if (run.payloads % 10_000 === 0) options.say?.(`${run.payloads} payloads`);
        const each = make(random);
        const { status, text } = await send(agent, port, each);
        const answers = run.answers[key] ?? {};
        run.answers[key] = { ...answers, [status]: (answers[status] ?? 0) + 1 };
        const leaks = [...SECRETS, deliverd.adminToken].some((secret) => text.includes(secret));
        if (!each.expected.includes(status) || leaks) note(run, each, status, text);
        if (status === 0 && !isAlive(deliverd.pid())) run.crashes += 1;
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, next));
    if (run.crashes === 0) run.maxRssMb = await peakOf(deliverd.pid());
    for (const host of hostExamples) await sendLast(host);
    if (/"level":"error"/.test(deliverd.output())) run.unexpected.push(firstError(deliverd.output()));
  } finally {
    run.seconds = (performance.now() - started) / 1000;
    agent.destroy();
    await deliverd.remove();
    await redis.stop();
  }
  return run;

  /** After all of it, an example is still taken. */
  async function sendLast(host: HostExamples): Promise<void> {
    const { table, sign } = host;
    const key = keyOf(host);
    const example = table.find(({ expected }) => "hints" in expected) ?? assert.fail(`${key} has no hint`);
    const body = Buffer.from(JSON.stringify(example.body));
    const headers = { "content-type": "application/json", ...example.headers, ...sign(body) };
    const last = { what: "the last one", method: "POST", path: `/webhooks/${key}`, headers, body, expected: [202] };
    const { status, text } = await send(agent, port, last);
    if (status !== 202) note(run, last, status, text);
  }
}

function configFor(redisUrl: string): Record<string, unknown> {
  return {
    redisUrl,
    hosts: Object.fromEntries(hostExamples.map((host) => [keyOf(host), host.settings])),
    repos: hostExamples.map((host) => `${keyOf(host)}/**`),
  };
}

function note(run: WebhookRun, each: Case, status: number, text: string): void {
  if (run.unexpected.length >= 10) return;
  const { method, path, headers, body } = each;
  const request = `${method} ${path}, ${JSON.stringify(headers).slice(0, 300)}, ${body.length} bytes`;
  const shown = JSON.stringify(body.subarray(0, 300).toString("latin1"));
  run.unexpected.push(`#${run.payloads} ${each.what}: ${status} ${text.slice(0, 200)} to ${request}: ${shown}`);
}

function firstError(output: string): string {
  return output.split("\n").find((line) => line.includes('"level":"error"')) ?? "";
}

const guarded = new WeakSet<object>();

/** Status 0: the connection ended without an answer. */
function send(agent: Agent, port: number, each: Case, isAgain = false): Promise<{ status: number; text: string }> {
  return new Promise((resolve) => {
    const { method, path, body } = each;
    // node checks names only; values go out as Latin-1, as a hostile client's would.
    const headers = { ...each.headers, "content-length": String(body.length) };
    const request = httpRequest(
      { agent, host: "127.0.0.1", port, method, path, headers, timeout: 60_000 },
      (response) => {
        let text = "";
        response.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
        response.on("error", (error) => resolve({ status: response.statusCode ?? 0, text: String(error) }));
      },
    );
    request.on("timeout", () => request.destroy(new Error("no answer within 60 s")));
    request.on("socket", (socket) => {
      // Where the server answers and closes before all was sent, the rest fails on a socket that nobody listens to any more.
      if (!guarded.has(socket)) guarded.add(socket.on("error", () => {}));
    });
    request.on("error", (error) => {
      // The server may close an idle connection at the very moment we use it again.
      if (request.reusedSocket && !isAgain) resolve(send(agent, port, each, true));
      else resolve({ status: 0, text: String(error) });
    });
    request.end(body);
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
