import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startRedis } from "../test/support/databases/redis.ts";
import { type GitHubStandIn, startGitHub } from "../test/support/hosts/github/github.ts";
import { freePort, tempDir } from "../test/support/processes/process.ts";
import { alternate, type Bench, withOpened } from "./bench.ts";
import { type Row, toRow } from "./row.ts";
import { pathOf, probotEnvironment, SECRET, timeToAnswer } from "./servers.ts";

const BIN = fileURLToPath(new URL("../dist/src/cli/index.js", import.meta.url));

/** From the spawn to ready: deliverd on a data directory that it has used before, with its own Redis and with one that runs. */
export function startUp(bench: Bench): Promise<Row[]> {
  return withOpened(async (open) => {
    const redis = await open(startRedis(), (one) => one.stop());
    const dir = await open(tempDir(), (one) => one.remove());
    const github = await open(startGitHubOfOne(), (one) => one.close());
    const alone = await daemon(dir.path, "alone", github, {});
    const withRedis = await daemon(dir.path, "redis", github, { redisUrl: redis.url });
    const probot = await probotStart();
    const once = async (start: () => ReturnType<typeof timeToAnswer>): Promise<number> => {
      const { ms, stop } = await start();
      await stop();
      return Math.round(ms);
    };
    for (const start of [alone, withRedis, probot]) await once(start);
    const figures = await alternate(bench, {
      "its own Redis": () => once(alone),
      "a Redis that runs": () => once(withRedis),
      Probot: () => once(probot),
    });
    const [mine = [], given = [], theirs = []] = Object.values(figures);
    const goal = { of: "ratio", is: "≤", bound: 1.5 } as const;
    const beside = "Probot, to its first answer";
    return [
      toRow({ row: "start-up", beside, unit: "ms", goal }, mine, theirs),
      toRow({ row: "start-up-redis-url", beside, unit: "ms", goal }, given, theirs),
    ];
  });
}

/** For daemons that have no work: one repo, in which nothing happens. */
export async function startGitHubOfOne(): Promise<GitHubStandIn> {
  const github = await startGitHub();
  await github.createRepo({ owner: "acme", name: "api" });
  return github;
}

/** Registries and the engine are asked when there is work, so there are none. */
export async function daemon(
  directory: string,
  name: string,
  github: GitHubStandIn,
  more: Record<string, unknown>,
  command: "start" | "receiver" = "start",
): Promise<() => ReturnType<typeof timeToAnswer>> {
  const port = await freePort();
  const file = join(directory, `${name}.yml`);
  const config = {
    publicUrl: `http://127.0.0.1:${port}`,
    port,
    dataDir: join(directory, name),
    adminToken: "admin-of-the-bench",
    docker: { socket: join(directory, "no-engine") },
    hosts: {
      github: {
        type: "github",
        apiUrl: github.apiUrl,
        cloneUrl: github.cloneUrl,
        webhookSecret: SECRET,
        token: github.token,
      },
    },
    registries: { local: { type: "oci", url: "http://127.0.0.1:9", default: true } },
    repos: ["acme/api"],
    ...more,
  };
  // JSON is YAML.
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  return () =>
    timeToAnswer([BIN, command, "--config", file], {}, { port, path: "/readyz", accept: (status) => status === 200 });
}

export async function probotStart(): Promise<() => ReturnType<typeof timeToAnswer>> {
  const port = await freePort();
  const env = { PORT: `${port}`, WEBHOOK_SECRET: SECRET, ...probotEnvironment() };
  return () => timeToAnswer([pathOf("probot.mjs")], env, { port, path: "/", accept: (status) => status > 0 });
}
