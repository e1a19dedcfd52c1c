import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { figure, seconds } from "../faults/figures.ts";
import { begin, quickFiles, settled } from "../faults/support.ts";
import type { TestRedis } from "../support/databases/redis.ts";
import { until } from "../support/processes/process.ts";
import type { World } from "../support/world/world.ts";

const RESUME = 10_000;

/** Ends Redis in the middle of work, sends more of it, and brings an empty Redis back after `ms`. */
export async function redisGoesAway(world: World, redis: TestRedis, ms: number): Promise<void> {
  const name = `outage-${ms}`;
  const repo = await world.repo(name, quickFiles(name));
  const before = await begin(world, repo);
  await redis.stop("SIGKILL");
  const end = Date.now() + ms;
  await repo.commit({ "greeting.txt": "While it was down\n" });
  const sent = world.github.hooks.length;
  const during = await begin(world, repo);
  const answers = world.github.hooks.slice(sent).map((hook) => hook.answer?.status);
  assert.deepEqual([...new Set(answers)], [202]);
  const readiness = await until("readiness has noticed", async () => {
    const answer = await world.deliverd.fetch("/readyz");
    const { degraded } = (await answer.json()) as { degraded: string[] };
    return degraded.length > 0 && [answer.status, ...degraded];
  });
  assert.deepEqual(readiness, [200, "redis"]);
  await delay(Math.max(0, end - Date.now()));
  await redis.restart();
  const back = Date.now();
  await until(
    "work resumes",
    () => world.github.lastStatus(repo.repo, during.sha, `deliverd/${name}`) !== undefined,
    RESUME,
  );
  figure(`Redis away for ${seconds(ms)}`, `work resumed ${seconds(Date.now() - back)} after its return`);
  await settled(world, [before, during]);
}
