import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { Octokit } from "@octokit/core";
import { paginateRest } from "@octokit/plugin-paginate-rest";
import { endScene, type Scene, startScene } from "./support.ts";

const unknownSha = "f".repeat(40);
const base = "/repos/acme/api";

describe("the GitHub stand-in", () => {
  let scene: Scene;
  const start = async () => {
    scene = await startScene();
  };
  const end = () => endScene(scene);

  /** A plain request, so that no client puts right what a test plants. */
  async function ask(
    path: string,
    options: { method?: string; headers?: Record<string, string>; body?: unknown } = {},
  ) {
    const response = await fetch(`${scene.github.apiUrl}${path}`, {
      method: options.method ?? "GET",
      headers: { authorization: `Bearer ${scene.github.token}`, ...options.headers },
      body:
        options.body === undefined
          ? null
          : typeof options.body === "string"
            ? options.body
            : JSON.stringify(options.body),
      redirect: "manual",
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
  }

  const post = (body: unknown, sha = scene.sha) => ask(`${base}/statuses/${sha}`, { method: "POST", body });
  const assertClean = () => assert.deepEqual(scene.github.violations, []);
  const assertViolation = (pattern: RegExp) => {
    assert.equal(scene.github.violations.length, 1, scene.github.violations.join("\n"));
    assert.match(scene.github.violations[0] ?? "", pattern);
  };

  describe("refuses", () => {
    before(start);
    beforeEach(() => {
      scene.github.violations.length = 0;
    });
    after(end);

    it("a request without a token", async () => {
      const response = await fetch(`${scene.github.apiUrl}${base}`);

      assert.equal(response.status, 401);
      assert.equal(JSON.parse(await response.text()).message, "Requires authentication");
      assert.equal(scene.github.requests.at(-1)?.authorization, "missing");
    });

    for (const authorization of ["Bearer wrong", "token wrong", "Basic eDp5", "Bearer", "ghs_standin"]) {
      it(`the authorization '${authorization}'`, async () => {
        const answer = await ask(base, { headers: { authorization } });

        assert.deepEqual([answer.status, answer.body.message], [401, "Bad credentials"]);
        assert.equal(scene.github.requests.at(-1)?.authorization, "wrong");
      });
    }

    it("a request without a User-Agent", async () => {
      const call = request(`${scene.github.apiUrl}${base}`, {
        headers: { authorization: `Bearer ${scene.github.token}` },
      });
      call.end();
      const [response] = await once(call, "response");
      response.resume();

      assert.equal(response.statusCode, 403);
    });

    it("a token for a repo that it does not reach, as if there were no such repo", async () => {
      await scene.github.createRepo({ owner: "other", name: "secret", token: "ghs_other" });

      assert.equal((await ask("/repos/other/secret")).status, 404);
      assert.equal((await ask("/repos/other/secret", { headers: { authorization: "token ghs_other" } })).status, 200);
      assertClean();
    });

    it("a path of GitHub's that the daemon is not to call", async () => {
      assert.equal((await ask(`${base}/commits/${scene.sha}`)).status, 404);
      assertViolation(/not among the calls/);
    });

    it("a method that the path does not have", async () => {
      assert.equal((await ask(base, { method: "DELETE" })).status, 404);
      assertViolation(/DELETE .* not among the calls/);
    });

    it("a repo, an owner and a branch that are not there, without a violation", async () => {
      for (const path of ["/repos/acme/none", "/orgs/none/repos", "/users/none/repos", `${base}/branches/none`]) {
        assert.equal((await ask(path)).status, 404, path);
      }
      assertClean();
    });

    it("an organization that is a user", async () => {
      await scene.github.createRepo({ owner: "sam", name: "tool", ownerType: "User", private: false });

      assert.equal((await ask("/orgs/sam/repos")).status, 404);
      assert.equal((await ask("/users/sam/repos")).body.length, 1);
    });

    for (const query of [
      "per_page=101",
      "per_page=0",
      "page=0",
      "page=two",
      "per_page=1.5",
      "since=1",
      "filter=newest",
    ]) {
      it(`the query ${query}`, async () => {
        assert.equal((await ask(`${base}/commits/main/check-runs?${query}`)).status, 500);
        assertViolation(/check-runs/);
      });
    }

    it("a body where none belongs", async () => {
      // fetch sends no body with a GET.
      const call = request(`${scene.github.apiUrl}${base}`, {
        headers: {
          authorization: `Bearer ${scene.github.token}`,
          "user-agent": "test",
          "transfer-encoding": "chunked",
        },
      });
      call.end("{}");
      const [response] = await once(call, "response");
      response.resume();

      assert.equal(response.statusCode, 500);
      assertViolation(/takes no body/);
    });

    for (const [what, body] of [
      ["no state", {}],
      ["a context that is a number", { state: "success", context: 1 }],
      ["a member that GitHub does not know", { state: "success", targetUrl: "http://x" }],
      ["a list", []],
      ["nothing", undefined],
    ] as const) {
      it(`a status with ${what}`, async () => {
        const before = scene.github.statusesOf(scene.repo, scene.sha).length;

        assert.equal((await post(body)).status, 500);
        assert.notEqual(scene.github.violations.length, 0);
        assert.equal(scene.github.statusesOf(scene.repo, scene.sha).length, before);
      });
    }

    it("a status that is no JSON", async () => {
      assert.equal((await post("{state:")).status, 400);
      assertViolation(/no JSON/);
    });

    it("a state that GitHub does not have", async () => {
      assert.equal((await post({ state: "neutral" })).status, 422);
      assertViolation(/state/);
    });

    it("a description of more than 140 characters", async () => {
      assert.equal((await post({ state: "success", description: "é".repeat(140) })).status, 201);
      assert.equal((await post({ state: "success", description: "é".repeat(141) })).status, 422);
      assertClean();
    });

    it("a target URL that is none of the web's", async () => {
      assert.equal((await post({ state: "success", target_url: "file:///etc/passwd" })).status, 422);
    });

    it("a sha that the repo does not hold, and one that is no commit", async () => {
      await scene.repo.tag("v1.0.0", { annotated: true });
      await scene.repo.push("v1.0.0");
      const tagObject = await scene.repo.git("rev-parse", "v1.0.0");

      for (const sha of [unknownSha, tagObject, scene.sha.slice(0, 7), "main"]) {
        const answer = await post({ state: "success" }, sha);
        assert.deepEqual([answer.status, answer.body.message], [422, `No commit found for SHA: ${sha}`]);
      }
      for (const list of ["statuses", "check-runs", "check-suites"]) {
        assert.equal((await ask(`${base}/commits/${unknownSha}/${list}`)).status, 422, list);
      }
      assert.equal((await ask(`${base}/commits/${unknownSha}/status`)).status, 404);
      assertClean();
    });

    it("the 1,001st status of a context, however its case", async () => {
      for (let at = 0; at < 1000; at++)
        scene.github.setStatus(scene.repo, scene.sha, { context: "Deliverd/API", state: "pending" });

      assert.equal((await post({ state: "success", context: "deliverd/api" })).status, 422);
      assert.equal((await post({ state: "success", context: "deliverd/web" })).status, 201);
    });
  });

  describe("refuses too", () => {
    beforeEach(start);
    afterEach(end);

    it("to give an answer of its own that GitHub's description does not allow", async () => {
      scene.github.spoilAnswers((template, body) =>
        template.endsWith("/check-runs") ? { total_count: 1, check_runs: [{ id: "one" }] } : body,
      );

      assert.equal((await ask(base)).status, 200);
      assertClean();
      const answer = await ask(`${base}/commits/main/check-runs`);
      assert.equal(answer.status, 500);
      assert.match(answer.body.message, /check_runs\/0\/id must be integer/);
      assert.notEqual(scene.github.violations.length, 0);
    });

    it("everything beyond the rate limit, and counts no answer 304", async () => {
      const { headers } = await ask(base);
      const ifNoneMatch = { "if-none-match": headers.get("etag") ?? "" };
      const left = Number(headers.get("x-ratelimit-remaining"));
      const again = await ask(base, { headers: ifNoneMatch });
      assert.deepEqual([again.status, again.body], [304, null]);
      assert.equal(Number(again.headers.get("x-ratelimit-remaining")), left);

      scene.github.rateLimit.limit = scene.github.rateLimit.used;
      const limited = await ask(base);
      assert.equal(limited.status, 403);
      assert.match(limited.body.message, /rate limit exceeded/);
      assert.equal(limited.headers.get("x-ratelimit-remaining"), "0");
      assert.ok(Number(limited.headers.get("x-ratelimit-reset")) * 1000 > Date.now());
    });
  });

  describe("fails on demand", () => {
    beforeEach(start);
    afterEach(end);

    it("as often as told, with the status and the headers told", async () => {
      scene.github.fail({ times: 2, path: "/statuses", method: "GET", status: 429, headers: { "retry-after": "7" } });

      assert.equal((await post({ state: "success" })).status, 201);
      const statuses = [];
      for (let at = 0; at < 3; at++) statuses.push((await ask(`${base}/commits/main/statuses`)).status);
      assert.deepEqual(statuses, [429, 429, 200]);
      assertClean();
    });

    it("by cutting the connection", async () => {
      scene.github.fail({ status: "cut" });

      await assert.rejects(ask(base), TypeError);
      assert.equal(scene.github.requests.at(-1)?.status, null);
      assert.equal((await ask(base)).status, 200);
    });
  });

  describe("is read by octokit, a client that is not ours", () => {
    const client = () => new (Octokit.plugin(paginateRest))({ baseUrl: scene.github.apiUrl, auth: scene.github.token });
    const commit = () => ({ owner: "acme", repo: "api", ref: scene.sha });

    beforeEach(start);
    afterEach(async () => {
      await end();
      assertClean();
    });

    it("page by page to the end, newest first", async () => {
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

    it("page by page in lists that GitHub wraps", async () => {
      for (let at = 1; at <= 31; at++) scene.github.setCheckRun(scene.repo, scene.sha, { name: `check-${at}` });

      const runs = await client().paginate("GET /repos/{owner}/{repo}/commits/{ref}/check-runs", commit());
      assert.equal(new Set(runs.map((run) => run.id)).size, 31);
    });

    it("by sha, by branch and by tag, also where its name has a slash", async () => {
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

    it("with the newest status of each context alone in the combined one", async () => {
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

    it("with a new id for each re-run of a check, and only the newest listed unless all are asked for", async () => {
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

    it("with a suite for each app, which counts its newest runs, and suites that have none", async () => {
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

    it("with the checks that a branch requires, by protection, by ruleset, or hidden", async () => {
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

    it("under its new name after a rename, and under the old one by a redirect", async () => {
      const { id } = scene.repo.repo;
      await scene.github.renameRepo(scene.repo, { name: "service" });

      const moved = await client().request("GET /repos/{owner}/{repo}", { owner: "acme", repo: "api" });
      assert.deepEqual([moved.data.id, moved.data.full_name], [id, "acme/service"]);
      assert.equal((await ask(base)).status, 301);
      const posted = await ask(`${base}/statuses/${scene.sha}`, { method: "POST", body: { state: "success" } });
      assert.equal(posted.status, 307);
      assert.equal(posted.headers.get("location"), `${scene.github.apiUrl}/repositories/${id}/statuses/${scene.sha}`);

      await scene.github.createRepo({ owner: "acme", name: "api", id: 7 });
      assert.equal((await client().request("GET /repos/{owner}/{repo}", { owner: "acme", repo: "api" })).data.id, 7);
    });

    it("with what it wrote, in order", async () => {
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
});
