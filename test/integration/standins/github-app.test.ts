import assert from "node:assert/strict";
import { createPrivateKey, createSign, generateKeyPairSync } from "node:crypto";
import { type SampleRepo, sampleRepo } from "../../support/fixtures/sample-repo.ts";
import { type Installation, type Permissions, testKeys } from "../../support/hosts/github/app.ts";
import { type GitHubStandIn, type JsonObject, startGitHub } from "../../support/hosts/github/github.ts";

interface Told {
  status: number;
  body: JsonObject & { message?: string; token?: string; id?: number };
}

describe("The App of the GitHub stand-in", () => {
  let github: GitHubStandIn;
  let repo: SampleRepo;
  let installation: Installation;
  let appId: number;
  let sha: string;

  beforeEach(async () => {
    github = await startGitHub();
    repo = await sampleRepo(github, { owner: "acme", name: "api" });
    sha = await repo.commit({ file: "text" });
    await repo.push();
    appId = github.createApp().id;
    installation = github.installApp("acme");
  });
  afterEach(async () => {
    await repo.remove();
    await github.close();
  });

  const ask = async (method: string, path: string, login: string | null, body?: unknown): Promise<Told> => {
    const response = await fetch(github.apiUrl + path, {
      method,
      headers: { "user-agent": "tests", ...(login === null ? {} : { authorization: `Bearer ${login}` }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === "" ? {} : JSON.parse(text) };
  };
  const now = () => Math.floor(Date.now() / 1000);
  const jwt = (claims: object = {}, key = testKeys.pkcs8, header: object = { alg: "RS256", typ: "JWT" }) => {
    const all = { iat: now() - 60, exp: now() + 540, iss: String(appId), ...claims };
    const signed = [header, all].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
    const signature = createSign("RSA-SHA256").update(signed).sign(createPrivateKey(key)).toString("base64url");
    return `${signed}.${signature}`;
  };
  const token = async (narrowing: { repository_ids?: number[]; permissions?: Permissions } = {}) => {
    const made = await ask("POST", `/app/installations/${installation.id}/access_tokens`, jwt(), narrowing);
    assert.equal(made.status, 201, JSON.stringify(made.body));
    return made.body.token ?? "";
  };
  const runs = "/repos/acme/api/check-runs";
  const run = (more: object = {}) => ({
    ...{ name: "deliverd/api", head_sha: sha, status: "in_progress", output: { title: "t", summary: "s" } },
    ...more,
  });
  const assertClean = () => assert.deepEqual(github.violations, []);

  describe("refuses a signature", () => {
    const other = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const otherKey = other.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    const rows: [string, () => string, RegExp][] = [
      ["of another key", () => jwt({}, otherKey), /could not be decoded/],
      ["of another App", () => jwt({ iss: "1" }), /Integration must generate/],
      ["that has ended", () => jwt({ exp: now() - 1 }), /'exp'/],
      ["that lives for longer than ten minutes", () => jwt({ exp: now() + 900 }), /too far in the future/],
      ["from the future", () => jwt({ iat: now() + 120 }), /'iat'/],
      ["without a time", () => jwt({ iat: null }), /'iat'/],
      ["of another algorithm", () => jwt({}, testKeys.pkcs8, { alg: "none" }), /could not be decoded/],
      ["that is cut", () => jwt().slice(0, -8), /could not be decoded/],
    ];
    for (const [what, login, words] of rows) {
      it(what, async () => {
        const { status, body } = await ask("GET", "/app", login());
        assert.equal(status, 401);
        assert.match(body.message ?? "", words);
      });
    }

    it("for what a token is for, and a token for what the App itself asks", async () => {
      assert.equal((await ask("GET", "/repos/acme/api", jwt())).status, 401);
      assert.equal((await ask("GET", "/app", await token())).status, 401);
      assert.equal((await ask("GET", "/app", github.token)).status, 401);
      assert.equal((await ask("GET", "/app", jwt())).status, 200);
      assertClean();
    });
  });

  describe("refuses a token", () => {
    it("of a repo or a permission that the installation does not have", async () => {
      const path = `/app/installations/${installation.id}/access_tokens`;
      const elsewhere = await github.createRepo({ owner: "globex", name: "web" });
      assert.equal((await ask("POST", path, jwt(), { repository_ids: [elsewhere.id] })).status, 422);
      assert.equal((await ask("POST", path, jwt(), { permissions: { issues: "write" } })).status, 422);
      assert.equal((await ask("POST", "/app/installations/1/access_tokens", jwt(), {})).status, 404);
      installation.suspendedAt = "2026-01-01T00:00:00Z";
      assert.equal((await ask("POST", path, jwt(), {})).status, 403);
      assertClean();
    });

    it("of one repo for another, of another installation, and one that has expired", async () => {
      const other = await github.createRepo({ owner: "acme", name: "other" });
      const narrowed = await token({ repository_ids: [other.id] });
      assert.equal((await ask("GET", "/repos/acme/other", narrowed)).status, 200);
      assert.equal((await ask("GET", "/repos/acme/api", narrowed)).status, 404);
      assert.equal((await ask("POST", runs, narrowed, run())).status, 404);
      github.installApp("globex");
      await github.createRepo({ owner: "globex", name: "web" });
      assert.equal((await ask("GET", "/repos/globex/web", await token())).status, 404);
      const ended = await token();
      Object.assign(github.apps.tokens.get(ended) ?? assert.fail(), { expiresAt: Date.now() - 1 });
      assert.equal((await ask("GET", "/repos/acme/api", ended)).status, 401);
      assertClean();
    });

    it("of too few permissions", async () => {
      const reading = await token({ permissions: { checks: "read" } });
      assert.equal((await ask("GET", `/repos/acme/api/commits/${sha}/check-runs`, reading)).status, 200);
      assert.equal((await ask("GET", `/repos/acme/api/commits/${sha}/statuses`, reading)).status, 403);
      assert.equal((await ask("POST", runs, reading, run())).status, 403);
      const status = { state: "success", context: "x" };
      assert.equal((await ask("POST", `/repos/acme/api/statuses/${sha}`, await token(), status)).status, 403);
      assertClean();
    });
  });

  describe("refuses a check run", () => {
    it("of a person's token", async () => {
      const { status, body } = await ask("POST", runs, github.token, run());
      assert.deepEqual([status, body.message], [403, "You must authenticate via a GitHub App."]);
    });

    it("of a commit that is not there, and an update of a run that is not there", async () => {
      const login = await token();
      assert.equal((await ask("POST", runs, login, run({ head_sha: "5".repeat(40) }))).status, 422);
      assert.equal((await ask("PATCH", `${runs}/1`, login, { status: "queued" })).status, 404);
      assertClean();
    });

    it("that another App made", async () => {
      const other = github.setCheckRun(repo.repo, sha, { name: "test", conclusion: "success" });
      assert.equal((await ask("PATCH", `${runs}/${other.id}`, await token(), { status: "queued" })).status, 403);
    });

    it("that has ended without a conclusion", async () => {
      assert.equal((await ask("POST", runs, await token(), run({ status: "completed" }))).status, 422);
    });

    const annotation = { path: "a", start_line: 1, end_line: 1, annotation_level: "failure", message: "m" };
    const output = (more: object) => ({ output: { title: "t", summary: "s", ...more } });
    const action = { label: "Retry", description: "d", identifier: "retry" };
    const long: [string, object][] = [
      ["51 annotations", output({ annotations: Array.from({ length: 51 }, () => annotation) })],
      ["an annotation of no known level", output({ annotations: [{ ...annotation, annotation_level: "error" }] })],
      ["a summary of 65,536 characters", output({ summary: "x".repeat(65_536) })],
      ["a summary without a title", { output: { summary: "s" } }],
      ["four actions", { actions: [action, action, action, action] }],
      ["a label of 21 characters", { actions: [{ ...action, label: "x".repeat(21) }] }],
      ["a description of 41 characters", { actions: [{ ...action, description: "x".repeat(41) }] }],
      ["an identifier of 21 characters", { actions: [{ ...action, identifier: "x".repeat(21) }] }],
      ["a member that GitHub does not know", { state: "success" }],
      ["a conclusion that only GitHub can set, or none can", { status: "completed", conclusion: "passed" }],
    ];
    for (const [what, more] of long) {
      it(`with ${what}, and notes it`, async () => {
        assert.equal((await ask("POST", runs, await token(), run(more))).status, 500);
        assert.ok(github.violations.length > 0);
      });
    }

    it("with an annotation before the first line, or at an absolute path", async () => {
      const login = await token();
      for (const wrong of [{ start_line: 0 }, { end_line: 0 }, { path: "/a" }]) {
        const more = output({ annotations: [{ ...annotation, ...wrong }] });
        assert.equal((await ask("POST", runs, login, run(more))).status, 422, JSON.stringify(wrong));
      }
    });

    it("of none of these, and appends annotations at each update", async () => {
      const login = await token();
      const more = output({ annotations: [annotation, annotation] });
      const { status, body } = await ask("POST", runs, login, run({ ...more, actions: [action, action, action] }));
      assert.equal(status, 201);
      await ask("PATCH", `${runs}/${body.id}`, login, { status: "completed", conclusion: "failure", ...more });
      const [shown] = github.checkRunsOf(repo.repo, sha, "deliverd/api");
      assert.deepEqual([shown?.shown?.annotations.length, shown?.conclusion], [4, "failure"]);
      assertClean();
    });
  });

  it("exchanges the code of a manifest once", async () => {
    const manifest = JSON.stringify({ name: "deliverd-acme", redirect_url: "https://d.example.com/back" });
    const back = github.submitManifest("https://github.com/settings/apps/new?state=abc", manifest);
    assert.equal(back.searchParams.get("state"), "abc");
    const path = `/app-manifests/${back.searchParams.get("code")}/conversions`;
    assert.equal((await ask("POST", path, null)).status, 201);
    assert.equal((await ask("POST", path, null)).status, 404);
    assertClean();
  });

  it("tells in its list of deliveries what failed, and nothing of a repo where it is not installed", async () => {
    github.sendAppHooksTo("http://127.0.0.1:9/", "secret");
    await repo.commit({ file: "more" });
    await repo.push();
    const failed = await ask("GET", "/app/hook/deliveries?status=failure", jwt());
    const events = (failed.body as unknown as { event: string; status_code: number }[]).map((one) => one.event);
    assert.deepEqual(events, ["check_suite", "push"]);
    github.uninstallApp(installation);
    await repo.commit({ file: "and more" });
    await repo.push();
    assert.equal(github.apps.app?.hook.sent.length, 2);
    assertClean();
  });
});
