import assert from "node:assert/strict";
import type { Failpoint } from "../../src/observe/failpoints.ts";
import { LINE } from "../../workers/deliver/line.ts";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { until } from "../support/processes/process.ts";
import { startWorld, stopAndCheck, type World } from "../support/world/world.ts";
import { figure, seconds } from "./figures.ts";
import { hold } from "./hold.ts";
import type { Pushed } from "./oracle.ts";
import { begin, builds, quickFiles, settled } from "./support.ts";

interface Proof {
  state: string;
  bundles: { bundle: unknown }[];
}

/** From the kill to the release: long, for machines that are busy. What it takes on a quiet one is printed. */
const RESUME = 90_000;

describe("deliverd, killed between two steps,", function () {
  this.timeout(600_000);
  let world: World;
  let repo: SampleRepo;
  const pushed: Pushed[] = [];

  before(async () => {
    world = await startWorld();
    repo = await world.repo("steps", quickFiles("steps"));
    pushed.push(await begin(world, repo));
    await settled(world, pushed);
  });

  after(() => stopAndCheck(world));

  it("finds the commit by its sweep if the receiver died before the inbox commit, and had sent no 2xx", async () => {
    const hooks = await pushUnder("receiver.before-commit");
    assert.deepEqual(
      hooks.filter((hook) => hook.answer?.status === 202),
      [],
    );
    await resume();
  });

  for (const point of ["receiver.committed", "receiver.answered"] as const) {
    it(`releases once despite ten redeliveries if the receiver died at ${point}, before the enqueue`, async () => {
      const [push] = await pushUnder(point);
      await world.deliverd.restart();
      assert.ok(push);
      for (let time = 0; time < 10; time++) assert.equal((await world.github.redeliver(push)).status, 202);
      await settled(world, pushed, { within: RESUME });
      // It throws where there are several.
      await world.delivery(repo, await repo.head());
    });
  }

  const ofDelivery = Object.values(LINE).map(({ failpoint }) => failpoint);
  const steps: Failpoint[] = ["evaluate.synced", "evaluate.written", ...ofDelivery, "names.written"];
  const isFrozenAt = (step: Failpoint) => steps.indexOf(step) >= steps.indexOf(LINE.freeze.failpoint);
  it(`continues from what was recorded if the worker dies at each step in turn (${steps.join(", ")})`, async () => {
    for (const step of steps) await pushUnder(step);
    await resume();
    // The line that tells of the first build may have died with the process that had it in hand.
    for (const [index, { sha }] of pushed.slice(-steps.length).entries()) {
      const step = steps[index];
      if (step && isFrozenAt(step)) assert.ok((await builds(world, repo, sha)) <= 1, `built again after ${step}`);
    }
  });

  const proofSteps = ["signed", "saved", "referrer-put", "index-put", "attached"];
  it(`proves each release once if the worker dies while it proves it (${proofSteps.join(", ")})`, async () => {
    for (const step of proofSteps) await pushUnder(`proof.${step}`);
    await resume();
    for (const { sha } of pushed.slice(-proofSteps.length)) {
      const [release] = await world.releases(repo, sha);
      assert.ok(release);
      const path = `/api/v1/releases/${release.artifact}/${release.version}/proof`;
      const proof = () => world.deliverd.api<Proof>(path);
      await until(`the proof of ${release.version} stands`, async () => (await proof()).state === "stands", RESUME);
      const listed = await referrersOf(release.digest);
      assert.deepEqual(
        listed.toSorted(),
        (await proof()).bundles.map(({ bundle }) => JSON.stringify(bundle)).toSorted(),
      );
    }
  });

  it("sends status and notice again under the same id if it died before it marked them as sent", async () => {
    await pushUnder("announce.sent");
    for (const point of ["announce.sent:2", "announce.sent:3", "announce.sent:4"]) {
      await world.deliverd.restart({ env: { DELIVERD_FAILPOINTS: point } }).catch(() => {});
      await Promise.race([world.deliverd.ended(), settled(world, pushed)]);
    }
    await resume();
  });

  it("resumes a build that was killed five times, and releases once", async () => {
    const slow = hold("slow");
    const one = await begin(world, await world.repo("slow", slow.files));
    await slow.held(RESUME);
    const resumed: number[] = [];
    for (let time = 0; time < 5; time++) {
      await world.deliverd.kill();
      await slow.gone();
      const begun = Date.now();
      await world.deliverd.restart();
      await slow.held(RESUME);
      resumed.push(Date.now() - begun);
    }
    figure("killed in a build, until it builds again", `at most ${seconds(Math.max(...resumed))} of 5`);
    await slow.release();
    await settled(world, [one], { within: RESUME });
  });

  /** The bundles that the registry lists beside an image, read by nothing of deliverd. */
  async function referrersOf(digest: string): Promise<string[]> {
    const { url, username, password } = world.registry;
    const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
    const accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
    const get = (path: string) => fetch(`${url}/v2/acme/steps/${path}`, { headers: { authorization, accept } });
    const { manifests } = (await (await get(`manifests/${digest.replace(":", "-")}`)).json()) as {
      manifests: { digest: string }[];
    };
    return Promise.all(
      manifests.map(async (each) => {
        const { layers } = (await (await get(`manifests/${each.digest}`)).json()) as { layers: { digest: string }[] };
        return (await get(`blobs/${layers[0]?.digest}`)).text();
      }),
    );
  }

  /** One more commit, under a deliverd that dies at that place, and does so before the end of this. */
  async function pushUnder(point: string) {
    await world.deliverd.restart({ env: { DELIVERD_FAILPOINTS: point } });
    const before = world.github.hooks.length;
    await repo.commit({ "greeting.txt": `At ${point}\n` });
    pushed.push(await begin(world, repo));
    const hooks = world.github.hooks.slice(before);
    await until(`it dies at ${point}`, () => world.deliverd.endedBy() === "SIGKILL", RESUME);
    return hooks;
  }

  async function resume(): Promise<void> {
    await world.deliverd.restart();
    await settled(world, pushed, { within: RESUME });
  }
});
