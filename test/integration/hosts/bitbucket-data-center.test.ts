import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { ConfigError, Refused, TransientError } from "../../../src/delivery/errors.ts";
import type { Gate } from "../../../src/delivery/types.ts";
import { type DataCenterHostOptions, dataCenterHost } from "../../../src/hosts/bitbucket/data-center/host.ts";
import type { Host, Report } from "../../../src/hosts/host.ts";
import { type SampleRepo, sampleRepo } from "../../support/fixtures/sample-repo.ts";
import {
  type BitbucketDataCenterStandIn,
  type Build,
  type HookDelivery,
  type Repository,
  startBitbucketDataCenter,
} from "../../support/hosts/bitbucket/data-center/data-center.ts";

const NOW = Date.UTC(2100, 0, 1);
const GATE: Gate = { ci: "required", required: [], apps: null, settle: 0, timeout: 3_600_000 };

describe("Bitbucket Data Center", () => {
  let dataCenter: BitbucketDataCenterStandIn;
  let sample: SampleRepo<Repository, HookDelivery>;
  let host: Host;
  let sha: string;
  let count = 0;

  const opened = (more: Partial<DataCenterHostOptions> = {}) => {
    const { url, cloneUrl, login } = dataCenter;
    const logins = { ...login, webhookSecret: "s3cret" };
    return dataCenterHost({ key: "bitbucket", url, cloneUrl, retryBase: 1, ...logins, ...more });
  };
  const repo = () => {
    const { id, owner, name } = sample.repo;
    return { host: "bitbucket", id: `bitbucket:${id}`, owner, name, defaultBranch: "main" };
  };
  const commit = () => ({ repo: repo(), sha });
  const ciState = (gate: Partial<Gate> = {}, branches = ["main"]) =>
    host.ciState(commit(), { ...GATE, ...gate }, branches, NOW);
  const build = (name: string, state: string, more: Partial<Build> = {}) =>
    dataCenter.setBuild(sample.repo, sha, { name, state, ...more });

  before(async () => {
    dataCenter = await startBitbucketDataCenter();
    sample = await sampleRepo(dataCenter, { owner: "ACME", name: "api", files: { a: "" } });
  });
  after(async () => {
    await sample?.remove();
    await dataCenter?.close();
  });
  beforeEach(async () => {
    host = opened();
    count += 1;
    sha = await sample.commit({ count: String(count) });
    await sample.push();
    dataCenter.front.requests.splice(0);
  });
  afterEach(() => {
    dataCenter.front.forgetFaults();
    dataCenter.bucket = null;
    Object.assign(dataCenter.backend, { isAdmin: true, mayRead: true, isNew: true });
    sample.repo.required.splice(0);
    assert.deepEqual(dataCenter.front.violations.splice(0), []);
  });

  const rejects = async (call: Promise<unknown>, kind: typeof Refused | typeof TransientError, code: string) => {
    const error = await call.then(
      () => assert.fail("did not fail"),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof kind, String(error));
    assert.equal(error.code, code);
    assert.ok(!error.message.includes(dataCenter.login.token));
    return error;
  };

  describe("counts for the gate", () => {
    for (const [word, verdict] of [
      ["SUCCESSFUL", "green"],
      ["FAILED", "red"],
      ["CANCELLED", "red"],
      ["UNKNOWN", "red"],
      ["INPROGRESS", "pending"],
      ["DREAMING", "pending"],
    ] as const) {
      it(`a build that is ${word} as ${verdict}`, async () => {
        build("test", word);
        assert.equal((await ciState()).verdict, verdict);
      });
    }

    it("of a build that was reported again the newest, for each ref", async () => {
      build("test", "FAILED", { key: "t", ref: "refs/heads/main" });
      build("test", "SUCCESSFUL", { key: "t", ref: "refs/heads/main" });
      assert.equal((await ciState()).verdict, "green");
      build("test", "FAILED", { key: "u", ref: "refs/heads/other" });
      assert.equal((await ciState()).verdict, "red");
    });

    it("of a build with one key in two repos that hold the commit the newest: the list names no repos", async () => {
      const fork = await dataCenter.createRepo({ owner: "~sam", name: `fork-${count}` });
      build("test", "FAILED");
      dataCenter.setBuild(fork, sha, { name: "test", state: "SUCCESSFUL" });
      const [own] = dataCenter.buildsOf(sample.repo, sha);
      assert.ok(own);
      own.updatedDate -= 60_000;
      assert.equal((await ciState()).verdict, "green");
      own.updatedDate += 120_000;
      assert.equal((await ciState()).verdict, "red");
    });

    it("what ci.required names, by a name, a glob, a key or a parent", async () => {
      build("Database Matrix Tests #3", "SUCCESSFUL", { key: "TEST-REP3", parent: "TEST-REP" });
      build("docs", "FAILED");
      for (const wanted of ["Database Matrix Tests #*", "TEST-REP3", "TEST-REP"])
        assert.equal((await ciState({ required: [wanted] })).verdict, "green", wanted);
    });

    it("no report of ours", async () => {
      build("test", "SUCCESSFUL");
      await host.report(commit(), report("failure"));
      assert.equal((await ciState()).verdict, "green");
    });

    it("builds that it no longer lists, by their number: 100 newer ones hide no failure", async () => {
      build("first", "FAILED");
      for (let at = 0; at < 100; at++) build(`check ${at}`, "SUCCESSFUL");
      const red = await ciState();
      assert.deepEqual([red.verdict, red.because], ["red", "check 1 builds that Bitbucket does not list failed"]);
      build("first", "SUCCESSFUL");
      assert.equal((await ciState()).verdict, "green");
    });

    it("nothing, if the token may not read it: its 401 is no refused token", async () => {
      dataCenter.backend.mayRead = false;
      await rejects(ciState(), TransientError, "bitbucket-ci-unreadable");
      dataCenter.backend.mayRead = true;
      const gone = { ...repo(), name: "commit-tool" };
      await rejects(host.ciState({ repo: gone, sha }, GATE, [], NOW), TransientError, "bitbucket-ci-unreadable");
    });
  });

  describe("requires builds", () => {
    const verdictFor = async (branches: string[]) => (await ciState({}, branches)).verdict;

    it("by the parent of a build, on a branch", async () => {
      dataCenter.requireBuilds(sample.repo, "BRANCH", "refs/heads/main", ["TEST-REP"]);
      build("docs", "SUCCESSFUL");
      assert.deepEqual([await verdictFor(["main"]), await verdictFor(["other"])], ["pending", "green"]);
      build("tests", "SUCCESSFUL", { key: "TEST-REP3", parent: "TEST-REP" });
      assert.equal(await verdictFor(["main"]), "green");
    });

    it("on the branches that a pattern matches", async () => {
      const patterns: [pattern: string, matching: string[], others: string[]][] = [
        ["release/*", ["release/1.0", "old/release/1.0"], ["release", "release/1/0", "main"]],
        ["release/", ["release/1.0", "release/1/0"], ["main"]],
        ["heads/**/main", ["main", "x/main"], ["mainline"]],
        ["refs/heads/main", ["main"], ["x/main"]],
        ["main", ["main", "x/main"], ["mainline"]],
      ];
      build("docs", "SUCCESSFUL");
      for (const [pattern, matching, others] of patterns) {
        sample.repo.required.splice(0);
        dataCenter.requireBuilds(sample.repo, "PATTERN", pattern, ["TEST-REP"]);
        for (const branch of matching) assert.equal(await verdictFor([branch]), "pending", `${pattern}: ${branch}`);
        for (const branch of others) assert.equal(await verdictFor([branch]), "green", `${pattern}: ${branch}`);
      }
    });

    it("on every branch, by any ref or a part of the branching model", async () => {
      build("docs", "SUCCESSFUL");
      for (const type of ["ANY_REF", "MODEL_BRANCH", "MODEL_CATEGORY"]) {
        sample.repo.required.splice(0);
        dataCenter.requireBuilds(sample.repo, type, "x", ["TEST-REP"]);
        assert.equal(await verdictFor(["anything"]), "pending", type);
      }
    });

    it("none of ours: waiting for it would be waiting for ourselves", async () => {
      build("docs", "SUCCESSFUL");
      dataCenter.requireBuilds(sample.repo, "ANY_REF", "ANY_REF_MATCHER_ID", ["deliverd/api"]);
      assert.equal(await verdictFor(["main"]), "green");
    });

    it("and does not say so before 7.14: then every build counts", async () => {
      dataCenter.backend.isNew = false;
      build("docs", "SUCCESSFUL");
      assert.equal(await verdictFor(["main"]), "green");
    });
  });

  describe("gets reports", () => {
    it("in its own words, and one for each context of this repo", async () => {
      const shown = () => dataCenter.buildsOf(sample.repo, sha).map(({ key, state }) => [key, state]);
      for (const [state, word] of [
        ["pending", "INPROGRESS"],
        ["success", "SUCCESSFUL"],
        ["failure", "FAILED"],
        ["error", "CANCELLED"],
      ] as const) {
        await host.report(commit(), report(state));
        assert.deepEqual(shown(), [["deliverd/api", word]]);
      }
    });

    it("never, if it does not accept them", async () => {
      dataCenter.backend.mayRead = false;
      const error = await rejects(host.report(commit(), report("success")), Refused, "bitbucket-status-forbidden");
      assert.match((error as Error).message, /Repository read/);
      dataCenter.backend.mayRead = true;
      const targetUrl = `https://d.example.com/${"x".repeat(450)}`;
      await rejects(host.report(commit(), { ...report("success"), targetUrl }), Refused, "bitbucket-status-refused");
    });
  });

  describe("shows", () => {
    it("the repos of a project and of a person over all pages", async () => {
      await Promise.all(
        Array.from({ length: 101 }, (_, at) => dataCenter.createRepo({ owner: "MANY", name: `r${at}` })),
      );
      await dataCenter.createRepo({ owner: "~ada", name: "own" });
      assert.equal((await host.listRepos("MANY")).length, 101);
      assert.deepEqual(await host.listRepos("many/nested"), []);
      assert.deepEqual(
        (await host.listRepos("~ada")).map(({ owner, name }) => `${owner}/${name}`),
        ["~ada/own"],
      );
      const own = { ...repo(), owner: "~Ada", name: "own" };
      assert.equal((await host.cloneSource(own)).url, `${dataCenter.cloneUrl}/~ada/own.git`);
    });

    it("the default branch, by the route that the version has", async () => {
      for (const isNew of [true, false]) {
        dataCenter.backend.isNew = isNew;
        assert.equal((await host.findRepo("ACME", "api"))?.defaultBranch, "main");
      }
    });

    it("no default branch of an empty repo", async () => {
      const repository = { id: 5, slug: "api", project: { key: "ACME" } };
      dataCenter.fail({ status: 200, times: 1, body: repository });
      dataCenter.fail({ status: 404, times: 2 });
      assert.equal((await host.findRepo("ACME", "api"))?.defaultBranch, null);
      dataCenter.fail({ status: 200, times: 1, body: { ...repository, defaultBranch: "trunk" } });
      assert.equal((await host.findRepo("ACME", "api"))?.defaultBranch, "trunk");
    });

    it("a repo by its id in the list of all, and does not list them again for one that is gone", async () => {
      const moved = await dataCenter.createRepo({ owner: "ACME", name: "mover" });
      await dataCenter.rename(moved, { owner: "OTHER", name: "moved" });
      assert.equal(await host.findRepo("ACME", "mover"), null);
      const found = await host.findRepoById?.(moved.id);
      assert.deepEqual(found, { hostId: moved.id, owner: "OTHER", name: "moved", defaultBranch: "main" });
      assert.equal(await host.findRepoById?.("999999"), null);
      const { length } = dataCenter.front.requests;
      assert.equal(await host.findRepoById?.("999999"), null);
      assert.equal(dataCenter.front.requests.length, length);
    });

    it("nothing usable, if an answer has another form", async () => {
      dataCenter.fail({ status: 200, times: 1, body: { id: "x" } });
      await rejects(host.findRepo("ACME", "api"), TransientError, "bitbucket-answer-unusable");
      for (const body of [[], { values: [] }, { values: [], isLastPage: false, nextPageStart: 0 }]) {
        dataCenter.fail({ status: 200, times: 3, body });
        await rejects(host.listRepos("ACME"), TransientError, "bitbucket-unavailable");
        dataCenter.front.forgetFaults();
      }
    });
  });

  it("is cloned with the token in a header: of a user by name, of a repo or project alone", async () => {
    const { token } = dataCenter.login;
    const url = `${dataCenter.cloneUrl}/acme/api.git`;
    const basic = `Basic ${Buffer.from(`sam:${token}`).toString("base64")}`;
    assert.deepEqual(await host.cloneSource(repo()), { url, authorization: basic });
    const alone = await opened({ username: null }).cloneSource(repo());
    assert.deepEqual(alone, { url, authorization: `Bearer ${token}` });
    assert.equal((await opened({ token: null }).cloneSource(repo())).authorization, null);
  });

  it("says by no webhook that CI has ended, so that waiting commits are asked for", async () => {
    const before = dataCenter.hooks.length;
    build("test", "SUCCESSFUL");
    assert.equal(dataCenter.hooks.length, before);
    assert.equal(host.sendsCiEvents, false);
  });

  describe("limits requests", () => {
    it("by a bucket: what is left, and when it is full again", async () => {
      dataCenter.bucket = { size: 60, remaining: 31, fillRate: 5, interval: 10 };
      await host.listRepos("ACME");
      const budget = host.budget();
      assert.equal(budget?.remaining, 30);
      assert.ok(Math.abs((budget?.resetsAt ?? 0) - Date.now() - 60_000) < 5_000);
    });

    it("and says how long to wait, by either header", async () => {
      dataCenter.bucket = { size: 60, remaining: 0, fillRate: 5, interval: 7 };
      const error = await rejects(host.listRepos("ACME"), TransientError, "bitbucket-rate-limited");
      assert.equal((error as TransientError).retryAfter, 7_000);
      dataCenter.bucket = null;
      dataCenter.fail({ status: 429, times: 1, headers: { "x-ratelimit-interval-seconds": "9" } });
      const other = await rejects(host.listRepos("ACME"), TransientError, "bitbucket-rate-limited");
      assert.equal((other as TransientError).retryAfter, 9_000);
    });

    it("only if an administrator has switched it on: then nothing is known", async () => {
      await host.listRepos("ACME");
      assert.equal(host.budget(), null);
    });
  });

  it("refuses a token that has expired, and deliverd says where to set another", async () => {
    const error = await rejects(
      opened({ token: "expired" }).findRepo("ACME", "api"),
      TransientError,
      "bitbucket-token-refused",
    );
    assert.match((error as Error).message, /hosts\.bitbucket\.token/);
    assert.throws(
      () => opened({ token: "two words" }),
      (thrown) => thrown instanceof ConfigError && thrown.code === "bitbucket-token-invalid",
    );
  });

  describe("registers webhooks", () => {
    const address = { url: "http://127.0.0.1:9/webhooks/bitbucket", others: [] };
    const webhooks = (more: Partial<DataCenterHostOptions> = {}) => opened(more).webhooks ?? assert.fail();
    const hosted = () => ({ ...repo(), hostId: sample.repo.id });
    afterEach(() => {
      dataCenter.hooksOf(sample.repo).splice(0);
      dataCenter.backend.projectHooks.clear();
    });

    it("with the secret and its events, finds nothing wrong with it, and removes it", async () => {
      assert.equal((await webhooks().check(hosted(), address)).kind, "missing");
      assert.deepEqual(await webhooks().add(hosted(), address), { kind: "added", url: address.url });
      const [hook] = dataCenter.hooksOf(sample.repo);
      assert.deepEqual([hook?.secret, [...(hook?.events ?? [])]], ["s3cret", ["repo:refs_changed", "repo:modified"]]);
      const state = await webhooks().check(hosted(), address);
      assert.deepEqual(state.kind === "registered" && [state.webhook.on, state.webhook.faults], ["repo", []]);
      assert.deepEqual(await webhooks().add(hosted(), address), { kind: "renewed", url: address.url });
      assert.equal(dataCenter.hooksOf(sample.repo)[0]?.secret, "s3cret");
      assert.deepEqual(await webhooks().remove(hosted(), address), [address.url]);
      assert.deepEqual(dataCenter.hooksOf(sample.repo), []);
    });

    it("and has it tested by a signed ping, and shows the last requests", async () => {
      const answers = [202, 500, 202];
      const pings: (string | undefined)[] = [];
      const server = createServer((request, response) => {
        if (request.headers["x-event-key"] === "diagnostics:ping")
          pings.push(String(request.headers["x-hub-signature"]).slice(0, 7));
        response.writeHead(answers.shift() ?? 202).end('{"detail":"no room"}');
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      try {
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/webhooks/bitbucket`;
        await webhooks().add(hosted(), { url, others: [] });
        assert.deepEqual(pings, ["sha256="]);
        await dataCenter.push(sample.repo, "refs/heads/main");
        const failed = await webhooks().check(hosted(), { url, others: [] });
        assert.ok(failed.kind === "registered");
        const [last] = failed.deliveries;
        assert.deepEqual([last?.status, last?.failure, last?.duration], [500, "no room", 250]);
        await dataCenter.push(sample.repo, "refs/heads/main");
        const well = await webhooks().check(hosted(), { url, others: [] });
        assert.ok(well.kind === "registered" && well.deliveries.length === 2);
        assert.deepEqual([well.deliveries[0]?.status, well.deliveries[0]?.failure], [202, null]);
      } finally {
        server.close();
        server.closeAllConnections();
      }
    });

    it("and repairs what is wrong: events, secret, TLS, a double; others stay", async () => {
      const wrong = { events: new Set(["repo:refs_changed"]), secret: null, verifiesTls: false, isActive: false };
      dataCenter.addHook(sample.repo, address.url, wrong);
      dataCenter.addHook(sample.repo, "http://127.0.0.1:9/webhook");
      dataCenter.addHook(sample.repo, "https://chat.example.com/hook");
      const state = await webhooks().check(hosted(), address);
      assert.equal(state.kind === "registered" && state.webhook.faults.length, 5);
      assert.equal((await webhooks().add(hosted(), address)).kind, "repaired");
      const urls = dataCenter.hooksOf(sample.repo).map(({ url }) => url);
      assert.deepEqual(urls, [address.url, "https://chat.example.com/hook"]);
    });

    it("unless the project has one", async () => {
      dataCenter.addProjectHook("ACME", address.url);
      assert.deepEqual(await webhooks().add(hosted(), address), { kind: "covered", url: address.url });
      const state = await webhooks().check(hosted(), address);
      assert.equal(state.kind === "registered" && state.webhook.on, "owner");
    });

    it("only with the right to", async () => {
      dataCenter.backend.isAdmin = false;
      assert.equal((await webhooks().check(hosted(), address)).kind, "hidden");
      const error = await rejects(webhooks().add(hosted(), address), Refused, "bitbucket-webhooks-forbidden");
      assert.match((error as Error).message, /Repository admin/);
      await rejects(webhooks({ token: null }).add(hosted(), address), Refused, "bitbucket-webhooks-forbidden");
      dataCenter.backend.isAdmin = true;
      dataCenter.fail({ status: 400, times: 1, method: "POST" });
      await rejects(webhooks().add(hosted(), address), Refused, "bitbucket-webhook-refused");
    });

    it("and a ping to itself is taken as a webhook that says nothing", async () => {
      assert.deepEqual(await host.readHints(webhooks().ping()), { ignored: "ping" });
    });
  });
});

function report(state: Report["state"]): Report {
  const targetUrl = "https://deliverd.example.com/deliveries/d";
  return { context: "deliverd/api", state, description: `it is ${state}`, targetUrl };
}
