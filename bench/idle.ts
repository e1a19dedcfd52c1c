import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { startRedis } from "../test/support/databases/redis.ts";
import { tempDir } from "../test/support/processes/process.ts";
import { type Bench, withOpened } from "./bench.ts";
import { type Row, toRow } from "./row.ts";
import { cpuSeconds, residentBytes } from "./servers.ts";
import { daemon, probotStart, startGitHubOfOne } from "./start-up.ts";

const WINDOW = 30;
const SETTLE = 15_000;

/** Memory and processor time of daemons that nobody asks anything, all side by side in the same windows of 30 s. */
export function idle(bench: Bench): Promise<Row[]> {
  return withOpened(async (open) => {
    const given = await open(startRedis(), (one) => one.stop());
    const github = await open(startGitHubOfOne(), (one) => one.close());
    const dir = await open(tempDir(), (one) => one.remove());
    const started = async (start: () => ReturnType<Awaited<ReturnType<typeof probotStart>>>) =>
      (await open(start(), (one) => one.stop())).pid;
    const pids = {
      deliverd: await started(await daemon(dir.path, "all", github, {})),
      receiver: await started(await daemon(dir.path, "receiver", github, { redisUrl: given.url }, "receiver")),
      Probot: await started(await probotStart()),
      redis: Number(await readFile(join(dir.path, "all", "redis", "redis.pid"), "utf8")),
    };
    // What starting up leaves to be done, V8's own tidying some eight seconds later with it, shall not count as idling.
    await delay(SETTLE);
    const rounds: { rss: Record<string, number>; cpu: Record<string, number> }[] = [];
    for (let round = 0; round < bench.rounds; round++) {
      const before = await each(pids, cpuSeconds);
      await delay(WINDOW * 1000);
      const after = await each(pids, cpuSeconds);
      const cpu = Object.fromEntries(
        Object.keys(pids).map((name) => [name, (100 * ((after[name] ?? 0) - (before[name] ?? 0))) / WINDOW]),
      );
      const rss = await each(pids, async (pid) => (await residentBytes(pid)) / 1e6);
      rounds.push({ rss, cpu });
      bench.say(`round ${round + 1} of ${bench.rounds}: ${JSON.stringify({ rss, cpu })}`);
    }
    const of = (what: "rss" | "cpu", name: keyof typeof pids) => rounds.map((round) => round[what][name] ?? Number.NaN);
    const goal = { of: "ratio", is: "≤", bound: 1.5 } as const;
    const little = { of: "ours", is: "≤", bound: 0.2 } as const;
    return [
      toRow({ row: "idle-rss", beside: "Probot", unit: "MB", goal }, of("rss", "deliverd"), of("rss", "Probot")),
      toRow(
        { row: "idle-rss-receiver", beside: "Probot", unit: "MB", goal },
        of("rss", "receiver"),
        of("rss", "Probot"),
      ),
      toRow({ row: "idle-rss-redis", beside: "–", unit: "MB" }, of("rss", "redis"), []),
      toRow(
        { row: "idle-cpu", beside: "Probot", unit: "% of a core", goal: little },
        of("cpu", "deliverd"),
        of("cpu", "Probot"),
      ),
      toRow(
        { row: "idle-cpu-receiver", beside: "Probot", unit: "% of a core", goal: little },
        of("cpu", "receiver"),
        of("cpu", "Probot"),
      ),
      toRow({ row: "idle-cpu-redis", beside: "–", unit: "% of a core", goal: little }, of("cpu", "redis"), []),
    ];
  });
}

async function each(
  pids: Record<string, number>,
  ask: (pid: number) => Promise<number>,
): Promise<Record<string, number>> {
  return Object.fromEntries(await Promise.all(Object.entries(pids).map(async ([name, pid]) => [name, await ask(pid)])));
}
