import { setTimeout as delay } from "node:timers/promises";
import { generator } from "../../src/observe/failpoints.ts";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { until } from "../support/processes/process.ts";
import { image, pipeline, startWorld, type World } from "../support/world/world.ts";
import { median, seconds } from "./figures.ts";
import { isContent, type Judgement, judge, type Pushed } from "./oracle.ts";

export interface SoakOptions {
  kills: number;
  /** Fewer kills, where they would take longer. Left out: as long as it takes. */
  minutes?: number;
  seed: number;
  say(line: string): void;
}

export interface SoakResult extends Judgement {
  kills: number;
  /** Kills by the place at which they struck; `elsewhere`: by the clock, wherever it was. */
  places: Map<string, number>;
  /** Ends of the process that were none of our kills. */
  crashes: string[];
  /** What the host's stand-in found wrong. */
  violations: string[];
  /** Webhooks that nobody took, and that nobody sent again. */
  hooksLost: number;
  /** From a kill to the first word that the host hears after it (ms), of those lives that were not killed before they spoke. */
  resumed: number[];
  ms: number;
}

const REPOS = 6;
/** Green commits that are not released yet: enough for every life to have work. */
const IN_FLIGHT = 16;
/**
 * The chance to die at a place: some are passed for every webhook and at every look, others once in a delivery. So high that
 * a life is not much longer than it takes to begin, so low that each brings some delivery on.
 */
const CHANCES = {
  receiver: 0.008,
  evaluate: 0.012,
  announce: 0.02,
  deliver: 0.06,
  prepare: 0.06,
  release: 0.08,
  names: 0.08,
};
const TALK_EVERY = 25;
const PATIENCE = 120_000;

/**
 * Kills one deliverd over and over, at seeded places and at seeded times, while commits are pushed and pass their CI;
 * starts it again at once. Webhooks sent while it is down are lost. When all kills are done it may live, and the
 * witnesses are asked until they are content, or for two minutes.
 */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  const { seed, say } = options;
  const begun = Date.now();
  const world = await startWorld({ config: { workers: { slots: 4 } } });
  const load = new Load(world, generator(seed));
  try {
    await load.begin();
    const { places, crashes } = await killOver(world, load, options);
    const kills = [...places.values()].reduce((sum, count) => sum + count, 0);
    await load.end();
    await world.deliverd.restart();
    say(`${kills} kills are done, ${load.pushed.length} commits pushed; now it may live`);
    const witnesses = { github: world.github, sink: world.sink, registries: [world.registry, world.second] };
    await load.finish();
    const end = Date.now() + PATIENCE;
    let judgement = await judge(load.pushed, witnesses);
    while (!isContent(judgement) && Date.now() < end) {
      await delay(1_000);
      judgement = await judge(load.pushed, witnesses);
    }
    if (!isContent(judgement)) say(world.deliverd.output().slice(-20_000));
    const { violations } = world.github;
    const { hooksLost, resumed } = load;
    return { ...judgement, kills, places, crashes, violations, hooksLost, resumed, ms: Date.now() - begun };
  } finally {
    await load.end();
    await load.finish(0);
    await world.stop();
  }
}

/** As the long run prints it. */
export function tell(result: SoakResult): string {
  const { kills, released, green, lost, duplicated, misplaced, crashes, violations, hooksLost, resumed, ms } = result;
  const places = [...result.places].sort(([, a], [, b]) => b - a).map(([place, count]) => `  ${count} ${place}`);
  return [
    ...["Killed at:", ...places],
    ...[...lost, ...duplicated, ...misplaced, ...crashes, ...violations],
    `kills survived:   ${kills}`,
    `webhooks lost:    ${hooksLost}`,
    `green commits:    ${green}`,
    `releases made:    ${released}`,
    `lost:             ${lost.length + misplaced.length}`,
    `duplicated:       ${duplicated.length}`,
    `kill to resume:   median ${seconds(median(resumed))}, at most ${seconds(Math.max(...resumed))} (${resumed.length} lives)`,
    `wall-clock:       ${seconds(ms)}, ${seconds(ms / kills)} a kill`,
  ].join("\n");
}

async function killOver(
  world: World,
  load: Load,
  { kills, minutes = Number.POSITIVE_INFINITY, seed, say }: SoakOptions,
): Promise<Pick<SoakResult, "places" | "crashes">> {
  const begun = Date.now();
  const random = generator(seed + 1);
  const places = new Map<string, number>();
  const crashes: string[] = [];
  for (let kill = 1; kill <= kills && Date.now() - begun < minutes * 60_000; kill++) {
    const rules = Object.entries(CHANCES).map(([at, chance]) => `${at}.*:p=${chance}:seed=${seed * 100_000 + kill}`);
    const env = { DELIVERD_FAILPOINTS: rules.join(",") };
    // Failpoints alone would never strike in the middle of a build or a push.
    const clock = random() < 0.25 ? 500 + random() * 3_000 : 20_000;
    const died = await live(world, env, clock);
    if (died !== null) crashes.push(died);
    load.killed();
    // Each life reads anew what is under way: hours of starts in minutes, for which the host's hourly limit is not made.
    world.github.rateLimit.used = 0;
    const place = /^failpoint (\S+)$/m.exec(world.deliverd.lastOutput())?.[1] ?? "elsewhere";
    places.set(place, (places.get(place) ?? 0) + 1);
    if (kill % TALK_EVERY === 0)
      say(
        `${kill} kills in ${Math.round((Date.now() - begun) / 1000)} s, ${load.pushed.length} commits, ${load.look()} under way`,
      );
  }
  return { places, crashes };
}

/** One life of deliverd, to its violent end. @returns how it ended where nobody had killed it */
async function live(world: World, env: Record<string, string>, clock: number): Promise<string | null> {
  try {
    await world.deliverd.restart({ env });
  } catch (error) {
    const message = String(error);
    // It may well be killed before it is ready.
    return message.includes("ended at once (SIGKILL)") ? null : message;
  }
  const over = new AbortController();
  await Promise.race([
    world.deliverd.ended(),
    delay(clock, null, { signal: over.signal }).then(
      () => world.deliverd.kill(),
      () => {},
    ),
  ]);
  over.abort();
  const how = world.deliverd.endedBy();
  return how === "SIGKILL" ? null : `deliverd ended by itself: ${how}\n${world.deliverd.output().slice(-2_000)}`;
}

/** Small commits in several repos, one after the other; most of them pass their CI. */
class Load {
  readonly pushed: Pushed[] = [];
  readonly resumed: number[] = [];
  hooksLost = 0;
  readonly #world: World;
  readonly #random: () => number;
  #repos: SampleRepo[] = [];
  /** Green commits without success so far. */
  #open: Pushed[] = [];
  /** When the kill was after which nothing was said yet. */
  #killedAt: number | null = null;
  #watching: NodeJS.Timeout | undefined;
  #stopped = false;
  #running: Promise<void> = Promise.resolve();

  constructor(world: World, random: () => number) {
    this.#world = world;
    this.#random = random;
  }

  /** Makes the repos known by a first release each, then goes on by itself. */
  async begin(): Promise<void> {
    const destinations = (name: string) => ["local", "second"].map((to) => ({ to, as: `acme/${name}` }));
    for (let number = 0; number < REPOS; number++) {
      const name = `soak-${number}`;
      const repo = await this.#world.repo(name, {
        busybox: null,
        Dockerfile: "FROM scratch\nCOPY greeting.txt /\n",
        ".deliverd.yml": pipeline([image(name, { publish: destinations(name) })]),
      });
      this.#repos.push(repo);
      await this.#push(repo, "green");
    }
    await until("every repo has a release", () => this.look() === 0, 60_000);
    this.#watching = setInterval(() => this.look(), 50);
    this.#running = this.#run();
  }

  killed(): void {
    this.#world.github.requests.length = 0;
    this.#killedAt = Date.now();
  }

  /** @returns how many green commits have no success so far */
  look(): number {
    this.#open = this.#open.filter((one) => !this.#isDone(one));
    const { requests } = this.#world.github;
    const spoke = requests.some(({ method, status }) => method === "POST" && status === 201);
    if (spoke && this.#killedAt !== null) {
      this.resumed.push(Date.now() - this.#killedAt);
      this.#killedAt = null;
    }
    // They are of no more use, and there will be thousands.
    requests.length = 0;
    return this.#open.length;
  }

  async end(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  /** Waits until every green commit bears success, or for as long as there is patience. */
  async finish(patience = PATIENCE): Promise<void> {
    await until("every green commit bears success", () => this.look() === 0, patience).catch(() => {});
    clearInterval(this.#watching);
  }

  async #run(): Promise<void> {
    let count = 0;
    while (!this.#stopped) {
      if (this.look() >= IN_FLIGHT) {
        await delay(50);
        continue;
      }
      const repo = this.#repos[Math.floor(this.#random() * this.#repos.length)];
      if (repo === undefined) throw new Error("no repo");
      await repo.commit({ "greeting.txt": `Number ${++count}\n${"x".repeat(Math.floor(this.#random() * 20_000))}` });
      await this.#push(repo, this.#random() < 0.9 ? "green" : "red");
    }
  }

  async #push(repo: SampleRepo, ci: Pushed["ci"]): Promise<void> {
    const { github } = this.#world;
    const sha = await repo.head();
    const hooks = await repo.push();
    const one: Pushed = { repo: repo.repo, sha, ci };
    this.pushed.push(one);
    if (ci === "green") this.#open.push(one);
    hooks.push(...(ci === "green" ? await github.green(repo.repo, sha) : await github.red(repo.repo, sha)));
    this.hooksLost += hooks.filter((hook) => hook.answer?.status !== 202).length;
    // As with the requests.
    github.hooks.length = 0;
  }

  #isDone({ repo, sha }: Pushed): boolean {
    return this.#world.github.lastStatus(repo, sha, `deliverd/${repo.name}`)?.state === "success";
  }
}
