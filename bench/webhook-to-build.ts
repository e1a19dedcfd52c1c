import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type SampleRepo, sampleRepo } from "../test/support/sample-repo.ts";
import { image, pipeline, startWorld, type World } from "../test/support/world.ts";
import { alternate, type Bench, withOpened } from "./bench.ts";
import { type Buildbot, startBuildbot } from "./buildbot.ts";
import { changeOne, fillSmall } from "./repos.ts";
import { type Row, toRow } from "./row.ts";
import { daemonEnvironment, SECRET } from "./servers.ts";

const NAME = "small";

/**
 * From a webhook to the first command of the build, on daemons that have nothing else to do. The command is the same on both
 * sides: busybox asks a port of this process, and the clock stops when the question is there. For deliverd it is a RUN of the
 * Dockerfile: its time holds the look at CI, the fetch of the commit, handing it to the engine, the COPY before it and the
 * start of a container. Buildbot fetches nothing and starts a process on the worker's own host. Each is told by the one
 * webhook that makes it begin: deliverd by a check run that turned green of a commit it has not heard of, Buildbot by the
 * push; neither waits for anything to settle. When the delivery went to `building`, as the ledger has it, is a row of its own.
 */
export function webhookToBuild(bench: Bench): Promise<Row[]> {
  return withOpened(async (open) => {
    const bell = await open(startBell(), (one) => one.close());
    const command = ["/bin/busybox", "wget", "-q", "-O", "-", bell.url];
    const buildbot = await open(startBuildbot(command), (one) => one.stop());
    const world = await open(
      startWorld({
        env: daemonEnvironment(),
        config: ({ engine }) => ({ docker: { socket: engine.socket, network: "host" }, notices: [] }),
      }),
      (one) => one.stop(),
    );
    world.github.webhooksOff = true;
    const ours = await world.repo(NAME);
    await fillSmall(ours);
    const dockerfile = `FROM scratch\nCOPY . /\nRUN ${JSON.stringify(["/busybox", ...command.slice(1)])}\n`;
    await ours.commit({ Dockerfile: dockerfile, ".deliverd.yml": pipeline([image(NAME)]) }, "Add a pipeline");
    // One that deliverd does not know: its sweep would find the commits.
    const theirs = await open(sampleRepo(world.github, { owner: "peer", name: NAME }), (one) => one.remove());
    const begun: number[] = [];
    const contenders = {
      deliverd: async () => {
        const { first, building } = await byDeliverd(world, ours, bell);
        begun.push(building);
        return first;
      },
      Buildbot: () => byBuildbot(world, buildbot, theirs, bell),
    };
    bench.say("first builds, so that everything is warm");
    for (const each of Object.values(contenders)) await each();
    begun.length = 0;
    const figures = await alternate(bench, contenders);
    const beside = "Buildbot, one ShellCommand";
    const goal = { of: "ratio", is: "≤", bound: 0.25 } as const;
    return [
      toRow({ row: "webhook-to-build", beside, unit: "ms", goal }, figures.deliverd ?? [], figures.Buildbot ?? []),
      toRow({ row: "webhook-to-build-building", beside: "–", unit: "ms" }, begun, []),
    ];
  });
}

interface Bell {
  url: string;
  /** Resolves when it is rung next, with `performance.now()` of that moment. */
  rung(): Promise<number>;
  close(): Promise<void>;
}

async function startBell(): Promise<Bell> {
  const server = createServer((_request, response) => {
    server.emit("rung", performance.now());
    response.end("ok\n");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    rung: async () => (await once(server, "rung", { signal: AbortSignal.timeout(60_000) }))[0] as number,
    async close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

/** @returns ms */
async function byDeliverd(world: World, repo: SampleRepo, bell: Bell): Promise<{ first: number; building: number }> {
  await changeOne(repo);
  const sha = await repo.head();
  await repo.push();
  const green = (await world.github.green(repo.repo, sha)).find((hook) => hook.event === "check_run");
  if (green === undefined) throw new Error("GitHub told of no check run");
  const rung = bell.rung();
  const [begin, beganAt] = [performance.now(), Date.now()];
  const { status, body } = await world.github.redeliver(green);
  if (status !== 202) throw new Error(`the webhook was answered ${status}: ${body}`);
  const first = Math.round((await rung) - begin);
  await world.status(repo, sha, NAME, "success");
  const { startedAt } = await world.delivery(repo, sha);
  return { first, building: Date.parse(startedAt ?? "") - beganAt };
}

/** @returns ms */
async function byBuildbot(world: World, buildbot: Buildbot, repo: SampleRepo, bell: Bell): Promise<number> {
  await changeOne(repo);
  const [push] = (await repo.push()).slice(-1);
  if (push === undefined) throw new Error("GitHub told of no push");
  const rung = bell.rung();
  const begin = performance.now();
  const { status, body } = await world.github.send(buildbot.hookUrl, SECRET, "push", push.payload);
  if (status < 200 || status >= 300) throw new Error(`the webhook was answered ${status}: ${body}`);
  const first = Math.round((await rung) - begin);
  await buildbot.idle();
  return first;
}
