import { randomUUID } from "node:crypto";
import type { Why } from "../../../src/api/why.ts";
import type { SampleRepo } from "../../support/fixtures/sample-repo.ts";
import type { HookAnswer, HookDelivery, JsonObject } from "../../support/hosts/github/github.ts";
import { until } from "../../support/processes/process.ts";
import { WEBHOOK_SECRET, type World } from "../../support/world/world.ts";

export function whyOf(world: World, { owner, name }: SampleRepo, sha: string): Promise<Why> {
  return world.deliverd.api<Why>(`/api/v1/why?repo=${owner}/${name}&sha=${sha}`);
}

/** Waits until something was decided about the commit. */
export function decided(world: World, repo: SampleRepo, sha: string): Promise<Why> {
  return until("a decision is recorded", async () => {
    const why = await whyOf(world, repo, sha);
    return why.events.some(({ kind }) => kind === "decision") && why;
  });
}

/** A body, rightly signed, under a delivery id that nobody has seen. */
export function send(world: World, { event, payload }: Pick<HookDelivery, "event" | "payload">): Promise<HookAnswer> {
  const url = `${world.deliverd.url}/webhooks/github`;
  return world.github.send(url, WEBHOOK_SECRET, event, payload as JsonObject, { deliveryId: randomUUID() });
}

/** Does it, and waits until the commit has been looked at since. */
export async function lookedAt(world: World, sha: string, work: () => Promise<unknown>): Promise<void> {
  const evaluations = () =>
    world.deliverd
      .output()
      .split("\n")
      .filter((line) => line.includes('"evaluated"') && line.includes(sha)).length;
  const before = evaluations();
  await work();
  await until("the commit was looked at again", () => evaluations() > before, 60_000);
}

/** What deliverd itself said on a commit, oldest first. */
export function said(world: World, repo: SampleRepo, sha: string): string[] {
  return world.github
    .statusesOf(repo.repo, sha)
    .filter((one) => one.targetUrl !== null)
    .map((one) => `${one.context} ${one.state}: ${one.description}`);
}
