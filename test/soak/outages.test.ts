import assert from "node:assert/strict";
import { redisGoesAway } from "../faults/redis-outage.ts";
import { startRedis } from "../support/redis.ts";
import { startWorld } from "../support/world.ts";

describe("Redis", function () {
  this.timeout(240_000);

  it("down for 60 s: webhooks are taken, readiness says so; work resumes within 10 s of its return", async () => {
    const redis = await startRedis();
    const world = await startWorld({ config: { redisUrl: redis.url } });
    try {
      await redisGoesAway(world, redis, 60_000);
      assert.deepEqual(world.github.violations, []);
    } finally {
      await world.stop();
      await redis.stop();
    }
  });
});
