import { stringify } from "yaml";
import { type SampleRepo, sampleRepo } from "../test/support/fixtures/sample-repo.ts";
import { until } from "../test/support/processes/process.ts";
import { startWorld, type World } from "../test/support/world/world.ts";
import { alternate, type Bench, type Measure, withOpened } from "./bench.ts";
import { readable, secondsSince, tell, turnGreen } from "./green.ts";
import { changeOne, fillLarge, fillSmall, usualDockerfile } from "./repos.ts";
import { type Row, toRow } from "./row.ts";
import { type Builder, type Script, startScript } from "./script.ts";
import { daemonEnvironment } from "./servers.ts";

interface Size {
  name: string;
  fill(repo: SampleRepo, dockerfile: string): Promise<void>;
  goals: Record<Builder | "prepared", number>;
}

export const commitToRegistrySmall: Measure = (bench) =>
  commitToRegistry(bench, { name: "small", fill: fillSmall, goals: { classic: 0.55, buildkit: 1.2, prepared: 0.15 } });

export const commitToRegistryLarge: Measure = (bench) =>
  commitToRegistry(bench, { name: "large", fill: fillLarge, goals: { classic: 0.33, buildkit: 0.5, prepared: 0.03 } });

/**
 * From a webhook that says green to the image under its name in the registry, beside a script that begins at the same
 * moment. The commit is new to both: nobody was told of the push. Both use one engine, one registry and one git server.
 */
function commitToRegistry(bench: Bench, { name, fill, goals }: Size): Promise<Row[]> {
  return withOpened(async (open) => {
    const world = await open(startOpenWorld(), (one) => one.stop());
    const repo = (owner: string) => open(sampleRepo(world.github, { owner, name, files: {} }), (one) => one.remove());
    // The peer's is one that deliverd does not know: its sweep would find the commits and look at them.
    const [ours, theirs] = [await repo("acme"), await repo("peer")];
    const dockerfile = await usualDockerfile(world);
    for (const each of [ours, theirs]) await fill(each, dockerfile);
    await ours.commit({ ".deliverd.yml": pipeline(name) }, "Add a pipeline");
    const theirScript = await open(startScript(world, theirs), (one) => one.remove());

    bench.say("first deliveries, so that mirror, engine and registry are warm");
    world.github.webhooksOff = true;
    await byDeliverd(world, ours);
    for (const builder of ["classic", "buildkit"] as const) {
      await changeOne(theirs);
      await byScript(world, theirScript, theirs, builder);
    }

    const figures = await alternate(bench, {
      deliverd: async () => {
        await changeOne(ours);
        return byDeliverd(world, ours);
      },
      prepared: async () => {
        await changeOne(ours);
        return byDeliverd(world, ours, { ahead: true });
      },
      ...Object.fromEntries(
        (["classic", "buildkit"] as const).map((builder) => [
          builder,
          async () => {
            await changeOne(theirs);
            return byScript(world, theirScript, theirs, builder);
          },
        ]),
      ),
    });
    if (world.github.violations.length > 0) throw new Error(world.github.violations.join("\n"));
    const row = (of: string, ours: string, peer: Builder, beside: string, bound: number) =>
      toRow(
        { row: of, beside, unit: "s", goal: { of: "ratio", is: "≤", bound } },
        figures[ours] ?? [],
        figures[peer] ?? [],
      );
    const [whole, late] = [`commit-to-registry-${name}`, `commit-to-registry-${name}-prepared`];
    const script = "git clone --depth 1 && docker build && docker push";
    return [
      row(whole, "deliverd", "classic", script, goals.classic),
      row(`${whole}-buildkit`, "deliverd", "buildkit", "the same script with BuildKit", goals.buildkit),
      row(late, "prepared", "classic", `${script}, begun at green`, goals.prepared),
      row(`${late}-buildkit`, "prepared", "buildkit", "the same script with BuildKit", goals.prepared),
    ];
  });
}

/** A world whose registry asks nobody for a password, so that the script needs no login either. */
function startOpenWorld(): Promise<World> {
  return startWorld({
    env: daemonEnvironment(),
    config: ({ engine, second }) => ({
      // The private engine has no bridge, for either side.
      docker: { socket: engine.socket, network: "host" },
      registries: { local: { type: "oci", url: second.url, default: true } },
      notices: [],
    }),
  });
}

/**
 * The named check alone decides: a commit that waits for others to begin (`settle`) would measure a setting, not the work.
 * The name that is waited for comes first: the script has no other.
 */
function pipeline(name: string): string {
  const publish = [{ to: "local", as: `acme/${name}`, tags: ["sha-{shortSha}", "{version}", "{branch}"] }];
  return stringify({ version: 1, ci: { required: ["test"] }, artifacts: [{ name, kind: "image", publish }] });
}

/** @param ahead whether deliverd hears of the push, and has prepared the commit, before its light is green. @returns seconds */
async function byDeliverd(world: World, repo: SampleRepo, { ahead = false } = {}): Promise<number> {
  const sha = await repo.head();
  const [push] = (await repo.push()).slice(-1);
  if (ahead && push !== undefined) {
    await world.github.redeliver(push);
    const { id } = await until("it is known", () => world.delivery(repo, sha).catch(() => null));
    await until("it is prepared", async () => {
      const lines = world.deliverd.output().split("\n");
      return lines.some((line) => line.includes("prepared ahead") && line.includes(id));
    });
  }
  const green = await turnGreen(world, repo, sha);

  const begin = performance.now();
  await tell(world, green);
  const tag = `sha-${sha.slice(0, 7)}`;
  const digest = await readable(world, `acme/${repo.name}`, tag);
  const seconds = secondsSince(begin);

  // The next round begins when nothing is left to do.
  await world.status(repo, sha, repo.name, "success");
  await until(
    "the branch's name has moved",
    async () => (await world.digest(`acme/${repo.name}`, "main", world.second)) === digest,
  );
  return seconds;
}

/** @returns seconds */
async function byScript(world: World, script: Script, repo: SampleRepo, builder: Builder): Promise<number> {
  const sha = await repo.head();
  await repo.push();
  const begin = performance.now();
  await script.run(builder, sha);
  await readable(world, script.repository, sha);
  return secondsSince(begin);
}
