import assert from "node:assert/strict";
import type { DeliveryView } from "../../src/api/delivery-view.ts";
import type { Files } from "../../test/support/fixtures/work-tree.ts";
import type { Product, Told } from "../../test/support/hosts/products.ts";
import { until } from "../../test/support/processes/process.ts";
import { follow } from "./follow.ts";
import type { Started, Surroundings } from "./surroundings.ts";
import type { Teller } from "./teller.ts";

/** One way to show deliverd: a module of this shape. */
export interface Story {
  title: string;
  /** Starts what it needs. */
  begin(started: Started, tell: Teller, product: Product): Promise<Scene>;
}

export interface Scene {
  around: Surroundings;
  /** Every step is what a user of deliverd would do or see. */
  play(signal: AbortSignal): Promise<void>;
  /** Where to look, as long as all of it runs. */
  addresses: [label: string, text: string][];
}

/** Waits for what an answer has to tell; when the demo is told to end, it waits no longer. */
export function patience(signal: AbortSignal, timeout = 60_000) {
  return async <T>(what: string, ask: () => Promise<T | null | undefined> | T | null | undefined): Promise<T> => {
    const answer = await until(what, async () => (signal.aborted ? "stopped" : await ask()), timeout);
    signal.throwIfAborted();
    return answer as T;
  };
}

/** Pushes one commit of these files, lets its CI pass, and tells all that happens. @returns the commit's sha, delivered */
export async function deliver(around: Surroundings, files: Files, tell: Teller, signal: AbortSignal): Promise<string> {
  const { repo } = around;
  tell.step("git push", `${repo.owner}/${repo.name}, branch main, one commit after the tag v1.2.3`);
  await repo.tag("v1.2.3");
  await repo.git("push", "--quiet", repo.repo.directory, "v1.2.3");
  const sha = await repo.commit(files, "Say hello");
  const last = await accompany(around, { sha, hooks: await repo.push() }, tell, signal);
  assert.equal(last.state, "delivered", `the delivery ended as ${last.state}: ${last.because}`);
  return sha;
}

/** A commit that was pushed, with the webhooks that the host sent of it. */
interface Pushed {
  sha: string;
  hooks: Told[];
}

/** Lets the CI of a pushed commit pass, and tells all that happens. @returns how its delivery ended */
export async function accompany(
  { product, host, repo, deliverd }: Surroundings,
  { sha, hooks }: Pushed,
  tell: Teller,
  signal: AbortSignal,
): Promise<{ state: string; because: string }> {
  for (const hook of hooks) tell.fact(`webhook ${hook.event}`, answerOf(hook));
  const delivery = await patience(signal)("the commit has a delivery", async () => {
    const { items } = await deliverd.api<{ items: DeliveryView[] }>(`/api/v1/deliveries?sha=${sha}`);
    return items[0];
  });
  tell.step(delivery.state, delivery.because);
  tell.fact("page", `${deliverd.url}/deliveries/${delivery.id}`);

  const events = await follow(deliverd, delivery.id, signal);
  tell.step("CI is green", `check "test" of commit ${sha.slice(0, 7)}`);
  for (const hook of await host.pass(repo, sha, "test")) tell.fact(`webhook ${hook.event}`, answerOf(hook));
  if (!product.tellsCi) tell.fact("no webhook", `${product.title} does not tell it: deliverd asks within a minute`);

  let last: { state: string; because: string } = delivery;
  for await (const { event, data } of events) {
    if (event === "log") tell.quote(data);
    if (event !== "state") continue;
    last = JSON.parse(data) as typeof last;
    if (last.state !== "waiting") tell.step(last.state, last.because);
  }
  return last;
}

function answerOf({ status }: Told): string {
  assert.equal(status, 202, `deliverd answered a webhook with ${status}`);
  return "202";
}
