import assert from "node:assert/strict";
import { hold } from "../faults/hold.ts";
import { begin, quickFiles, settled } from "../faults/support.ts";
import { type OwnEngine, startOwnEngine } from "../support/engine/engine.ts";
import { until } from "../support/processes/process.ts";
import { image, pipeline, startWorld, type World } from "../support/world/world.ts";

describe("deliverd, when an engine or a build misbehaves,", function () {
  this.timeout(600_000);
  let engine: OwnEngine;
  let world: World;

  before(async () => {
    engine = await startOwnEngine();
    world = await startWorld({ config: { docker: { socket: engine.socket, buildTimeout: "12s" } } });
  });

  after(async () => {
    const violations = world?.github.violations;
    await world?.stop();
    await engine?.stop();
    assert.deepEqual(violations, []);
  });

  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    it(`tries again if ${signal} ended the engine during a build, and blames no user`, async () => {
      const name = `engine-${signal.toLowerCase()}`;
      const build = hold(name);
      const repo = await world.repo(name, build.files);
      const one = await begin(world, repo);
      await build.held();
      await engine.restart(signal);
      await build.release();
      await settled(world, [one]);
      const said = world.github.statusesOf(repo.repo, one.sha).map(({ state }) => state);
      assert.deepEqual(
        said.filter((state) => state === "failure" || state === "error"),
        [],
      );
    });
  }

  it("stops a build that never ends at its deadline, removes its container, and reports it", async () => {
    const build = hold("endless");
    const repo = await world.repo("endless", build.files);
    const { sha } = await begin(world, repo);
    const { description } = await world.status(repo, sha, "endless", "failure");
    assert.match(description ?? "", /longer than its limit of 12 s and was stopped/);
    await build.gone();
    await until("no container is left", async () => (await engine.docker.listContainers({ all: true })).length === 0);
  });

  it("leaves no container and no temporary name of a build whose worker was killed", async () => {
    const build = hold("left");
    const one = await begin(world, await world.repo("left", build.files));
    await build.held();
    await world.deliverd.kill();
    await build.gone();
    await world.deliverd.restart({ env: { DELIVERD_FAILPOINTS: "prepare.built" } });
    await build.release();
    await until("it dies after the build", () => world.deliverd.endedBy() === "SIGKILL", 40_000);
    await world.deliverd.restart();
    await settled(world, [one]);
    await until("no container and no temporary name is left", async () => {
      const containers = await engine.docker.listContainers({ all: true });
      return containers.length + (await temporaryNames()).length === 0;
    });
  });

  it("removes at its next start the name of an image whose worker was killed before the freeze", async () => {
    const repo = await world.repo("named", quickFiles("named"));
    await world.deliverd.restart({ env: { DELIVERD_FAILPOINTS: "prepare.made" } });
    const one = await begin(world, repo);
    await until("it dies between build and freeze", () => world.deliverd.endedBy() === "SIGKILL", 40_000);
    assert.equal((await temporaryNames()).length, 1);
    await world.deliverd.restart();
    await settled(world, [one]);
    await until("its name is gone", async () => (await temporaryNames()).length === 0);
  });

  it("tries again if the name of the base image's registry does not resolve, and says that name", async () => {
    const repo = await world.repo("nowhere", {
      Dockerfile: "FROM nowhere.invalid/base:1\nCOPY greeting.txt /\n",
      ".deliverd.yml": pipeline([image("nowhere")]),
    });
    const { sha } = await begin(world, repo);
    await until(
      "it says that it will try again",
      () =>
        /^trying again in \d+ s: .*nowhere\.invalid/.test(
          world.github.lastStatus(repo.repo, sha, "deliverd/nowhere")?.description ?? "",
        ),
      60_000,
    );
    const { id } = await world.delivery(repo, sha);
    await world.deliverd.fetch(`/api/v1/deliveries/${id}/cancel`, { method: "POST" });
    await world.status(repo, sha, "nowhere", "error");
  });

  it("exits with 0 after SIGTERM during a build, removes the container, and builds at the next start", async () => {
    const build = hold("long");
    const repo = await world.repo("long", build.files);
    const one = await begin(world, repo);
    await build.held();
    const begun = Date.now();
    assert.equal(await world.deliverd.stop(), 0);
    // Its grace is 2 s here; the rest is for a machine that is busy.
    assert.ok(Date.now() - begun < 8_000, `${Date.now() - begun} ms`);
    await build.gone();
    await world.deliverd.restart();
    await build.release();
    await settled(world, [one]);
  });

  async function temporaryNames(): Promise<string[]> {
    const images = await engine.docker.listImages();
    return images.flatMap((one) => one.RepoTags ?? []).filter((name) => name.endsWith(":build"));
  }
});
