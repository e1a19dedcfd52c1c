import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type SampleRepo, sampleRepo } from "../test/support/fixtures/sample-repo.ts";
import { image, pipeline, startWorld, type World } from "../test/support/world/world.ts";
import { alternate, type Bench, withOpened } from "./bench.ts";
import { type Buildbot, gitThenDockerBuild, oneCommand, startBuildbot } from "./buildbot.ts";
import { changeOne, fillSmall } from "./repos.ts";
import { type Row, toRow } from "./row.ts";
import { environmentOf } from "./script.ts";
import { daemonEnvironment, SECRET } from "./servers.ts";

const NAME = "small";

/**
 * From a webhook to the first command of the build, on daemons that have nothing else to do. Both fetch the commit from the same
 * git server and have the same engine build the same Dockerfile; its first RUN has busybox ask a port of this process, and the
 * clock stops when the question is there. Each is told by the one webhook that makes it begin: deliverd by a check run that
 * turned green of a commit it has not heard of, so that its time holds the look at CI; Buildbot by the push. Neither waits for
 * anything to settle. Two rows stand beside: Buildbot that fetches nothing and starts the command on its worker's own host, and
 * when the delivery went to `building`, as the ledger has it.
 */
export function webhookToBuild(bench: Bench): Promise<Row[]> {
  return withOpened(async (open) => {
    const bell = await open(startBell(), (one) => one.close());
    const world = await open(
      startWorld({
        env: daemonEnvironment(),
        config: ({ engine }) => ({ docker: { socket: engine.socket, network: "host" }, notices: [] }),
      }),
      (one) => one.stop(),
    );
    world.github.webhooksOff = true;
    const ring = ["wget", "-q", "-O", "-", bell.url];
    const fill = async (repo: SampleRepo) => {
      await fillSmall(repo);
      const dockerfile = `FROM scratch\nCOPY . /\nRUN ${JSON.stringify(["/busybox", ...ring])}\n`;
      await repo.commit({ Dockerfile: dockerfile, ".deliverd.yml": pipeline([image(NAME)]) }, "Add a pipeline");
      return repo;
    };
    const ours = await fill(await world.repo(NAME));
    // Ones that deliverd does not know: its sweep would find the commits.
    const ofPeer = async (name: string) =>
      fill(await open(sampleRepo(world.github, { owner: "peer", name }), (one) => one.remove()));
    const [theirs, commandOnly] = [await ofPeer("small"), await ofPeer("command")];
    const buildbot = await open(
      startBuildbot((home) => environmentOf(world, home, "buildkit"), {
        "peer/small": gitThenDockerBuild(`${world.github.cloneUrl}/peer/small.git`),
        "peer/command": oneCommand(["/bin/busybox", ...ring]),
      }),
      (one) => one.stop(),
    );
    const begun: number[] = [];
    const contenders = {
      deliverd: async () => {
        const { first, building } = await byDeliverd(world, ours, bell);
        begun.push(building);
        return first;
      },
      Buildbot: () => byBuildbot(world, buildbot, theirs, bell),
      "Buildbot, one command": () => byBuildbot(world, buildbot, commandOnly, bell),
    };
    bench.say("first builds, so that everything is warm");
    for (const each of Object.values(contenders)) await each();
    begun.length = 0;
    const figures = await alternate(bench, contenders);
    const [mine = [], same = []] = [figures.deliverd, figures.Buildbot];
    const goal = { of: "ratio", is: "≤", bound: 0.25 } as const;
    const named = { row: "webhook-to-build", beside: "Buildbot: git fetch && docker build", unit: "ms", goal };
    const ofCommand = {
      row: `${named.row}-command`,
      beside: "Buildbot, one ShellCommand, nothing fetched",
      unit: "ms",
    };
    return [
      toRow(named, mine, same),
      toRow(ofCommand, mine, figures["Buildbot, one command"] ?? []),
      toRow({ row: `${named.row}-building`, beside: "–", unit: "ms" }, begun, []),
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
