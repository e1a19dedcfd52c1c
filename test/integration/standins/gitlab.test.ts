import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type SampleRepo, sampleRepo } from "../../support/fixtures/sample-repo.ts";
import { type GitLabStandIn, type HookDelivery, type Project, startGitLab } from "../../support/hosts/gitlab/gitlab.ts";

describe("The GitLab stand-in", () => {
  let gitlab: GitLabStandIn;
  let sample: SampleRepo<Project, HookDelivery>;
  let sha: string;

  before(async () => {
    gitlab = await startGitLab();
    sample = await sampleRepo(gitlab, { owner: "acme/sub", name: "api", files: { a: "" } });
    sha = await sample.head();
    await sample.push();
  });
  after(async () => {
    await sample?.remove();
    await gitlab?.close();
  });

  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await fetch(`${gitlab.url}/api/v4${path}`, {
      method,
      headers: { "private-token": gitlab.token, "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      redirect: "manual",
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
  }
  const post = (body: unknown, at = sha) => call("POST", `/projects/${sample.repo.id}/statuses/${at}`, body);

  describe("refuses", () => {
    const mistakes: [what: string, () => ReturnType<typeof call>, status: number][] = [
      ["a wrong token", () => call("GET", "/projects/1", undefined, { "private-token": "wrong" }), 401],
      ["no token", () => call("GET", "/projects/1", undefined, { "private-token": "" }), 401],
      ["a project that is not there", () => call("GET", "/projects/acme%2Fnone"), 404],
      ["a commit that is not there", () => post({ state: "success", name: "x" }, "5".repeat(40)), 404],
      ["a state of GitHub's", () => post({ state: "failure", name: "x" }), 400],
      ["a description that is too long", () => post({ state: "failed", description: "x".repeat(256) }), 400],
      ["a pipeline of another commit", () => post({ state: "failed", pipeline_id: 1 }), 404],
      [
        "a signing token that is none",
        () => call("POST", `/projects/${sample.repo.id}/hooks`, { url: "http://x", signing_token: "x" }),
        422,
      ],
    ];
    for (const [what, ask, status] of mistakes)
      it(what, async () => {
        assert.equal((await ask()).status, status);
        assert.deepEqual(gitlab.violations, []);
      });

    const violations: [what: string, () => ReturnType<typeof call>, RegExp][] = [
      ["a route that GitLab does not have", () => call("GET", "/repos/acme/api"), /no such route/],
      ["a path whose slashes are not encoded", () => call("GET", "/projects/acme/sub/api"), /no such route/],
      [
        "a query that GitLab does not know",
        () => call("GET", `/projects/${sample.repo.id}/pipelines?commit=1`),
        /commit/,
      ],
      ["a page that is too large", () => call("GET", `/projects/${sample.repo.id}/hooks?per_page=200`), /200/],
      ["a status with a key of GitHub's", () => post({ state: "success", target: "x" }), /target/],
      ["a body that is no JSON", () => post("{"), /JSON/],
      [
        "a webhook with a key of GitHub's",
        () => call("POST", `/projects/${sample.repo.id}/hooks`, { config: {} }),
        /config/,
      ],
    ];
    for (const [what, ask, violation] of violations)
      it(`${what}, and says so to the test`, async () => {
        await ask();
        const [said] = gitlab.violations.splice(0);
        assert.match(said ?? "", violation);
      });
  });

  describe("moves a status as GitLab does", () => {
    const moves: [from: string[], to: string, status: number, jobs: number][] = [
      [[], "pending", 201, 1],
      [["pending"], "pending", 400, 1],
      [["pending"], "running", 201, 1],
      [["running"], "running", 400, 1],
      [["running"], "pending", 400, 1],
      [["running"], "success", 201, 1],
      [["success"], "success", 201, 2],
      [["failed"], "running", 201, 2],
    ];
    for (const [at, [from, to, status, jobs]] of moves.entries())
      it(`from ${from.join() || "nothing"} to ${to}: ${status}`, async () => {
        const name = `move-${at}`;
        for (const state of from) await post({ state, name });
        const answer = await post({ state: to, name });
        assert.deepEqual([answer.status, gitlab.jobsOf(sample.repo, sha, name).length], [status, jobs]);
        if (status === 400) assert.match(answer.body.message, /^Cannot transition status via :\w+ from :\w+/);
      });

    it("and refuses two at once for one commit", async () => {
      const answers = await Promise.all([post({ state: "success", name: "a" }), post({ state: "success", name: "b" })]);
      assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409]);
    });

    it("and makes a pipeline for a commit that has none", async () => {
      const other = await sample.commit({ b: "" });
      await sample.push();
      await post({ state: "success", name: "x" }, other);
      assert.deepEqual(
        gitlab.pipelinesOf(sample.repo, other).map(({ source }) => source),
        ["external"],
      );
    });
  });

  it("shows the newest of retried jobs, all of them if asked, and the next page by a link", async () => {
    await post({ state: "success", name: "twice" });
    await post({ state: "failed", name: "twice" });
    const route = `/projects/${sample.repo.id}/repository/commits/${sha}/statuses?name=twice`;
    assert.equal((await call("GET", route)).body.length, 1);
    const first = await call("GET", `${route}&all=true&per_page=1`);
    const [, next] = /<([^>]+)>; rel="next"/.exec(first.headers.get("link") ?? "") ?? [];
    assert.equal(new URL(next ?? "http://none").searchParams.get("page"), "2");
  });

  it("leads from a former path to the id", async () => {
    await gitlab.createRepo({ owner: "acme", name: "old" });
    gitlab.rename({ owner: "acme", name: "old" }, "new");
    const { status, headers } = await call("GET", "/projects/acme%2Fold");
    assert.equal(status, 301);
    assert.match(headers.get("location") ?? "", /\/api\/v4\/projects\/\d+$/);
  });

  it("sends no more webhooks after four failures in a row, until somebody tests it with success", async () => {
    const answers = [401, 500, 400, 503, 202, 202];
    const got: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      got.push(String(request.headers["x-gitlab-token"]));
      response.writeHead(answers.shift() ?? 202).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    try {
      const hook = gitlab.addHook(sample.repo, `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, {
        events: new Set(["job_events"]),
        token: "t0ken",
      });
      for (let i = 0; i < 6; i++) await gitlab.setJob(sample.repo, sha, "test", "running");
      assert.deepEqual([got, hook.alertStatus], [["t0ken", "t0ken", "t0ken", "t0ken"], "temporarily_disabled"]);
      await call("POST", `/projects/${sample.repo.id}/hooks/${hook.id}/test/push_events`, {});
      assert.equal(hook.alertStatus, "executable");
      await gitlab.setJob(sample.repo, sha, "test", "success");
      assert.equal(got.length, 6);
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
});
