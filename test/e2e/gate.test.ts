import assert from "node:assert/strict";
import { type SampleRepo, sampleRepo } from "../support/fixtures/sample-repo.ts";
import { until } from "../support/processes/process.ts";
import { image, pipeline, startWorld, stopAndCheck, type World } from "../support/world/world.ts";

describe("The CI gate", function () {
  this.timeout(90_000);
  let world: World;

  before(async () => {
    world = await startWorld({
      config: { repos: ["acme/*", { match: "acme/bounded", ci: { required: ["security"] } }] },
    });
  });

  after(() => stopAndCheck(world));

  it("holds a red commit and names the check, and releases the commit when a re-run is green", async () => {
    const repo = await world.repo("red");
    const sha = await repo.head();
    await repo.push();
    await world.github.red(repo.repo, sha, { check: "unit tests" });
    const failure = await world.status(repo, sha, "red", "failure");
    assert.equal(failure.description, "check unit tests failed");
    assert.equal((await world.delivery(repo, sha)).state, "waiting");
    assert.deepEqual(await world.tags("acme/red"), []);

    await world.github.green(repo.repo, sha, { check: "unit tests" });
    await world.status(repo, sha, "red", "success");
    assert.equal((await world.releases(repo, sha)).length, 1);
  });

  it("waits only for checks that are required by name or glob, and names those that are missing", async () => {
    const ci = { required: ["test", "lint/*"] };
    const repo = await world.repo("required", { ".deliverd.yml": pipeline([image("required")], { ci }) });
    const sha = await repo.head();
    await repo.push();
    const none = await world.status(repo, sha, "required", "pending");
    assert.equal(none.description, "waiting for checks lint/* and test");
    await world.github.red(repo.repo, sha, { check: "optional" });
    await world.github.green(repo.repo, sha, { check: "test" });
    await until("lint/* alone is missing", () => {
      return world.github.lastStatus(repo.repo, sha, "deliverd/required")?.description === "waiting for check lint/*";
    });
    await world.github.green(repo.repo, sha, { status: "lint/style" });
    await world.status(repo, sha, "required", "success");
  });

  it("requires what the host requires on the branch if the pipeline names no checks", async () => {
    const repo = await world.repo("protected", {
      ".deliverd.yml": pipeline([image("protected")], { ci: { settle: "0s" } }),
    });
    const sha = await repo.head();
    world.github.protectBranch(repo.repo, "main", { required: ["must"] });
    await repo.push();
    await world.github.green(repo.repo, sha, { check: "may" });
    const pending = await world.status(repo, sha, "protected", "pending");
    assert.equal(pending.description, "waiting for check must");
    await world.github.green(repo.repo, sha, { check: "must" });
    await world.status(repo, sha, "protected", "success");
  });

  it("waits for a workflow without a job, and accepts another branch's run for a cancelled one", async () => {
    const repo = await world.repo("begun", {
      ".deliverd.yml": pipeline([image("begun")], { ci: { settle: "0s" } }),
    });
    const sha = await repo.head();
    const first = world.github.addSuite(repo.repo, sha);
    await repo.push();
    await world.github.green(repo.repo, sha, { status: "lint" });
    const { description } = await world.status(repo, sha, "begun", "pending");
    assert.equal(description, "waiting for check suite of github-actions (queued)");
    assert.deepEqual(await world.tags("acme/begun"), []);

    const second = world.github.addSuite(repo.repo, sha, { branch: "release/1" });
    world.github.setCheckRun(repo.repo, sha, { name: "test", suite: first.id, conclusion: "cancelled" });
    world.github.setCheckRun(repo.repo, sha, { name: "test", suite: second.id, status: "in_progress" });
    await world.github.green(repo.repo, sha, { status: "lint" });
    await until("the second run is waited for", () => {
      const last = world.github.lastStatus(repo.repo, sha, "deliverd/begun");
      return last?.description?.includes("test") === true && last.state === "pending";
    });
    world.github.setCheckRun(repo.repo, sha, { name: "test", suite: second.id });
    await world.github.green(repo.repo, sha, { status: "lint" });
    await world.status(repo, sha, "begun", "success");
  });

  it("fails a commit without any CI after the timeout, and releases it if CI reports later", async () => {
    const ci = { required: ["late"], timeout: "1s" };
    const repo = await world.repo("silent", { ".deliverd.yml": pipeline([image("silent")], { ci }) });
    const sha = await repo.head();
    await repo.push();
    await until("its time is over", async () => {
      await ask("acme/silent", sha);
      return world.github.lastStatus(repo.repo, sha, "deliverd/silent")?.state === "failure";
    });
    const { state, because } = await world.delivery(repo, sha);
    assert.deepEqual([state, because], ["failed", "CI did not finish in time: waiting for check late"]);
    await world.github.green(repo.repo, sha, { check: "late" });
    await world.status(repo, sha, "silent", "success");
  });

  it("adds the server's required checks, which `ci: none` cannot remove", async () => {
    const repo = await world.repo("bounded", { ".deliverd.yml": pipeline([image("bounded")], { ci: "none" }) });
    const sha = await repo.head();
    await repo.push();
    assert.equal((await world.status(repo, sha, "bounded", "pending")).description, "waiting for check security");
    await world.github.green(repo.repo, sha, { check: "security" });
    await world.status(repo, sha, "bounded", "success");
  });

  it("requires nothing under `ci: none`, but still ignores a commit in the middle of a push", async () => {
    const repo = await world.repo("ungated", { ".deliverd.yml": pipeline([image("ungated")], { ci: "none" }) });
    const middle = await repo.head();
    const head = await repo.commit({ "greeting.txt": "The head\n" });
    await repo.push();
    await world.status(repo, head, "ungated", "success");

    await world.github.green(repo.repo, middle);
    const why = await decided(repo, middle);
    assert.equal(why.state, "ignored");
    assert.match(why.because, /middle of a push/);
    assert.deepEqual(await world.releases(repo, middle), []);
    assert.deepEqual(own(repo, middle), []);
  });

  it("requires the checks of every watched branch of the commit, whichever branch is reported first", async () => {
    const on = { branches: ["main", "release/*"], tags: [] };
    const repo = await world.repo("both", {
      ".deliverd.yml": pipeline([image("both")], { on, ci: { settle: "1s" } }),
    });
    world.github.protectBranch(repo.repo, "main", { required: ["test", "scan"] });
    const sha = await repo.head();
    world.github.webhooksOff = true;
    const main = await repo.push();
    await repo.branch("release/1");
    const release = await repo.push();
    world.github.webhooksOff = false;
    for (const hook of [...release, ...main]) await world.github.redeliver(hook);
    await world.github.green(repo.repo, sha);
    await until("it waits for the other check", () => {
      const last = world.github.lastStatus(repo.repo, sha, "deliverd/both");
      return last?.description === "waiting for check scan";
    });
    await world.github.green(repo.repo, sha, { check: "scan" });
    await world.status(repo, sha, "both", "success");
  });

  it("reports nothing on a commit of an unwatched branch", async () => {
    const repo = await world.repo("elsewhere", { ".deliverd.yml": pipeline([image("elsewhere")]) });
    await repo.push();
    await repo.branch("feature");
    const sha = await repo.commit({ "greeting.txt": "Not yet\n" });
    await repo.push();
    await world.github.green(repo.repo, sha);
    const why = await decided(repo, sha);
    assert.equal(why.state, "ignored");
    assert.match(why.because, /watches branch main, not feature/);
    assert.deepEqual(own(repo, sha), []);
  });

  it("never delivers a fork's commit, whatever a green event says", async () => {
    const repo = await world.repo("forked", { ".deliverd.yml": pipeline([image("forked")], { ci: "none" }) });
    await repo.push();
    await world.status(repo, await repo.head(), "forked", "success");
    const sha = await repo.plantForkCommit({ "greeting.txt": "Not ours\n" });
    await world.github.green(repo.repo, sha);
    const why = await decided(repo, sha);
    assert.match(why.because, /no branch or tag of the repo holds this commit/);
    assert.deepEqual(await world.releases(repo, sha), []);
    assert.deepEqual(own(repo, sha), []);
    assert.equal(
      (await world.tags("acme/forked")).some((tag) => tag.includes(sha.slice(0, 7))),
      false,
    );

    const asked = await ask("acme/forked", sha);
    assert.equal(asked.status, 202);
    // Once a later commit is out, this one has been looked at again as well.
    const next = await repo.commit({ "greeting.txt": "Ours\n" });
    await repo.push();
    await world.status(repo, next, "forked", "success");
    assert.deepEqual(await world.releases(repo, sha), []);
  });

  it("answers 202 ignored to a webhook of a repo that matches no entry of repos", async () => {
    const stranger = await sampleRepo(world.github, { owner: "strangers", name: "things" });
    try {
      const [, push] = await stranger.push();
      assert.deepEqual(
        [push?.answer?.status, JSON.parse(push?.answer?.body ?? "")],
        [202, { status: "ignored", because: "github/strangers/things is not in 'repos' of the server configuration" }],
      );
      const asked = await ask("strangers/things", await stranger.head());
      assert.equal(asked.status, 422);
    } finally {
      await stranger.remove();
    }
  });

  it("evaluates a commit that a person requests, also in the middle of a push, and still checks its CI", async () => {
    const repo = await world.repo("asked", { ".deliverd.yml": pipeline([image("asked")]) });
    const middle = await repo.head();
    await repo.commit({ "greeting.txt": "The head\n" });
    await repo.push();
    assert.equal((await ask("github/acme/asked", middle)).status, 202);
    assert.equal((await world.status(repo, middle, "asked", "pending")).description, "waiting for check test");
    await world.github.green(repo.repo, middle);
    await world.status(repo, middle, "asked", "success");
  });

  function ask(repo: string, sha: string): Promise<Response> {
    return world.deliverd.fetch("/api/v1/deliveries", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ repo, sha }),
    });
  }

  async function decided(
    repo: SampleRepo,
    sha: string,
  ): Promise<{ state: string; because: string; events: { kind: string }[] }> {
    return until("a decision is recorded", async () => {
      const why = await world.deliverd.api<{ state: string; because: string; events: { kind: string }[] }>(
        `/api/v1/why?repo=${repo.owner}/${repo.name}&sha=${sha}`,
      );
      return why.events.some(({ kind }) => kind === "decision") && why;
    });
  }

  /** What deliverd itself said on the commit. */
  function own(repo: SampleRepo, sha: string): string[] {
    return world.github
      .statusesOf(repo.repo, sha)
      .filter((one) => one.targetUrl !== null)
      .map((one) => one.context);
  }
});
