import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { stringify } from "yaml";
import type { DeliveryView } from "../src/api/delivery-view.ts";
import { type SampleRepo, sampleRepo } from "../test/support/fixtures/sample-repo.ts";
import { tempDir, until } from "../test/support/processes/process.ts";
import { startWorld, type World } from "../test/support/world/world.ts";
import { alternate, type Bench, withOpened } from "./bench.ts";
import { readable, secondsSince, tell, turnGreen } from "./green.ts";
import { changeOne, fillSmall } from "./repos.ts";
import { type Row, toRow } from "./row.ts";
import { environmentOf } from "./script.ts";
import { daemonEnvironment } from "./servers.ts";

const run = promisify(execFile);

/** How many; smaller for whoever works on this row: `DELIVERD_BENCH_REPOS=2`. */
const REPOS = Number(process.env.DELIVERD_BENCH_REPOS ?? 20);
const COMMITS = 10;
const AT_ONCE = 4;
/** A round takes minutes. */
const ROUNDS_MAX = 3;
/** Asking more often would cost ours more than the script, which is over when it ends. */
const PATIENTLY = { every: 250, within: 20 * 60_000 };

interface Commit {
  repo: SampleRepo;
  sha: string;
}

/**
 * Ten commits each of twenty repos, green all at once, four at a time: from the first webhook to the last image under its
 * name, beside a shell that has the same list of commits and `xargs -P 4`. Commits are made, pushed and green before the
 * clock starts. Three rounds at most, and one is enough: it holds 200 deliveries of each.
 */
export function manyRepos(asked: Bench): Promise<Row[]> {
  const bench = { ...asked, rounds: Math.min(asked.rounds, ROUNDS_MAX) };
  return withOpened(async (open) => {
    const world = await open(startDelivering(), (one) => one.stop());
    const dir = await open(tempDir(), (one) => one.remove());
    const reposOf = async (owner: string) => {
      const repos: SampleRepo[] = [];
      for (let index = 0; index < REPOS; index++) {
        const name = `repo-${index}`;
        const repo = await open(sampleRepo(world.github, { owner, name, files: {} }), (one) => one.remove());
        await fillSmall(repo);
        await repo.commit({ ".deliverd.yml": pipeline(name) }, "Add a pipeline");
        repos.push(repo);
      }
      return repos;
    };
    // The peer's are ones that deliverd does not know: its sweep would find the commits and look at them.
    const [ours, theirs] = [await reposOf("acme"), await reposOf("peer")];
    const byScript = (commits: Commit[]) => deliverByScript(world, dir.path, commits);
    world.github.webhooksOff = true;

    bench.say("first deliveries, so that mirrors, engine and registry are warm");
    await deliver(world, await makeCommits(ours, 1));
    await byScript(await makeCommits(theirs, 1));
    const figures = await alternate(bench, {
      deliverd: async () => deliver(world, await makeCommits(ours, COMMITS)),
      script: async () => byScript(await makeCommits(theirs, COMMITS)),
    });
    if (world.github.violations.length > 0) throw new Error(world.github.violations.join("\n"));
    const goal = { of: "ratio", is: "≤", bound: 1.1 } as const;
    const beside = `xargs -P ${AT_ONCE}: git fetch --depth 1 && docker build && docker push`;
    return [toRow({ row: "many-repos", beside, unit: "s", goal }, figures.deliverd ?? [], figures.script ?? [])];
  });
}

function startDelivering(): Promise<World> {
  return startWorld({
    env: daemonEnvironment(),
    config: ({ second }) => ({
      registries: { local: { type: "oci", url: second.url, default: true } },
      workers: { slots: AT_ONCE },
      notices: [],
    }),
  });
}

/** The named check alone decides, so that nothing has to settle; one name, as the script gives one. */
function pipeline(name: string): string {
  const publish = [{ to: "local", as: `acme/${name}`, tags: ["sha-{shortSha}"] }];
  return stringify({ version: 1, ci: { required: ["test"] }, artifacts: [{ name, kind: "image", publish }] });
}

/** So many new commits of each repo, pushed. @returns the first of every repo, then the second of every repo … */
async function makeCommits(repos: SampleRepo[], count: number): Promise<Commit[]> {
  const commits: Commit[] = [];
  for (let each = 0; each < count; each++) {
    for (const repo of repos) {
      await changeOne(repo);
      commits.push({ repo, sha: await repo.head() });
    }
  }
  for (const repo of repos) await repo.push();
  return commits;
}

/** @returns seconds */
async function deliver(world: World, commits: Commit[]): Promise<number> {
  const hooks = [];
  for (const { repo, sha } of commits) hooks.push(await turnGreen(world, repo, sha));

  const begin = performance.now();
  for (const hook of hooks) await tell(world, hook);
  // Whichever comes last, when all were seen it is over.
  for (const { repo, sha } of commits) await readable(world, `acme/${repo.name}`, `sha-${sha.slice(0, 7)}`, PATIENTLY);
  const seconds = secondsSince(begin);

  await demandDelivered(world, commits);
  return seconds;
}

/** A figure for commits that were passed over would be worth nothing. The next round begins when nothing is left to do. */
async function demandDelivered(world: World, commits: Commit[]): Promise<void> {
  const wanted = new Set(commits.map(({ sha }) => sha));
  await until(
    `${wanted.size} commits are delivered`,
    async () => {
      const delivered = new Set<string>();
      for (const name of new Set(commits.map(({ repo }) => repo.name))) {
        const query = new URLSearchParams({ repo: `github/acme/${name}`, state: "delivered", limit: "200" });
        const { items } = await world.deliverd.api<{ items: DeliveryView[] }>(`/api/v1/deliveries?${query}`);
        for (const { sha } of items) delivered.add(sha);
      }
      return [...wanted].every((sha) => delivered.has(sha));
    },
    PATIENTLY.within,
  );
}

const text = `set -e
work=$(mktemp -d -p "$HOME")
git init --quiet "$work"
git -C "$work" -c "http.extraHeader=$AUTHORIZATION" fetch --quiet --depth 1 "$CLONE_URL/$1.git" "$2"
git -C "$work" checkout --quiet FETCH_HEAD
docker build --quiet --tag "$HOST/$1:$2" "$work"
docker push --quiet "$HOST/$1:$2"
rm -r "$work"
`;

/** @returns seconds */
async function deliverByScript(world: World, home: string, commits: Commit[]): Promise<number> {
  const env = { ...environmentOf(world, home, "buildkit"), CLONE_URL: world.github.cloneUrl, HOST: world.second.host };

  const begin = performance.now();
  const running = run("xargs", ["-P", `${AT_ONCE}`, "-n", "2", "sh", "-c", text, "sh"], { env });
  running.child.stdin?.end(commits.map(({ repo, sha }) => `${repo.owner}/${repo.name} ${sha}\n`).join(""));
  await running;
  for (const { repo, sha } of commits) await readable(world, `${repo.owner}/${repo.name}`, sha, PATIENTLY);
  return secondsSince(begin);
}
