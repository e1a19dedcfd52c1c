import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { ask, endScene, type Scene, startScene } from "./support.ts";

const unknownSha = "f".repeat(40);
const base = "/repos/acme/api";

describe("The GitHub stand-in", () => {
  let scene: Scene;
  const start = async () => {
    scene = await startScene();
  };
  const end = () => endScene(scene);

  const post = (body: unknown, sha = scene.sha) => ask(scene, `${base}/statuses/${sha}`, { method: "POST", body });
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
        const answer = await ask(scene, base, { headers: { authorization } });

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

    it("a token for a repo that it may not see, as if there were no such repo", async () => {
      await scene.github.createRepo({ owner: "other", name: "secret", token: "ghs_other" });

      assert.equal((await ask(scene, "/repos/other/secret")).status, 404);
      assert.equal(
        (await ask(scene, "/repos/other/secret", { headers: { authorization: "token ghs_other" } })).status,
        200,
      );
      assertClean();
    });

    it("a path of GitHub's API that deliverd must not call", async () => {
      assert.equal((await ask(scene, `${base}/commits/${scene.sha}`)).status, 404);
      assertViolation(/not among the calls/);
    });

    it("a method that the path does not have", async () => {
      assert.equal((await ask(scene, base, { method: "DELETE" })).status, 404);
      assertViolation(/DELETE .* not among the calls/);
    });

    it("an unknown repo, owner and branch, without a violation", async () => {
      for (const path of ["/repos/acme/none", "/orgs/none/repos", "/users/none/repos", `${base}/branches/none`]) {
        assert.equal((await ask(scene, path)).status, 404, path);
      }
      assertClean();
    });

    it("a user in place of an organization", async () => {
      await scene.github.createRepo({ owner: "sam", name: "tool", ownerType: "User", private: false });

      assert.equal((await ask(scene, "/orgs/sam/repos")).status, 404);
      assert.equal((await ask(scene, "/users/sam/repos")).body.length, 1);
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
        assert.equal((await ask(scene, `${base}/commits/main/check-runs?${query}`)).status, 500);
        assertViolation(/check-runs/);
      });
    }

    it("a body where none is allowed", async () => {
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
      ["a list for a body", []],
      ["an empty body", undefined],
    ] as const) {
      it(`a status with ${what}`, async () => {
        const before = scene.github.statusesOf(scene.repo, scene.sha).length;

        assert.equal((await post(body)).status, 500);
        assert.notEqual(scene.github.violations.length, 0);
        assert.equal(scene.github.statusesOf(scene.repo, scene.sha).length, before);
      });
    }

    it("a status that is not JSON", async () => {
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

    it("a target URL that is neither http nor https", async () => {
      assert.equal((await post({ state: "success", target_url: "file:///etc/passwd" })).status, 422);
    });

    it("an unknown sha, and an id of something that is no commit", async () => {
      await scene.repo.tag("v1.0.0", { annotated: true });
      await scene.repo.push("v1.0.0");
      const tagObject = await scene.repo.git("rev-parse", "v1.0.0");

      for (const sha of [unknownSha, tagObject, scene.sha.slice(0, 7), "main"]) {
        const answer = await post({ state: "success" }, sha);
        assert.deepEqual([answer.status, answer.body.message], [422, `No commit found for SHA: ${sha}`]);
      }
      for (const list of ["statuses", "check-runs", "check-suites"]) {
        assert.equal((await ask(scene, `${base}/commits/${unknownSha}/${list}`)).status, 422, list);
      }
      assert.equal((await ask(scene, `${base}/commits/${unknownSha}/status`)).status, 404);
      assertClean();
    });

    it("the 1,001st status of a context, in upper or lower case", async () => {
      for (let at = 0; at < 1000; at++)
        scene.github.setStatus(scene.repo, scene.sha, { context: "Deliverd/API", state: "pending" });

      assert.equal((await post({ state: "success", context: "deliverd/api" })).status, 422);
      assert.equal((await post({ state: "success", context: "deliverd/web" })).status, 201);
    });
  });

  describe("also refuses", () => {
    beforeEach(start);
    afterEach(end);

    it("to send an answer that GitHub's description does not allow", async () => {
      scene.github.spoilAnswers((template, body) =>
        template.endsWith("/check-runs") ? { total_count: 1, check_runs: [{ id: "one" }] } : body,
      );

      assert.equal((await ask(scene, base)).status, 200);
      assertClean();
      const answer = await ask(scene, `${base}/commits/main/check-runs`);
      assert.equal(answer.status, 500);
      assert.match(answer.body.message, /check_runs\/0\/id must be integer/);
      assert.notEqual(scene.github.violations.length, 0);
    });

    it("to list a branch rule that GitHub's description does not allow", async () => {
      const also = [{ type: "workflows", parameters: { workflows: [{ path: "ci.yml" }] } }];
      scene.github.protectBranch(scene.repo, "main", { required: [], via: "rules", also });

      assert.equal((await ask(scene, `${base}/rules/branches/main`)).status, 500);
      assert.match(scene.github.violations.join(), /repository_id/);
    });

    it("to set a state that GitHub does not let CI set", () => {
      const scanner = { id: 7, slug: "scanner" };
      const { github, repo, sha } = scene;
      const { id } = github.addSuite(repo, sha);
      for (const status of ["requested", "waiting", "pending"] as const) {
        const mistake = { message: `only GitHub Actions can set the status ${status}` };
        assert.throws(() => github.addSuite(repo, sha, { app: scanner, status }), mistake);
        assert.throws(() => github.setCheckRun(repo, sha, { name: "scan", app: scanner, status }), mistake);
      }
      assert.throws(() => github.addSuite(repo, sha, { status: "completed" }), /has a conclusion once/);
      assert.throws(() => github.addSuite(repo, sha, { conclusion: "failure" }), /has a conclusion once/);
      assert.throws(() => github.setCheckRun(repo, sha, { name: "scan", app: scanner, suite: id }), /not of scanner/);
    });

    it("requests beyond the rate limit, where a 304 does not count", async () => {
      const { headers } = await ask(scene, base);
      const ifNoneMatch = { "if-none-match": headers.get("etag") ?? "" };
      const left = Number(headers.get("x-ratelimit-remaining"));
      const again = await ask(scene, base, { headers: ifNoneMatch });
      assert.deepEqual([again.status, again.body], [304, null]);
      assert.equal(Number(again.headers.get("x-ratelimit-remaining")), left);

      scene.github.rateLimit.limit = scene.github.rateLimit.used;
      const limited = await ask(scene, base);
      assert.equal(limited.status, 403);
      assert.match(limited.body.message, /rate limit exceeded/);
      assert.equal(limited.headers.get("x-ratelimit-remaining"), "0");
      assert.ok(Number(limited.headers.get("x-ratelimit-reset")) * 1000 > Date.now());
    });
  });

  describe("fails on demand", () => {
    beforeEach(start);
    afterEach(end);

    it("as often as requested, with the requested status and headers", async () => {
      scene.github.fail({ times: 2, path: "/statuses", method: "GET", status: 429, headers: { "retry-after": "7" } });

      assert.equal((await post({ state: "success" })).status, 201);
      const statuses = [];
      for (let at = 0; at < 3; at++) statuses.push((await ask(scene, `${base}/commits/main/statuses`)).status);
      assert.deepEqual(statuses, [429, 429, 200]);
      assertClean();
    });

    it("by cutting the connection", async () => {
      scene.github.fail({ status: "cut" });

      await assert.rejects(ask(scene, base), TypeError);
      assert.equal(scene.github.requests.at(-1)?.status, null);
      assert.equal((await ask(scene, base)).status, 200);
    });
  });
});
