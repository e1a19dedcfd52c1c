import assert from "node:assert/strict";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { until } from "../support/processes/process.ts";
import { image, pipeline, startWorld, type World } from "../support/world/world.ts";

describe("A commit whose CI still runs", () => {
  let world: World;

  before(async function () {
    this.timeout(120_000);
    world = await startWorld();
  });
  after(() => world.stop());

  /** Pushes a commit whose check `test` is queued. */
  async function pushed(name: string, more: Record<string, string> = {}) {
    const repo = await world.repo(name, { ".deliverd.yml": pipeline([image(name)]), ...more });
    const sha = await repo.head();
    world.github.setCheckRun(repo.repo, sha, { name: "test", status: "queued" });
    await repo.push();
    await world.status(repo, sha, name, "pending");
    return { repo, sha };
  }
  const frozen = (repo: SampleRepo, sha: string) =>
    until("its image is frozen", async () => (await world.delivery(repo, sha)).artifacts[0]?.state === "frozen");

  it("is built ahead without a name, and is not built again when CI is green", async () => {
    const { repo, sha } = await pushed("early");
    await frozen(repo, sha);
    const waiting = await world.delivery(repo, sha);
    assert.equal(waiting.state, "waiting");
    assert.deepEqual(await world.tags("acme/early"), []);

    await world.github.green(repo.repo, sha, { check: "test" });
    await world.status(repo, sha, "early", "success");
    const [release] = await world.releases(repo, sha);
    assert.equal(release?.digest, waiting.artifacts[0]?.digest);
    const log = await world.log(repo, sha);
    assert.match(log, /Prepared ahead, while CI ran: \d+\.\d s of this delivery/);
    assert.equal(log.match(/Building with/g)?.length, 1);
  }).timeout(60_000);

  it("has its content uploaded ahead without a name, if the registry knows the repo", async () => {
    const { repo, sha } = await pushed("sent");
    await world.github.green(repo.repo, sha, { check: "test" });
    const tags = await until("the branch's name has come", async () => {
      const standing = await world.tags("acme/sent");
      return standing.includes("main") && standing;
    });

    const next = await repo.commit({ "more.txt": "more" });
    world.github.setCheckRun(repo.repo, next, { name: "test", status: "queued" });
    await repo.push();
    await until("its layer is there", async () => /pushed, .* MB/.test(await world.log(repo, next).catch(() => "")));
    assert.equal((await world.delivery(repo, next)).state, "waiting");
    assert.deepEqual(await world.tags("acme/sent"), tags);

    await world.github.green(repo.repo, next, { check: "test" });
    await world.status(repo, next, "sent", "success");
    const log = await world.log(repo, next);
    assert.ok(log.indexOf("attempt 1") < log.indexOf("MB") && log.lastIndexOf("MB") < log.indexOf("attempt 2"), log);
  }).timeout(60_000);

  it("gets no name if CI turns red, and is released from the same build if CI turns green later", async () => {
    const { repo, sha } = await pushed("red");
    await frozen(repo, sha);
    await world.github.red(repo.repo, sha, { check: "test" });
    await world.status(repo, sha, "red", "failure");
    assert.deepEqual(await world.tags("acme/red"), []);
    await world.github.green(repo.repo, sha, { check: "test" });
    await world.status(repo, sha, "red", "success");
    assert.equal((await world.log(repo, sha)).match(/Building with/g)?.length, 1);
  }).timeout(60_000);

  it("reports a failed build at once, and fails without a second build when CI is green", async () => {
    const { repo, sha } = await pushed("broken", { Dockerfile: "FROM scratch\nCOPY nothing-of-this-name /\n" });
    const said = await world.status(repo, sha, "broken", "failure");
    assert.match(said.description ?? "", /^will fail once CI is green: /);
    assert.match(await world.log(repo, sha), /Preparing ahead stopped/);
    assert.equal((await world.delivery(repo, sha)).state, "waiting");
    await world.github.green(repo.repo, sha, { check: "test" });
    const failed = await until("it has failed", async () => {
      const delivery = await world.delivery(repo, sha);
      return delivery.state === "failed" && delivery;
    });
    assert.match(failed.because, /nothing-of-this-name/);
    assert.equal((await world.log(repo, sha)).match(/Building with/g)?.length, 1);
  }).timeout(60_000);
});
