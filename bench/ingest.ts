import { createHash, randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import { join } from "node:path";
import Database from "libsql";
import { startRedis } from "../test/support/databases/redis.ts";
import { tempDir, until } from "../test/support/processes/process.ts";
import { startDeliverd } from "../test/support/world/deliverd.ts";
import { alternate, type Bench, withOpened } from "./bench.ts";
import { load, webhook } from "./load.ts";
import { type Row, toRow } from "./row.ts";
import { daemonEnvironment, probotEnvironment, SECRET, startPeer } from "./servers.ts";

export const CONNECTIONS = 32;
const REQUESTS = 6_000;
const WARM_UP = 2_000;

/** Webhooks a second with the hint committed before the answer, beside receivers that keep nothing. */
export function ingest(bench: Bench): Promise<Row[]> {
  return withOpened(async (open) => {
    const redis = await open(startRedis(), (one) => one.stop());
    const ours = await open(startReceiver(redis.url), (one) => one.remove());
    const dir = await open(tempDir(), (one) => one.remove());
    const [bare, bareInbox, probot] = [
      await open(startPeer("bare.mjs"), (one) => one.stop()),
      await open(startPeer("bare-inbox.mjs", { DATA_DIR: dir.path }), (one) => one.stop()),
      await open(startPeer("probot.mjs", probotEnvironment()), (one) => one.stop()),
    ];
    let sent = 0;
    const send = async (port: number, path: string, status: number, count = REQUESTS) => {
      const requests = pushes(path, count);
      const { perSecond, p99 } = await load(port, requests, CONNECTIONS, status);
      return { perSecond: Math.round(perSecond), p99: Number(p99.toFixed(2)) };
    };
    const toOurs = async (count = REQUESTS) => {
      sent += count;
      const figures = await send(Number(new URL(ours.url).port), "/webhooks/github", 202, count);
      await queued(ours.url);
      return figures;
    };
    const contenders = {
      deliverd: () => toOurs(),
      "node:http + HMAC": () => send(bare.port, "/", 202),
      "node:http + HMAC + our inbox": () => send(bareInbox.port, "/", 202),
      Probot: () => send(probot.port, "/api/github/webhooks", 200),
    };
    await toOurs(WARM_UP);
    await send(bare.port, "/", 202, WARM_UP);
    await send(bareInbox.port, "/", 202, WARM_UP);
    await send(probot.port, "/api/github/webhooks", 200, WARM_UP);

    const figures = await alternate(bench, contenders);
    demandKept(ours.dataDir, sent);
    const row = (name: string, peer: keyof typeof contenders, of: "perSecond" | "p99", goal?: number) =>
      toRow(
        {
          row: name,
          beside: peer,
          unit: of === "p99" ? "ms" : "requests/s",
          ...(goal === undefined ? {} : { goal: { of: "ratio", is: of === "p99" ? "≤" : "≥", bound: goal } as const }),
        },
        figures.deliverd?.map((each) => each[of]) ?? [],
        figures[peer]?.map((each) => each[of]) ?? [],
      );
    return [
      row("ingest", "Probot", "perSecond", 1),
      row("ingest-bare", "node:http + HMAC", "perSecond"),
      row("ingest-inbox", "node:http + HMAC + our inbox", "perSecond"),
      row("ingest-p99", "node:http + HMAC + our inbox", "p99", 2),
      row("ingest-p99-bare", "node:http + HMAC", "p99"),
      row("ingest-p99-probot", "Probot", "p99"),
    ];
  });
}

/** Without a worker: hints gather in the ledger and jobs in Redis, and nothing is evaluated beside the load. */
export function startReceiver(redisUrl: string) {
  return startDeliverd({
    command: "receiver",
    env: daemonEnvironment(),
    config: {
      redisUrl,
      hosts: { github: { type: "github", webhookSecret: SECRET, token: "ghs_bench" } },
      registries: { local: { type: "oci", url: "http://127.0.0.1:5000", default: true } },
      repos: ["Codertocat/*"],
    },
  });
}

/** Evaluations leave for Redis beside the answers, and most of a burst's after it: that shall not be a burden to who is measured next. */
async function queued(url: string): Promise<void> {
  await until(
    "all evaluations are in Redis",
    async () => {
      const metrics = await (await fetch(`${url}/metrics`)).text();
      return /^deliverd_evaluations_waiting 0$/m.test(metrics);
    },
    60_000,
  );
}

/** A figure for requests that were lost would be worth nothing. */
function demandKept(dataDir: string, sent: number): void {
  const ledger = new Database(join(dataDir, "ledger.db"), { readonly: true });
  const { kept } = ledger.prepare("select count(*) as kept from hints").get() as { kept: number };
  ledger.close();
  if (Number(kept) !== sent) throw new Error(`${sent} webhooks were accepted, and the ledger has ${kept} hints`);
}

interface PushExample {
  after: string;
  head_commit: { id: string };
}

let made = 0;

/** Signed pushes as GitHub sends them, each of a commit of its own: a commit that is waited for already would cost less. */
export function pushes(path: string, count: number): Buffer[] {
  const example = examplePush();
  return Array.from({ length: count }, () => {
    const sha = createHash("sha1").update(`${made++}`).digest("hex");
    const body = Buffer.from(
      JSON.stringify({ ...example, after: sha, head_commit: { ...example.head_commit, id: sha } }),
    );
    return webhook(path, { event: "push", id: randomUUID(), secret: SECRET, body });
  });
}

function examplePush(): PushExample {
  const require = createRequire(import.meta.url);
  const all = require("@octokit/webhooks-examples/api.github.com/index.json") as {
    name: string;
    examples: unknown[];
  }[];
  const pushed = all.find((event) => event.name === "push")?.examples as (PushExample & { deleted: boolean })[];
  // The largest: 7.7 kB, with a commit in it.
  const [largest] = pushed
    .filter((one) => one.head_commit !== null && !one.deleted)
    .sort((a, b) => JSON.stringify(b).length - JSON.stringify(a).length);
  if (largest === undefined) throw new Error("@octokit/webhooks-examples has no push");
  return largest;
}
