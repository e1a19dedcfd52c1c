import assert from "node:assert/strict";
import { Refused, TransientError } from "../../../src/delivery/errors.ts";
import type { CommitRef, Gate } from "../../../src/delivery/types.ts";
import { githubHost } from "../../../src/hosts/github/host.ts";
import type { Host } from "../../../src/hosts/host.ts";
import { openHosts } from "../../../src/hosts/index.ts";
import { type SampleRepo, sampleRepo } from "../../support/fixtures/sample-repo.ts";
import { type GitHubStandIn, startGitHub } from "../../support/hosts/github/github.ts";
import { noTools } from "../../support/hosts/no-tools.ts";

const gate = (more: Partial<Gate> = {}): Gate => ({
  ci: "required",
  required: [],
  apps: null,
  settle: 5_000,
  timeout: 60_000,
  ...more,
});

describe("GitHub as a host", () => {
  let github: GitHubStandIn;
  let sample: SampleRepo;
  let host: Host;
  let commit: CommitRef;
  let time = Date.UTC(2026, 0, 1);

  before(async () => {
    github = await startGitHub({ now: () => time });
    sample = await sampleRepo(github, { owner: "acme", name: "api" });
    const { apiUrl, cloneUrl, token } = github;
    host = githubHost({ key: "github", apiUrl, cloneUrl, webhookSecret: "secret", token, retryBase: 5 });
  });
  after(async () => {
    await sample.remove();
    await github.close();
  });

  beforeEach(async () => {
    time += 3_600_000;
    const sha = await sample.commit({ "greeting.txt": `at ${time}` });
    await sample.push();
    commit = {
      repo: { id: `github:${sample.repo.id}`, host: "github", owner: "acme", name: sample.name, defaultBranch: "main" },
      sha,
    };
  });
  afterEach(() => assert.deepEqual(github.violations, []));

  const ask = (
    wanted: Partial<Gate> = {},
    { branch = "main", wait = 10_000 }: { branch?: string | null; wait?: number } = {},
  ) => host.ciState(commit, gate(wanted), branch === null ? [] : [branch], time + wait);
  const verdict = async (...asked: Parameters<typeof ask>) => (await ask(...asked)).verdict;
  const check = (name: string, run: object = {}) => github.setCheckRun(sample.repo, commit.sha, { name, ...run });

  it("is opened under its key in the configuration, and not without a webhook secret", async () => {
    const { apiUrl, cloneUrl, token } = github;
    const config = { type: "github" as const, apiUrl, cloneUrl, webhookSecret: "secret", token };
    assert.deepEqual([...(await openHosts({ ours: config, theirs: config }, noTools)).keys()], ["ours", "theirs"]);
    await assert.rejects(openHosts({ ours: { ...config, webhookSecret: " " } }, noTools), {
      code: "github-webhook-secret-missing",
      message: /hosts\.ours\.webhookSecret is empty/,
    });
  });

  it("says none before anything is reported, and leaves out suites without runs and what we reported ourselves", async () => {
    github.addEmptySuite(sample.repo, commit.sha);
    await host.report(commit, {
      context: "deliverd/api",
      state: "pending",
      description: "waiting",
      targetUrl: "https://d.example.com",
    });
    assert.equal(await verdict(), "none");
  });

  it("is pending while a run is queued, and green when all have passed and nothing is new for the settle time", async () => {
    const run = check("test", { status: "queued" });
    github.setStatus(sample.repo, commit.sha, { context: "lint", state: "success" });
    assert.equal(await verdict(), "pending");
    check("test", { id: run.id, conclusion: "success" });
    const early = await ask({}, { wait: 1_000 });
    assert.deepEqual([early.verdict, early.retryAt], ["pending", time + 5_000]);
    const settled = await ask();
    assert.deepEqual([settled.verdict, settled.retryAt], ["green", null]);
    assert.deepEqual(settled.checks.map(({ name }) => name).sort(), ["lint", "test"]);
  });

  it("is red when a status or a run has failed, and green again after its re-run", async () => {
    check("test", { conclusion: "failure" });
    assert.equal(await verdict(), "red");
    time += 1_000;
    check("test", { conclusion: "success" });
    assert.equal(await verdict(), "green");
    github.setStatus(sample.repo, commit.sha, { context: "lint", state: "error" });
    assert.equal(await verdict(), "red");
  });

  it("waits for a workflow of Actions that is queued and has no job yet, beside another app's green check", async () => {
    check("lint", { app: { id: 77, slug: "scanner" } });
    const suite = github.addSuite(sample.repo, commit.sha);
    const { verdict: waiting, because } = await ask();
    assert.deepEqual([waiting, because], ["pending", "waiting for check suite of github-actions (queued)"]);
    check("test", { suite: suite.id });
    assert.equal(await verdict(), "green");
  });

  it("is red where a workflow could not start", async () => {
    check("lint", { app: { id: 77, slug: "scanner" } });
    github.addSuite(sample.repo, commit.sha, { status: "completed", conclusion: "startup_failure" });
    assert.equal((await ask()).because, "check suite of github-actions (startup_failure) failed");
  });

  it("is green by the second branch's run where the first was cancelled for it", async () => {
    const first = github.addSuite(sample.repo, commit.sha);
    const second = github.addSuite(sample.repo, commit.sha, { branch: "release/1" });
    check("test", { suite: first.id, conclusion: "cancelled" });
    check("test", { suite: second.id, status: "in_progress" });
    assert.equal(await verdict(), "pending");
    check("test", { suite: second.id });
    assert.equal(await verdict(), "green");
  });

  it("waits for a workflow that a ruleset requires", async () => {
    const also = [{ type: "workflows", parameters: { workflows: [{ path: "ci.yml", repository_id: 1 }] } }];
    const branch = "by-workflow";
    await sample.git("push", "--quiet", sample.repo.directory, `HEAD:refs/heads/${branch}`);
    github.protectBranch(sample.repo, branch, { required: [], via: "rules", also });
    check("lint", { app: { id: 77, slug: "scanner" } });
    assert.match((await ask({}, { branch })).because, /^waiting for a run of github-actions \(workflow ci\.yml/);
    check("test");
    assert.equal(await verdict({}, { branch }), "green");
  });

  it("makes three calls, and two more where the branch may require something, three where it is protected", async () => {
    const calls = async (...asked: Parameters<typeof ask>) => {
      const before = github.requests.length;
      await ask(...asked);
      return github.requests.slice(before).map(({ path }) => path.replace(/\?.*/, "").replace(/.*\//, ""));
    };
    const reported = ["check-runs", "check-suites", "statuses"];
    check("test");
    github.addSuite(sample.repo, commit.sha, { branch: "release/1" });
    assert.deepEqual((await calls({ required: ["test"] })).sort(), reported);
    assert.deepEqual((await calls({}, { branch: null })).sort(), reported);
    assert.deepEqual((await calls()).sort(), [...reported, "main", "main"].sort());
    await sample.git("push", "--quiet", sample.repo.directory, "HEAD:refs/heads/counted");
    github.protectBranch(sample.repo, "counted", { required: ["test"], via: "rules" });
    const ofBranch = ["counted", "counted", "required_status_checks"];
    assert.deepEqual((await calls({}, { branch: "counted" })).sort(), [...reported, ...ofBranch].sort());
  });

  it("reads every page", async () => {
    for (let i = 0; i < 120; i++) check(`test ${i}`);
    check("the last", { conclusion: "failure" });
    for (let i = 0; i < 120; i++) github.setStatus(sample.repo, commit.sha, { context: `lint ${i}`, state: "success" });
    const { verdict, checks } = await ask();
    assert.deepEqual([verdict, checks.length], ["red", 241]);
  });

  it("is asked for nothing where the gate wants no CI", async () => {
    const asked = github.requests.length;
    assert.equal(await verdict({ ci: "none" }), "green");
    assert.equal(github.requests.length, asked);
  });

  it("counts only the gate's own checks, without asking what the branch requires", async () => {
    check("test");
    check("flaky", { conclusion: "failure" });
    const asked = github.requests.length;
    assert.equal(await verdict({ required: ["test"] }), "green");
    assert.ok(!github.requests.slice(asked).some(({ path }) => path.includes("/branches/")));
  });

  for (const via of ["protection", "rules"] as const) {
    it(`counts the checks that the branch requires by ${via}, where GitHub tells`, async () => {
      const branch = `by-${via}/1`;
      await sample.git("push", "--quiet", sample.repo.directory, `HEAD:refs/heads/${branch}`);
      check("test");
      check("flaky", { conclusion: "failure" });
      assert.equal(await verdict({}, { branch }), "red");
      github.protectBranch(sample.repo, branch, { required: ["test", "deliverd/api"], via });
      assert.equal(await verdict({}, { branch }), "green");
      github.protectBranch(sample.repo, branch, { required: ["test", "absent"], via });
      assert.equal(await verdict({}, { branch }), "pending");
    });

    it(`takes a check that ${via} demands of one app from no other, nor from a status of its name`, async () => {
      const branch = `of-an-app/${via}`;
      await sample.git("push", "--quiet", sample.repo.directory, `HEAD:refs/heads/${branch}`);
      github.protectBranch(sample.repo, branch, { required: ["test"], appId: 15368, via });
      check("test", { app: { id: 666, slug: "somebodys-app" } });
      github.setStatus(sample.repo, commit.sha, { context: "test", state: "success" });
      assert.equal(await verdict({}, { branch }), "pending");
      check("test");
      assert.equal(await verdict({}, { branch }), "green");
    });

    it(`takes a status that ${via} demands of one app from that app's bot, and from no other bot`, async () => {
      const branch = `of-a-bot/${via}`;
      await sample.git("push", "--quiet", sample.repo.directory, `HEAD:refs/heads/${branch}`);
      github.protectBranch(sample.repo, branch, { required: ["e2e"], appId: 77, via });
      const by = (id: number, slug: string) =>
        github.setStatus(sample.repo, commit.sha, { context: "e2e", state: "success", by: { id, slug } });
      by(666, "somebodys-app");
      assert.equal(await verdict({}, { branch }), "pending");
      by(77, "scanner");
      assert.equal(await verdict({}, { branch }), "green");
    });
  }

  describe("on a commit that two watched branches hold", () => {
    /** Two branches at the commit, named anew for each test. */
    const branchesOf = async (name: string) => {
      const branches = [`${name}/trunk`, `${name}/release-1`] as const;
      for (const branch of branches)
        await sample.git("push", "--quiet", sample.repo.directory, `HEAD:refs/heads/${branch}`);
      return branches;
    };
    const ask = (branches: readonly string[]) => host.ciState(commit, gate(), [...branches], time + 10_000);

    it("is green when the checks that the rulesets of both branches require have passed, whatever else failed", async () => {
      const [trunk, release] = await branchesOf("rulesets");
      github.protectBranch(sample.repo, trunk, { required: ["test"], via: "rules" });
      github.protectBranch(sample.repo, release, { required: ["audit"], via: "rules" });
      check("flaky", { conclusion: "failure" });
      check("test");
      assert.equal((await ask([trunk])).verdict, "green");
      const waiting = await ask([trunk, release]);
      assert.deepEqual([waiting.verdict, waiting.because], ["pending", "waiting for check audit"]);
      check("audit", { conclusion: "failure" });
      assert.equal((await ask([release, trunk])).verdict, "red");
      time += 1_000;
      check("audit");
      assert.equal((await ask([trunk, release])).verdict, "green");
    });

    it("takes a check that one branch requires of an app from that app alone, though the other takes any app's", async () => {
      const [trunk, release] = await branchesOf("apps");
      github.protectBranch(sample.repo, trunk, { required: ["test"], via: "protection" });
      github.protectBranch(sample.repo, release, { required: ["test"], appId: 77, via: "rules" });
      check("test");
      assert.equal((await ask([trunk])).verdict, "green");
      assert.equal((await ask([trunk, release])).verdict, "pending");
      check("test", { app: { id: 77, slug: "scanner" }, conclusion: "failure" });
      assert.equal((await ask([trunk, release])).verdict, "red");
      time += 1_000;
      check("test", { app: { id: 77, slug: "scanner" } });
      assert.equal((await ask([trunk, release])).verdict, "green");
    });
  });

  it("counts every check where GitHub does not tell, has no such branch, or none is concerned", async () => {
    await sample.git("push", "--quiet", sample.repo.directory, "HEAD:refs/heads/silent");
    github.protectBranch(sample.repo, "silent", { required: ["test"], tells: false, via: "rules" });
    check("test");
    check("lint", { conclusion: "failure" });
    for (const branch of ["silent", "gone", null]) assert.equal(await verdict({}, { branch }), "red");
  });

  it("concludes nothing from a failure of any of its calls", async () => {
    check("test");
    for (const path of ["/statuses", "/check-runs", "/check-suites", /api\/branches\/main/, "/rules/branches"]) {
      github.fail({ path, status: 500, times: 3 });
      await assert.rejects(ask(), TransientError, String(path));
      github.fail({ path, status: 403, headers: { "retry-after": "9" }, message: "secondary rate limit" });
      await assert.rejects(ask(), { code: "github-rate-limited", retryAfter: 9_000 }, String(path));
    }
    assert.equal(await verdict(), "green");
  });

  it("says which right is missing where the token may not see the checks", async () => {
    github.fail({ path: "/check-runs", status: 403, message: "Resource not accessible by personal access token" });
    await assert.rejects(ask(), {
      name: "TransientError",
      code: "github-ci-unreadable",
      message: /may read its checks/,
    });
  });

  it("refuses a commit that GitHub does not have", async () => {
    commit = { ...commit, sha: "f".repeat(40) };
    await assert.rejects(ask(), (error) => error instanceof Refused && error.code === "commit-gone");
  });

  it("costs nothing of the hourly budget while nothing has changed", async () => {
    check("test");
    await ask();
    const { used } = github.rateLimit;
    assert.equal(await verdict(), "green");
    assert.equal(github.rateLimit.used, used);
  });

  it("takes our report as it is", async () => {
    const report = {
      context: "deliverd/api",
      state: "success" as const,
      description: "x".repeat(200),
      targetUrl: "https://d.example.com/1",
    };
    await host.report(commit, report);
    const status = github.lastStatus(sample.repo, commit.sha, "deliverd/api");
    assert.deepEqual(
      [status?.state, status?.description?.length, status?.targetUrl],
      ["success", 140, report.targetUrl],
    );
  });

  it("knows a repo by its id, also under the name that it has left", async () => {
    const hostId = String(sample.repo.id);
    assert.equal((await host.findRepo("acme", "api"))?.hostId, hostId);
    assert.equal(await host.findRepo("acme", "nothing"), null);
    await github.renameRepo(sample.repo, { name: "renamed" });
    try {
      assert.deepEqual(await host.findRepo("acme", "api"), {
        hostId,
        owner: "acme",
        name: "renamed",
        defaultBranch: "main",
      });
      await host.report(commit, {
        context: "deliverd",
        state: "pending",
        description: "",
        targetUrl: "https://d.example.com",
      });
      assert.equal(github.lastStatus(sample.repo, commit.sha, "deliverd")?.state, "pending");
    } finally {
      await github.renameRepo(sample.repo, { name: "api" });
    }
  });
});
