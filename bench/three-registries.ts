import { stringify } from "yaml";
import { type SampleRepo, sampleRepo } from "../test/support/fixtures/sample-repo.ts";
import { until } from "../test/support/processes/process.ts";
import { startRegistry, type TestRegistry } from "../test/support/registries/docker-registry.ts";
import { startWorld, type World } from "../test/support/world/world.ts";
import { alternate, type Bench, withOpened } from "./bench.ts";
import { readable, secondsSince, tell, turnGreen } from "./green.ts";
import { changeOne, fillSmall, usualDockerfile } from "./repos.ts";
import { type Row, toRow } from "./row.ts";
import { daemonEnvironment } from "./servers.ts";

const KEYS = ["first", "second", "third"];

/**
 * From a webhook that says green to every name in each of three registries, beside the same by the same deliverd for a repo
 * that goes to one of them. Each registry is a process of its own. The names are an immutable one and the branch's.
 */
export function threeRegistries(bench: Bench): Promise<Row[]> {
  return withOpened(async (open) => {
    const registries: TestRegistry[] = [];
    for (const _ of KEYS) registries.push(await open(startRegistry(), (one) => one.stop()));
    const world = await open(startDelivering(registries), (one) => one.stop());
    const dockerfile = await usualDockerfile(world);
    const repo = async (name: string, keys: string[]) => {
      const made = await open(sampleRepo(world.github, { owner: "acme", name, files: {} }), (one) => one.remove());
      await fillSmall(made, dockerfile);
      await made.commit({ ".deliverd.yml": pipeline(name, keys) }, "Add a pipeline");
      return made;
    };
    const [three, one] = [await repo("three", KEYS), await repo("one", KEYS.slice(0, 1))];

    bench.say("first deliveries, so that mirrors, engine and registries are warm");
    world.github.webhooksOff = true;
    await deliver(world, three, registries);
    await deliver(world, one, registries.slice(0, 1));
    const figures = await alternate(bench, {
      three: async () => {
        await changeOne(three);
        return deliver(world, three, registries);
      },
      one: async () => {
        await changeOne(one);
        return deliver(world, one, registries.slice(0, 1));
      },
    });
    if (world.github.violations.length > 0) throw new Error(world.github.violations.join("\n"));
    const goal = { of: "ratio", is: "≤", bound: 1.3 } as const;
    const named = { row: "three-registries", beside: "the same to one registry", unit: "s", goal };
    return [toRow(named, figures.three ?? [], figures.one ?? [])];
  });
}

function startDelivering(registries: TestRegistry[]): Promise<World> {
  const entries = registries.map(({ url }, index) => [KEYS[index], { type: "oci", url, default: index === 0 }]);
  return startWorld({
    env: daemonEnvironment(),
    config: ({ engine }) => ({
      // The private engine has no bridge.
      docker: { socket: engine.socket, network: "host" },
      registries: Object.fromEntries(entries),
      notices: [],
    }),
  });
}

/** The named check alone decides, so that nothing has to settle. */
function pipeline(name: string, keys: string[]): string {
  const publish = keys.map((to) => ({ to, as: `acme/${name}`, tags: ["sha-{shortSha}", "{branch}"] }));
  return stringify({ version: 1, ci: { required: ["test"] }, artifacts: [{ name, kind: "image", publish }] });
}

/** @returns seconds */
async function deliver(world: World, repo: SampleRepo, to: TestRegistry[]): Promise<number> {
  const sha = await repo.head();
  await repo.push();
  const green = await turnGreen(world, repo, sha);
  const repository = `acme/${repo.name}`;

  const begin = performance.now();
  await tell(world, green);
  await Promise.all(
    to.map(async (registry) => {
      const digest = await readable(world, repository, `sha-${sha.slice(0, 7)}`, { from: registry });
      await until(
        "the branch's name has moved",
        async () => (await world.digest(repository, "main", registry)) === digest,
      );
    }),
  );
  const seconds = secondsSince(begin);

  // The next round begins when nothing is left to do.
  await world.status(repo, sha, repo.name, "success");
  return seconds;
}
