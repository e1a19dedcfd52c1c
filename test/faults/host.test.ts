import assert from "node:assert/strict";
import { until } from "../support/processes/process.ts";
import { image, pipeline, startWorld, stopAndCheck, type World } from "../support/world/world.ts";
import { hold } from "./hold.ts";
import { begin, quickFiles, settled } from "./support.ts";

describe("deliverd, when the git host fails or changes its answer,", function () {
  this.timeout(600_000);
  let world: World;

  before(async () => {
    world = await startWorld();
  });

  after(() => stopAndCheck(world));

  it("announces CI that turns red after the release once, under its own id, and withdraws nothing", async () => {
    const repo = await world.repo("turned", quickFiles("turned"));
    const one = await begin(world, repo);
    await settled(world, [one]);
    const tags = await world.tags("acme/turned");
    for (let time = 0; time < 3; time++) await world.github.red(repo.repo, one.sha);
    const [notice] = await until("CI that turned red is announced", () => {
      const told = world.notices(repo, one.sha, "pipelinerun.finished");
      return told.length > 0 && told;
    });
    const [release] = await world.releases(repo, one.sha);
    assert.ok(notice);
    assert.equal(notice.id, `ci-red-${release?.id}`);
    const { subject, customData } = notice.event.data as {
      subject: { content: unknown };
      customData: { digest: string };
    };
    assert.deepEqual(subject.content, { outcome: "failure", errors: "check test failed" });
    assert.equal(customData.digest, release?.digest);
    const { state, because } = await world.delivery(repo, one.sha);
    assert.deepEqual(
      [state, because],
      ["delivered", "CI turned red after the release: check test failed; what is published stays"],
    );
    const { events } = await world.deliverd.api<{ events: { kind: string; text: string }[] }>(
      `/api/v1/why?repo=acme/turned&sha=${one.sha}`,
    );
    const texts = events.map(({ kind, text }) => `${kind} ${text}`);
    assert.ok(texts.some((text) => text.startsWith("decision ignore: CI turned red")));
    assert.ok(texts.includes("notice CI turned red after the release · sent"), texts.join("\n"));
    await world.github.green(repo.repo, one.sha);
    await world.github.red(repo.repo, one.sha);
    await settled(world, [one]);
    assert.deepEqual(await world.tags("acme/turned"), tags);
    assert.equal(new Set(world.notices(repo, one.sha, "pipelinerun.finished").map(({ id }) => id)).size, 1);
  });

  it("supersedes a commit that was force-pushed away during its build, and releases the new one", async () => {
    const build = hold("gone");
    const repo = await world.repo("gone", build.files);
    const gone = { ...(await begin(world, repo)), ci: "red" as const };
    await build.held();
    await repo.git("commit", "--quiet", "--amend", "--message", "Another");
    const sha = await repo.head();
    await repo.forcePush();
    await repo.expire();
    await world.github.green(repo.repo, sha);
    await build.release();
    // GitHub takes no status for a commit that it does not have.
    const { because } = await until("the delivery has ended", async () => {
      const delivery = await world.delivery(repo, gone.sha);
      return delivery.finishedAt !== null && delivery;
    });
    assert.equal(because, "no branch or tag of the repo holds this commit");
    await settled(world, [gone, { repo: repo.repo, sha, ci: "green" }]);
  });

  it("adds the name of a version tag that comes during the build, and builds once", async () => {
    const build = hold("late");
    const repo = await world.repo("late", build.files);
    const one = await begin(world, repo);
    await build.held();
    await repo.tag("v1.2.0");
    await repo.push("v1.2.0");
    await build.release();
    await until("the version has its name", async () => (await world.digest("acme/late", "1.2.0")) !== null);
    await settled(world, [one]);
    assert.equal((await world.log(repo, one.sha)).match(/Building with/g)?.length, 1);
  });

  it("concludes nothing from 502 or from 403 with a rate limit, and releases the commit later", async () => {
    const repo = await world.repo("limited", quickFiles("limited"));
    const sha = await repo.head();
    const path = `/repos/acme/limited/commits/${sha}`;
    world.github.fail({ path, times: 3, status: 502 });
    world.github.fail({
      path,
      times: 2,
      status: 403,
      headers: { "retry-after": "2" },
      message: "secondary rate limit",
    });
    const one = await begin(world, repo);
    await settled(world, [one]);
    const states = world.github.statusesOf(repo.repo, sha).map(({ state }) => state);
    assert.deepEqual(
      states.filter((state) => state === "failure" || state === "error"),
      [],
    );
  });

  it("turns the pending status of a commit into an error when no watched branch holds it any more", async () => {
    const repo = await world.repo("unwatched", {
      ".deliverd.yml": pipeline([image("unwatched")], { on: { branches: ["feature/*"] } }),
    });
    await repo.branch("feature/one");
    const sha = await repo.head();
    await repo.push();
    await world.status(repo, sha, "unwatched", "pending");
    await repo.branch("kept");
    await repo.push();
    await repo.deleteRemote("feature/one");
    await world.github.green(repo.repo, sha);
    const { description } = await world.status(repo, sha, "unwatched", "error");
    assert.match(description ?? "", /^not delivered: /);
    assert.equal((await world.delivery(repo, sha)).state, "ignored");
    assert.deepEqual(await world.tags("acme/unwatched"), []);
  });
});
