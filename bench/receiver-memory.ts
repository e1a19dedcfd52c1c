import { setTimeout as delay } from "node:timers/promises";
import { startRedis } from "../test/support/databases/redis.ts";
import { type Measure, withOpened } from "./bench.ts";
import { CONNECTIONS, pushes, startReceiver } from "./ingest.ts";
import { load } from "./load.ts";
import { toRow } from "./row.ts";
import { residentBytes } from "./servers.ts";

/** Of load; fewer for whoever works on this row: `DELIVERD_BENCH_MINUTES=3`. */
const MINUTES = Number(process.env.DELIVERD_BENCH_MINUTES ?? 10);
const EACH_SECOND = 1_000;

/**
 * Memory of a receiver that takes a thousand webhooks a second for ten minutes: in the last of them, beside the second. Once,
 * whatever `--rounds` says. One sample a second, right after its thousand.
 */
export const receiverMemory: Measure = (bench) =>
  withOpened(async (open) => {
    const redis = await open(startRedis(), (one) => one.stop());
    const receiver = await open(startReceiver(redis.url), (one) => one.remove());
    const minutes: number[][] = [];
    for (let minute = 0; minute < MINUTES; minute++) {
      const samples: number[] = [];
      for (const end = performance.now() + 60_000; performance.now() < end; ) {
        const next = performance.now() + 1_000;
        await load(Number(new URL(receiver.url).port), pushes("/webhooks/github", EACH_SECOND), CONNECTIONS, 202);
        samples.push((await residentBytes(receiver.pid())) / 1e6);
        await delay(Math.max(0, next - performance.now()));
      }
      minutes.push(samples);
      bench.say(`minute ${minute + 1} of ${MINUTES}: at most ${Math.round(Math.max(...samples))} MB`);
    }
    const goal = { of: "ratio", is: "≤", bound: 1.1 } as const;
    const named = { row: "receiver-memory", beside: "the same in the second minute", unit: "MB", goal };
    return [toRow(named, minutes.at(-1) ?? [], minutes[1] ?? [])];
  });
