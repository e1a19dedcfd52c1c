import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { type SampleRepo, sampleRepo } from "../../support/fixtures/sample-repo.ts";
import { type GiteaStandIn, type HookDelivery, type Repo, startGitea } from "../../support/hosts/gitea/gitea.ts";

// What a real Gitea 1.25.4 answered to the same requests.
describe("The Gitea stand-in", () => {
  let gitea: GiteaStandIn;
  let sample: SampleRepo<Repo, HookDelivery>;
  let sha: string;

  before(async () => {
    gitea = await startGitea();
    sample = await sampleRepo(gitea, { owner: "acme", name: "api", files: { a: "" } });
    sha = await sample.head();
    await sample.push();
  });
  after(async () => {
    await sample?.remove();
    await gitea?.close();
  });

  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await fetch(`${gitea.url}/api/v1${path}`, {
      method,
      headers: { authorization: `token ${gitea.token}`, "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      redirect: "manual",
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
  }
  const post = (body: unknown, at = sha) => call("POST", `/repos/acme/api/statuses/${at}`, body);
  const hook = (more: Record<string, unknown>) =>
    call("POST", "/repos/acme/api/hooks", {
      type: "gitea",
      config: { url: "http://x", content_type: "json" },
      ...more,
    });

  describe("refuses", () => {
    const mistakes: [what: string, () => ReturnType<typeof call>, status: number][] = [
      ["a wrong token", () => call("GET", "/repos/acme/api", undefined, { authorization: "token wrong" }), 401],
      [
        "to show a private repo without a token",
        () => call("GET", "/repos/acme/api", undefined, { authorization: "" }),
        404,
      ],
      ["a repo that is not there", () => call("GET", "/repos/acme/none"), 404],
      ["an owner that is not there", () => call("GET", "/orgs/none/repos?page=1"), 404],
      [
        "a status on a commit that is not there, with 500",
        () => post({ state: "success", context: "x" }, "5".repeat(40)),
        500,
      ],
      ["a webhook of another kind", () => hook({ type: "github" }), 422],
      ["a webhook without a content type", () => hook({ config: { url: "http://x" } }), 422],
      ["a webhook at an address that is none", () => hook({ config: { url: "x", content_type: "json" } }), 422],
    ];
    for (const [what, ask, status] of mistakes)
      it(what, async () => {
        assert.equal((await ask()).status, status);
        assert.deepEqual(gitea.violations, []);
      });

    const violations: [what: string, () => ReturnType<typeof call>, RegExp][] = [
      ["a route that Gitea does not have", () => call("GET", "/repos/acme/api/check-runs"), /no such route/],
      ["a query that Gitea does not know", () => call("GET", "/repos/acme/api/hooks?page=1&per_page=5"), /per_page/],
      ["a page that is too large", () => call("GET", "/repos/acme/api/hooks?page=1&limit=100"), /100.*50/],
      ["a list without the number of a page", () => call("GET", "/repos/acme/api/hooks"), /number of a page/],
      ["statuses without an order", () => call("GET", `/repos/acme/api/statuses/${sha}?page=1`), /by seconds/],
      ["a status with a key of GitLab's", () => post({ state: "success", name: "x" }), /name/],
      ["a status with a state of GitLab's", () => post({ state: "failed", context: "odd" }), /failed/],
      ["a webhook with a key of GitLab's", () => hook({ push_events: true }), /push_events/],
      ["a body that is no JSON", () => post("{"), /JSON/],
    ];
    for (const [what, ask, violation] of violations)
      it(`${what}, and says so to the test`, async () => {
        await ask();
        assert.match(gitea.violations.splice(0).join(), violation);
      });
  });

  it("adds a row for each status, with ids that rise, and shows the state under another name", async () => {
    for (const state of ["pending", "success"]) await post({ state, context: "rows" });
    const { body } = await call("GET", `/repos/acme/api/statuses/${sha}?page=1&sort=highestindex`);
    const rows: { id: number; status: string; state?: string }[] = body.filter(
      ({ context }: { context: string }) => context === "rows",
    );
    assert.deepEqual(
      rows.map(({ status, state }) => [status, state]),
      [
        ["pending", undefined],
        ["success", undefined],
      ],
    );
    assert.ok((rows[0]?.id ?? 0) < (rows[1]?.id ?? 0));
  });

  it("gives 50 on a page, with their number and a link to the next page by its public name", async () => {
    for (let i = 0; i < 60; i++) await post({ state: "success", context: `c${i}` });
    const { body, headers } = await call("GET", `/repos/acme/api/statuses/${sha}?page=1&limit=50&sort=highestindex`);
    assert.equal(body.length, 50);
    assert.ok(Number(headers.get("x-total-count")) > 60);
    assert.match(headers.get("link") ?? "", /^<http:\/\/gitea\.example\.com\/.*page=2.*>; rel="next"$/);
    const whole = await call("GET", `/repos/acme/api/statuses/${sha}?sort=highestindex`);
    assert.ok(whole.body.length > 60 && /page=2/.test(whole.headers.get("link") ?? ""));
    gitea.violations.splice(0);
  });

  it("takes a branch that is called like a commit for it, but for the route that looks only in its table", async () => {
    await post({ state: "success", context: "green" });
    const other = await sample.commit({ b: "" });
    await sample.push();
    await sample.git("push", "--quiet", sample.repo.directory, `${sha}:refs/heads/${other}`);
    const rows = (route: string) => call("GET", `/repos/acme/api/${route}?page=1&sort=highestindex`);
    assert.ok((await rows(`commits/${other}/statuses`)).body.length > 0);
    assert.deepEqual((await rows(`statuses/${other}`)).body, []);
    assert.deepEqual((await rows(`statuses/${"5".repeat(40)}`)).body, []);
    assert.equal((await rows(`commits/${"5".repeat(40)}/statuses`)).status, 404);
  });

  it("redirects a former name, whatever the method", async () => {
    await gitea.createRepo({ owner: "acme", name: "old" });
    gitea.rename({ owner: "acme", name: "old" }, "new");
    for (const method of ["GET", "POST"]) {
      const { status, headers } = await call(method, `/repos/acme/old/statuses/${sha}`);
      assert.deepEqual([status, headers.get("location")], [301, `/api/v1/repos/acme/new/statuses/${sha}`]);
    }
  });

  describe("a webhook", () => {
    const got: { headers: IncomingHttpHeaders; body: string }[] = [];
    const server = createServer(async (request, response) => {
      got.push({ headers: request.headers, body: Buffer.concat(await request.toArray()).toString() });
      response.writeHead(500).end();
    });
    let url: string;

    before(async () => {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    });
    after(() => {
      server.close();
      server.closeAllConnections();
    });
    afterEach(() => {
      got.splice(0);
      gitea.hooksOf(sample.repo).splice(0);
    });

    it("of a new branch is create and push, of a deleted one delete only; of a tag push comes first", async () => {
      gitea.addHook(sample.repo, url, { events: new Set(["push", "create", "delete"]) });
      await sample.branch("short");
      await sample.push("short");
      await sample.checkout("main");
      await sample.deleteRemote("short");
      await sample.tag("v1", { annotated: true });
      await sample.push("v1");
      await sample.deleteRemote("v1");
      const events = got.map(({ headers }) => headers["x-gitea-event"]).join(" ");
      assert.equal(events, "create push delete push create push delete");
      const tag = JSON.parse(got[3]?.body ?? "{}");
      assert.notEqual(tag.after, tag.head_commit.id);
    });

    it("is signed by the same digest in every header, empty without a secret, and sent once whatever is answered", async () => {
      gitea.addHook(sample.repo, url, { secret: "s3cret", events: new Set(["status"]) });
      await gitea.setStatus(sample.repo, sha, "test", "success");
      assert.equal(got.length, 1);
      const { headers, body } = got[0] ?? assert.fail();
      const digest = createHmac("sha256", "s3cret").update(body).digest("hex");
      assert.equal(headers["x-gitea-signature"], digest);
      assert.equal(headers["x-hub-signature-256"], `sha256=${digest}`);
      assert.equal(headers["x-github-event"], "status");
      gitea.hooksOf(sample.repo)[0]?.events.add("push");
      Object.assign(gitea.hooksOf(sample.repo)[0] ?? {}, { secret: "" });
      await gitea.setStatus(sample.repo, sha, "test", "failure");
      assert.deepEqual([got[1]?.headers["x-gitea-signature"], got[1]?.headers["x-hub-signature-256"]], ["", "sha256="]);
    });

    it("keeps its secret when it is changed, loses events that are left out, and shows no secret", async () => {
      const { id } = gitea.addHook(sample.repo, url, { secret: "old", events: new Set(["push", "status"]) });
      const config = { secret: "new", url, content_type: "json" };
      const { body } = await call("PATCH", `/repos/acme/api/hooks/${id}`, { config, active: true });
      assert.deepEqual([body.config, body.events], [{ content_type: "json", url }, ["push"]]);
      assert.equal(gitea.hooksOf(sample.repo)[0]?.secret, "old");
    });

    it("of Forgejo does not tell of a status", async () => {
      const forgejo = await startGitea("forgejo");
      try {
        const other = await sampleRepo(forgejo, { owner: "acme", name: "api", files: { a: "" } });
        await other.push();
        forgejo.sendHooksTo(url, "s3cret");
        await forgejo.setStatus(other.repo, await other.head(), "test", "success");
        assert.equal(got.length, 0);
        await other.commit({ b: "" });
        await other.push();
        assert.ok(got[0]?.headers["x-forgejo-signature"] === got[0]?.headers["x-gitea-signature"]);
        await other.remove();
      } finally {
        await forgejo.close();
      }
    });
  });
});
