import { setTimeout as delay } from "node:timers/promises";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import type { Files } from "../support/fixtures/work-tree.ts";
import type { TestRegistry } from "../support/registries/docker-registry.ts";
import { image, pipeline, type World } from "../support/world/world.ts";
import { isContent, judge, type Pushed } from "./oracle.ts";

/** An image that is built in no time, since nothing runs in it. */
export function quickFiles(name: string, to: string[] = ["local"]): Files {
  const publish = to.map((registry) => ({ to: registry, as: `acme/${name}` }));
  return {
    busybox: null,
    Dockerfile: "FROM scratch\nCOPY greeting.txt /\n",
    ".deliverd.yml": pipeline([image(name, { publish })]),
  };
}

/** Pushes the commit checked out and lets its check pass (or not); webhooks that nobody takes are lost. */
export async function begin(world: World, repo: SampleRepo, ci: Pushed["ci"] = "green"): Promise<Pushed> {
  const sha = await repo.head();
  await repo.push();
  await (ci === "green" ? world.github.green(repo.repo, sha) : world.github.red(repo.repo, sha));
  return { repo: repo.repo, sha, ci };
}

/** Waits until the witnesses are content with all of it. @throws with what they miss */
export async function settled(
  world: World,
  pushed: Pushed[],
  { within = 120_000, registries = [world.registry] }: { within?: number; registries?: TestRegistry[] } = {},
): Promise<void> {
  const witnesses = { github: world.github, sink: world.sink, registries };
  const end = Date.now() + within;
  let judgement = await judge(pushed, witnesses);
  while (!isContent(judgement) && Date.now() < end) {
    await delay(100);
    judgement = await judge(pushed, witnesses);
  }
  if (isContent(judgement)) return;
  const { lost, duplicated, misplaced } = judgement;
  throw new Error([...lost, ...duplicated, ...misplaced, world.deliverd.output().slice(-8_000)].join("\n"));
}

/** How often the delivery's log says that something was built and frozen. */
export async function builds(world: World, repo: SampleRepo, sha: string): Promise<number> {
  return (await world.log(repo, sha)).match(/: frozen as sha256:/g)?.length ?? 0;
}
