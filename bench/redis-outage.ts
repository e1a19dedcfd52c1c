import { randomUUID } from "node:crypto";
import { join } from "node:path";
import Database from "libsql";
import { startRedis, type TestRedis } from "../test/support/databases/redis.ts";
import type { SampleRepo } from "../test/support/fixtures/sample-repo.ts";
import type { JsonObject } from "../test/support/hosts/github/github.ts";
import { until } from "../test/support/processes/process.ts";
import { image, pipeline, startWorld, WEBHOOK_SECRET, type World } from "../test/support/world/world.ts";
import { type Bench, withOpened } from "./bench.ts";
import { load, webhook } from "./load.ts";
import { type Row, toRow } from "./row.ts";
import { daemonEnvironment } from "./servers.ts";

const REPOS = 10;
const COMMITS = 100;
/** GitHub tells of a commit about so often: its push, then each step of its CI. */
const HINTS_OF_COMMIT = 10;
const HINTS = REPOS * COMMITS * HINTS_OF_COMMIT;
const CONNECTIONS = 8;
const PATIENCE = 20 * 60_000;

/**
 * Catching up after Redis was away: 10,000 webhooks, ten for each of 1,000 commits of 10 repos, are accepted while it is
 * gone; it comes back empty, and the clock runs until the last of them is evaluated. One evaluation answers all hints of a
 * commit that were there before it, so the commits are the work, and both rates are told. No light is green: nothing is
 * built. The host's limit of 5,000 calls an hour is lifted, since it would be what is measured.
 * @throws where one webhook is not accepted, or one hint is never done
 */
export function redisOutage(bench: Bench): Promise<Row[]> {
  return withOpened(async (open) => {
    const redis = await open(startRedis(), (one) => one.stop());
    const config = { redisUrl: redis.url, prepare: "onGreen" };
    const world = await open(startWorld({ env: daemonEnvironment(), config }), (one) => one.stop());
    world.github.webhooksOff = true;
    world.github.rateLimit.limit = 10_000_000;
    const repos: SampleRepo[] = [];
    for (let index = 0; index < REPOS; index++) {
      const repo = await world.repo(`repo-${index}`, { ".deliverd.yml": pipeline([image(`repo-${index}`)]) });
      const [push] = (await repo.push()).slice(-1);
      if (push !== undefined) await world.github.redeliver(push);
      repos.push(repo);
    }
    await caughtUp(bench, world, REPOS);
    const seconds: number[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      seconds.push(await outage(bench, world, redis, repos, REPOS + HINTS * (round + 1)));
      bench.say(
        `round ${round + 1} of ${bench.rounds}: ${HINTS} hints were done ${seconds.at(-1)} s after Redis was back`,
      );
    }
    const rate = (count: number) => seconds.map((each) => count / each);
    return [
      toRow({ row: "redis-outage", beside: "–", unit: "hints/s" }, rate(HINTS), []),
      toRow({ row: "redis-outage-commits", beside: "–", unit: "commits/s" }, rate(REPOS * COMMITS), []),
    ];
  });
}

/** @returns seconds from Redis' return to the last hint done */
async function outage(
  bench: Bench,
  world: World,
  redis: TestRedis,
  repos: SampleRepo[],
  total: number,
): Promise<number> {
  const requests = (await Promise.all(repos.map((repo) => moreCommits(world, repo)))).flat();
  await redis.stop("SIGKILL");
  for (const repo of repos) await repo.push();
  const { perSecond } = await load(Number(new URL(world.deliverd.url).port), requests, CONNECTIONS, 202);
  bench.say(`${requests.length} webhooks were accepted without Redis, ${Math.round(perSecond)} a second`);
  const asked = world.github.requests.length;
  await redis.restart();
  const back = performance.now();
  await caughtUp(bench, world, total);
  bench.say(`GitHub was asked ${world.github.requests.length - asked} times meanwhile`);
  return Number(((performance.now() - back) / 1000).toFixed(1));
}

/** Commits on the main branch, and the webhooks that GitHub would send of each. */
async function moreCommits(world: World, repo: SampleRepo): Promise<Buffer[]> {
  const ref = "refs/heads/main";
  const before = await repo.head();
  for (let count = 0; count < COMMITS; count++)
    await repo.git("commit", "--quiet", "--allow-empty", "--message", "More");
  const shas = (await repo.git("rev-list", "--reverse", `${before}..HEAD`)).split("\n");
  world.github.setStatus(repo.repo, before, { context: "test", state: "pending" });
  const push = await world.github.webhook("push", repo.repo, { ref, before, after: before });
  const status = await world.github.webhook("status", repo.repo, { sha: before, context: "test" });
  return shas.flatMap((sha) =>
    Array.from({ length: HINTS_OF_COMMIT }, (_, index) =>
      index === 0 ? about(sha, before, "push", push) : about(sha, before, "status", status),
    ),
  );
}

/** The payload about another commit. */
function about(sha: string, model: string, event: string, payload: JsonObject): Buffer {
  const body = Buffer.from(JSON.stringify(payload).replaceAll(model, sha));
  return webhook("/webhooks/github", { event, id: randomUUID(), secret: WEBHOOK_SECRET, body });
}

/** Resolves when so many hints have come by webhook, and each of them is done. */
async function caughtUp(bench: Bench, world: World, total: number): Promise<void> {
  const ledger = new Database(join(world.deliverd.dataDir, "ledger.db"), { readonly: true });
  let saidAt = performance.now();
  try {
    const count = ledger.prepare("select count(*) as hints, count(done_at) as done from hints where event <> 'sweep'");
    await until(
      `all ${total} hints are done`,
      () => {
        const { hints, done } = count.get() as { hints: number; done: number };
        if (Number(hints) !== total)
          throw new Error(`${total} webhooks were accepted, and the ledger has ${hints} hints`);
        if (performance.now() - saidAt > 10_000) {
          bench.say(`${done} of ${hints} hints are done`);
          saidAt = performance.now();
        }
        return Number(done) === total;
      },
      PATIENCE,
    );
  } finally {
    ledger.close();
  }
}
