import assert from "node:assert/strict";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { type FaultyProxy, startFaultyProxy } from "../support/network/faulty-proxy.ts";
import { until } from "../support/processes/process.ts";
import { startWorld, type World } from "../support/world/world.ts";
import { begin, builds, quickFiles } from "./support.ts";

describe("A release whose names stand at one of two registries", function () {
  this.timeout(600_000);
  let world: World;
  let second: FaultyProxy;

  before(async () => {
    world = await startWorld({
      async config({ registry, second: behind }) {
        second = await startFaultyProxy(behind.url);
        const { url, username, password } = registry;
        const local = { type: "oci", url, username, password, default: true };
        return { registries: { local, second: { type: "oci", url: second.url } } };
      },
    });
  });

  after(async () => {
    const violations = world?.github.violations;
    await world?.stop();
    await second?.stop();
    assert.deepEqual(violations, []);
  });

  /** Pushes a green commit, and holds up its names at the second registry. */
  async function halfway(name: string): Promise<{ repo: SampleRepo; sha: string }> {
    const repo = await world.repo(name, quickFiles(name, ["local", "second"]));
    second.fault = ({ method, url }) =>
      method === "PUT" && url.includes("/manifests/") ? { status: 503, headers: { "retry-after": "1" } } : undefined;
    const { sha } = await begin(world, repo);
    await until(
      "it is to be tried again",
      async () => {
        const { state, because } = await world.delivery(repo, sha);
        return state === "queued" && /^trying again/.test(because);
      },
      60_000,
    );
    assert.ok((await world.tags(`acme/${name}`)).some((tag) => tag.startsWith("sha-")));
    return { repo, sha };
  }

  /** Lets the second registry take names. @returns what is told of the commit, once all is told */
  async function finished(repo: SampleRepo, sha: string, isTold: RegExp): Promise<void> {
    second.fault = () => undefined;
    const ended = await until(
      "it is delivered, and what changed is told",
      async () => {
        const delivery = await world.delivery(repo, sha);
        return delivery.state === "delivered" && isTold.test(delivery.because) && delivery;
      },
      90_000,
    );
    assert.equal(ended.artifacts[0]?.state, "released");
    const [release] = await world.releases(repo, sha);
    assert.deepEqual(new Set(release?.locations.map(({ registry }) => registry)), new Set(["local", "second"]));
    assert.equal(await builds(world, repo, sha), 1);
    await until("both notices have come", () => {
      const counts = (["artifact.published", "pipelinerun.finished"] as const).map(
        (type) => new Set(world.notices(repo, sha, type).map(({ id }) => id)).size,
      );
      return counts.every((count) => count === 1);
    });
  }

  it("is completed, though CI turned red and deliverd was killed meanwhile", async () => {
    const { repo, sha } = await halfway("red");
    await world.github.red(repo.repo, sha);
    await world.deliverd.restart();
    await finished(repo, sha, /^CI turned red after the release: check test failed/);
  });

  it("is completed, though its branch was force-pushed and the host deleted the commit", async () => {
    const { repo, sha } = await halfway("forced");
    await repo.git("commit", "--quiet", "--amend", "--message", "Another");
    await repo.forcePush();
    await finished(repo, sha, /^the commit was removed while its names were being written/);
  });

  it("is completed, though a person cancelled it: the cancel is refused, announced and shown by why", async () => {
    const { repo, sha } = await halfway("cancelled");
    const { id } = await world.delivery(repo, sha);
    const answer = await world.deliverd.fetch(`/api/v1/deliveries/${id}/cancel`, { method: "POST" });
    assert.equal(answer.status, 409);
    assert.match(await answer.text(), /names of this delivery are being written/);
    await finished(repo, sha, /^a person cancelled it while its names were being written/);
    const why = await world.deliverd.api<{ events: { text: string }[] }>(`/api/v1/why?repo=acme/cancelled&sha=${sha}`);
    assert.ok(why.events.some(({ text }) => /a person cancelled it while/.test(text)));
  });
});
