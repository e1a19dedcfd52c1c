import assert from "node:assert/strict";
import { Octokit } from "@octokit/core";
import { paginateRest } from "@octokit/plugin-paginate-rest";
import { ask, endScene, type Scene, startScene } from "./support.ts";

const base = "/repos/acme/api";

describe("The GitHub stand-in, read with octokit,", () => {
  let scene: Scene;
  beforeEach(async () => {
    scene = await startScene();
  });
  const client = () => new (Octokit.plugin(paginateRest))({ baseUrl: scene.github.apiUrl, auth: scene.github.token });
  const commit = () => ({ owner: "acme", repo: "api", ref: scene.sha });

  afterEach(async () => {
    await endScene(scene);
    assert.deepEqual(scene.github.violations, []);
  });

  it("lists page by page to the end, newest first", async () => {
    for (let at = 1; at <= 95; at++) {
      scene.github.setStatus(scene.repo, scene.sha, { context: `check-${at}`, state: "success" });
    }

    const all = await client().paginate("GET /repos/{owner}/{repo}/commits/{ref}/statuses", commit());
    assert.deepEqual(
      all.map((one) => one.context),
      Array.from({ length: 95 }, (_none, at) => `check-${95 - at}`),
    );
    assert.equal(scene.github.requests.filter((one) => one.path.includes("/statuses")).length, 4);

    const wide = await client().paginate("GET /repos/{owner}/{repo}/commits/{ref}/statuses", {
      ...commit(),
      per_page: 100,
    });
    assert.equal(wide.length, 95);
  });

  it("lists page by page where GitHub wraps the list in an object", async () => {
    for (let at = 1; at <= 31; at++) scene.github.setCheckRun(scene.repo, scene.sha, { name: `check-${at}` });

    const runs = await client().paginate("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", commit());
    assert.equal(new Set(runs.map((run) => run.id)).size, 31);
  });

  it("shows CI by sha, by branch and by tag, also if the name has a slash", async () => {
    await scene.repo.branch("release/1.x");
    await scene.repo.push();
    await scene.repo.tag("v1.0.0", { annotated: true });
    await scene.repo.push("v1.0.0");
    scene.github.setStatus(scene.repo, scene.sha, { context: "test", state: "success" });

    for (const ref of [scene.sha, "main", "release/1.x", "heads/release/1.x", "tags/v1.0.0"]) {
      const { data } = await client().request("GET /repos/{owner}/{repo}/commits/{ref}/status", { ...commit(), ref });
      assert.deepEqual([data.sha, data.state], [scene.sha, "success"], ref);
    }
    const branch = { owner: "acme", repo: "api", branch: "release/1.x" };
    const { data } = await client().request("GET /repos/{owner}/{repo}/branches/{branch}", branch);
    assert.deepEqual([data.name, data.commit.sha, data.protected], ["release/1.x", scene.sha, false]);
  });

  it("combines only the newest status of each context", async () => {
    const state = async () => {
      const { data } = await client().request("GET /repos/{owner}/{repo}/commits/{ref}/status", commit());
      return [data.state, data.statuses.map((one) => `${one.context} ${one.state}`)];
    };
    assert.deepEqual(await state(), ["pending", []]);
    scene.github.setStatus(scene.repo, scene.sha, { context: "test", state: "failure" });
    assert.deepEqual(await state(), ["failure", ["test failure"]]);
    scene.github.setStatus(scene.repo, scene.sha, { context: "Test", state: "success" });
    assert.deepEqual(await state(), ["success", ["Test success"]]);
    scene.github.setStatus(scene.repo, scene.sha, { context: "lint", state: "pending" });
    assert.deepEqual(await state(), ["pending", ["Test success", "lint pending"]]);
  });

  it("gives each re-run of a check a new id, and lists only the newest unless all are requested", async () => {
    const first = scene.github.setCheckRun(scene.repo, scene.sha, { name: "test", status: "in_progress" }).id;
    assert.equal(scene.github.setCheckRun(scene.repo, scene.sha, { name: "test", conclusion: "failure" }).id, first);
    const second = scene.github.setCheckRun(scene.repo, scene.sha, { name: "test" }).id;
    assert.ok(second > first);

    const list = async (filter: "latest" | "all") => {
      const query = { ...commit(), filter };
      const { data } = await client().request("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", query);
      return data.check_runs.map((run) => [run.id, run.conclusion]);
    };
    assert.deepEqual(await list("latest"), [[second, "success"]]);
    assert.deepEqual(await list("all"), [
      [second, "success"],
      [first, "failure"],
    ]);
  });

  it("has a suite for each app, which counts its newest runs, and empty suites", async () => {
    scene.github.setCheckRun(scene.repo, scene.sha, { name: "test", conclusion: "failure" });
    scene.github.setCheckRun(scene.repo, scene.sha, { name: "test" });
    scene.github.setCheckRun(scene.repo, scene.sha, { name: "lint", conclusion: "skipped" });
    scene.github.setCheckRun(scene.repo, scene.sha, {
      name: "scan",
      status: "queued",
      app: { id: 7, slug: "scanner" },
    });
    scene.github.addEmptySuite(scene.repo, scene.sha);

    const { data } = await client().request("GET /repos/{owner}/{repo}/commits/{ref}/check-suites", commit());
    assert.deepEqual(
      data.check_suites.map((one) => [one.app?.slug, one.status, one.conclusion, one.latest_check_runs_count]),
      [
        ["github-actions", "completed", "success", 2],
        ["scanner", "queued", null, 1],
        ["idle-app", "queued", null, 0],
      ],
    );
    assert.equal(data.check_suites[0]?.head_sha, scene.sha);
  });

  it("has a suite of Actions for each workflow run, by branch, even before it has a job", async () => {
    const first = scene.github.addSuite(scene.repo, scene.sha);
    const second = scene.github.addSuite(scene.repo, scene.sha, { branch: "release/1" });
    scene.github.addSuite(scene.repo, scene.sha, { status: "pending" });
    scene.github.addSuite(scene.repo, scene.sha, { status: "completed", conclusion: "startup_failure" });
    scene.github.setCheckRun(scene.repo, scene.sha, { name: "test", suite: first.id, conclusion: "cancelled" });
    scene.github.setCheckRun(scene.repo, scene.sha, { name: "test", suite: second.id });

    const { data } = await client().request("GET /repos/{owner}/{repo}/commits/{ref}/check-suites", commit());
    assert.deepEqual(
      data.check_suites.map((one) => [one.head_branch, one.status, one.conclusion, one.latest_check_runs_count]),
      [
        ["main", "completed", "cancelled", 1],
        ["release/1", "completed", "success", 1],
        ["main", "pending", null, 0],
        ["main", "completed", "startup_failure", 0],
      ],
    );
    const runs = await client().request("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", commit());
    assert.deepEqual(
      runs.data.check_runs.map((run) => [run.check_suite?.id, run.conclusion]),
      [
        [second.id, "success"],
        [first.id, "cancelled"],
      ],
    );
  });

  it("shows the bot of the app that set a status, and its picture", async () => {
    scene.github.setStatus(scene.repo, scene.sha, {
      context: "e2e",
      state: "success",
      by: { id: 77, slug: "scanner" },
    });
    const { data } = await client().request("GET /repos/{owner}/{repo}/commits/{ref}/statuses", commit());
    const creator = data[0]?.creator;
    assert.deepEqual([creator?.login, creator?.type], ["scanner[bot]", "Bot"]);
    assert.match(creator?.avatar_url ?? "", /\/in\/77\?/);
  });

  it("lists the other rules of a branch's rulesets", async () => {
    const also = [
      { type: "workflows", parameters: { workflows: [{ path: ".github/workflows/ci.yml", repository_id: 1 }] } },
      { type: "deletion" },
    ];
    scene.github.protectBranch(scene.repo, "main", { required: ["test"], via: "rules", also });
    const branch = { owner: "acme", repo: "api", branch: "main" };
    const { data } = await client().request("GET /repos/{owner}/{repo}/rules/branches/{branch}", branch);
    assert.deepEqual(
      data.map(({ type }) => type),
      ["required_status_checks", "workflows", "deletion"],
    );
  });

  it("shows the checks that a branch requires, by protection, by ruleset, or hidden", async () => {
    const branch = { owner: "acme", repo: "api", branch: "main" };
    const protection = "GET /repos/{owner}/{repo}/branches/{branch}/protection/required_status_checks";
    const rules = "GET /repos/{owner}/{repo}/rules/branches/{branch}";
    await assert.rejects(client().request(protection, branch), { status: 404 });

    scene.github.protectBranch(scene.repo, "main", { required: ["test"], appId: 15368 });
    assert.deepEqual((await client().request(protection, branch)).data.checks, [{ context: "test", app_id: 15368 }]);
    assert.deepEqual((await client().request(rules, branch)).data, []);

    scene.github.protectBranch(scene.repo, "main", { required: ["lint"], via: "rules" });
    await assert.rejects(client().request(protection, branch), { status: 404 });
    const [rule] = (await client().request(rules, branch)).data;
    assert.ok(rule?.type === "required_status_checks");
    assert.deepEqual(rule.parameters?.required_status_checks, [{ context: "lint" }]);

    scene.github.protectBranch(scene.repo, "main", { required: ["lint"], tells: false });
    await assert.rejects(client().request(protection, branch), { status: 403 });
    await assert.rejects(client().request(rules, branch), { status: 403 });
  });

  it("serves a renamed repo under its new name, and redirects the old one", async () => {
    const { id } = scene.repo.repo;
    await scene.github.renameRepo(scene.repo, { name: "service" });

    const moved = await client().request("GET /repos/{owner}/{repo}", { owner: "acme", repo: "api" });
    assert.deepEqual([moved.data.id, moved.data.full_name], [id, "acme/service"]);
    assert.equal((await ask(scene, base)).status, 301);
    const posted = await ask(scene, `${base}/statuses/${scene.sha}`, { method: "POST", body: { state: "success" } });
    assert.equal(posted.status, 307);
    assert.equal(posted.headers.get("location"), `${scene.github.apiUrl}/repositories/${id}/statuses/${scene.sha}`);

    await scene.github.createRepo({ owner: "acme", name: "api", id: 7 });
    assert.equal((await client().request("GET /repos/{owner}/{repo}", { owner: "acme", repo: "api" })).data.id, 7);
  });

  it("records what octokit wrote, in order", async () => {
    const status = { owner: "acme", repo: "api", sha: scene.sha, context: "deliverd/api" };
    const url = "http://127.0.0.1/deliveries/1";
    await client().request("POST /repos/{owner}/{repo}/statuses/{sha}", { ...status, state: "pending" });
    await client().request("POST /repos/{owner}/{repo}/statuses/{sha}", {
      ...{ ...status, state: "success", target_url: url, description: "1.2.3" },
    });

    const states = scene.github.statusesOf(scene.repo, scene.sha).map((one) => one.state);
    assert.deepEqual(states, ["pending", "success"]);
    const last = scene.github.lastStatus(scene.repo, scene.sha, "deliverd/api");
    assert.deepEqual([last?.targetUrl, last?.description], [url, "1.2.3"]);
  });
});
