import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { freePort, type Server, startInTempDir, startServer, until } from "../test/support/processes/process.ts";
import { SECRET } from "./servers.ts";

const run = promisify(execFile);
const SET_UP = fileURLToPath(new URL("../scripts/setup.mjs", import.meta.url));

export interface Buildbot {
  /** Where GitHub would send its webhooks, signed with SECRET. */
  hookUrl: string;
  /** Resolves when no build runs. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

/** By the full name of a repo, the steps that a push to its main begins: expressions of Python. */
export type Builds = Record<string, string[]>;

/**
 * Fetches the commit and builds its Dockerfile. `incremental` is the Git step's default and its quickest way: `mode='full'`
 * also cleans the tree (`clean`, `fresh`), or clones anew (`clobber`; only that can be shallow).
 */
export function gitThenDockerBuild(cloneUrl: string): string[] {
  return [
    `steps.Git(repourl='${cloneUrl}', mode='incremental', progress=False, logEnviron=False,
        config={'http.extraHeader': environ['AUTHORIZATION']})`,
    ...oneCommand(["docker", "build", "--quiet", "--network", "host", "."]),
  ];
}

export function oneCommand(command: string[]): string[] {
  return [`steps.ShellCommand(command=${JSON.stringify(command)}, logEnviron=False)`];
}

/**
 * A Buildbot of one master on SQLite and one worker, as its packages install it. A push begins its build at once (no
 * `treeStableTimer`). Debian has the server without its pages (buildbot-www), which it asks for all the same: it is given none.
 * The webhooks' way and the REST API are in the server itself.
 * @param environment of master and worker, by their home
 */
export async function startBuildbot(
  environment: (home: string) => Record<string, string>,
  builds: Builds,
): Promise<Buildbot> {
  await run(process.execPath, [SET_UP, "webhook-to-build"], { maxBuffer: 10_000_000 });
  return startInTempDir(async (dir) => {
    const [pb, www] = [await freePort(), await freePort()];
    const [master, worker] = [join(dir.path, "master"), join(dir.path, "worker")];
    const env = environment(dir.path);
    await run("buildbot", ["create-master", master], { env });
    await writeFile(join(master, "master.cfg"), configuration({ pb, www, builds }));
    await run("buildbot-worker", ["create-worker", worker, `127.0.0.1:${pb}`, "worker", "pass"], { env });
    const ask = async (path: string) => {
      const answer = await fetch(`http://127.0.0.1:${www}/api/v2/${path}`);
      if (!answer.ok) throw new Error(`Buildbot answers ${answer.status}`);
      return (await answer.json()) as { workers: { connected_to: unknown[] }[]; meta: { total: number } };
    };
    const servers: Server[] = [];
    const stop = async () => {
      for (const server of servers.reverse()) await server.stop();
      await dir.remove();
    };
    try {
      servers.push(await startServer("buildbot", ["start", "--nodaemon", master], () => ask("workers"), { env }));
      const isConnected = async () => {
        const { workers } = await ask("workers");
        if (!workers.some((each) => each.connected_to.length > 0)) throw new Error("no worker is connected");
      };
      servers.push(await startServer("buildbot-worker", ["start", "--nodaemon", worker], isConnected, { env }));
    } catch (error) {
      await stop();
      throw error;
    }
    return {
      hookUrl: `http://127.0.0.1:${www}/change_hook/github`,
      idle: async () => {
        await until("Buildbot is idle", async () => (await ask("builds?complete=false")).meta.total === 0);
      },
      stop,
    };
  });
}

function configuration({ pb, www, builds }: { pb: number; www: number; builds: Builds }): string {
  const ofRepos = Object.entries(builds).map(([repo, steps]) => `    '${repo}': [${steps.join(", ")}],\n`);
  return `from os import environ

from buildbot.plugins import schedulers, steps, util, worker
from buildbot.www.service import WWWService
from twisted.web.resource import Resource


class NoPages:
    names = ['base']
    static_dir = '.'
    resource = Resource()

    def __contains__(self, name):
        return name == 'base'

    def get(self, name):
        return self


WWWService.apps = property(lambda self: NoPages(), lambda self, value: None)

BUILDS = {
${ofRepos.join("")}}

BuildmasterConfig = {
    'workers': [worker.Worker('worker', 'pass')],
    'protocols': {'pb': {'port': 'tcp:${pb}:interface=127.0.0.1'}},
    'schedulers': [schedulers.SingleBranchScheduler(
        name=repo, change_filter=util.ChangeFilter(project=repo, branch='main'), treeStableTimer=None, builderNames=[repo])
        for repo in BUILDS],
    'builders': [util.BuilderConfig(name=repo, workernames=['worker'], factory=util.BuildFactory(BUILDS[repo]))
        for repo in BUILDS],
    'www': {'port': 'tcp:${www}:interface=127.0.0.1', 'plugins': {},
        'change_hook_dialects': {'github': {'secret': '${SECRET}', 'strict': True}}},
    'db': {'db_url': 'sqlite:///state.sqlite'},
    'buildbotURL': 'http://127.0.0.1:${www}/',
    'buildbotNetUsageData': None,
}
`;
}
