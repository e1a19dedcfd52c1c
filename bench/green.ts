import { setTimeout as delay } from "node:timers/promises";
import type { SampleRepo } from "../test/support/fixtures/sample-repo.ts";
import type { HookDelivery } from "../test/support/hosts/github/github.ts";
import type { TestRegistry } from "../test/support/registries/docker-registry.ts";
import type { World } from "../test/support/world/world.ts";

/** The commit's check passes. @returns the webhook that tells of it; with `webhooksOff` nobody has got it yet */
export async function turnGreen(world: World, repo: SampleRepo, sha: string): Promise<HookDelivery> {
  const hooks = await world.github.green(repo.repo, sha);
  const green = hooks.find((hook) => hook.event === "check_run");
  if (green === undefined) throw new Error("GitHub told of no check run");
  return green;
}

export async function tell(world: World, hook: HookDelivery): Promise<void> {
  const { status, body } = await world.github.redeliver(hook);
  if (status !== 202) throw new Error(`the webhook was answered ${status}: ${body}`);
}

/** Waits for a name. @param every ms between two questions, of which each takes a little from whoever works @returns the digest */
export async function readable(
  world: World,
  repository: string,
  tag: string,
  { from = world.second, every = 10, within = 120_000 }: { from?: TestRegistry; every?: number; within?: number } = {},
): Promise<string> {
  for (const end = performance.now() + within; performance.now() < end; ) {
    const digest = await world.digest(repository, tag, from);
    if (digest !== null) return digest;
    await delay(every);
  }
  throw new Error(`${repository}:${tag} did not come\n${world.deliverd.output().slice(-4_000)}`);
}

export function secondsSince(begin: number): number {
  return Number(((performance.now() - begin) / 1000).toFixed(3));
}
