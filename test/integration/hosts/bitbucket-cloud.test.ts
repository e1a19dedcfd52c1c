import assert from "node:assert/strict";
import { ConfigError, Refused, TransientError } from "../../../src/delivery/errors.ts";
import type { Gate } from "../../../src/delivery/types.ts";
import { type CloudHostOptions, cloudHost } from "../../../src/hosts/bitbucket/cloud/host.ts";
import { keyOf } from "../../../src/hosts/bitbucket/cloud/report.ts";
import type { Host, Report } from "../../../src/hosts/host.ts";
import { type SampleRepo, sampleRepo } from "../../support/fixtures/sample-repo.ts";
import {
  type BitbucketCloudStandIn,
  type HookDelivery,
  type Repository,
  startBitbucketCloud,
} from "../../support/hosts/bitbucket/cloud/cloud.ts";

const NOW = Date.UTC(2100, 0, 1);
const GATE: Gate = { ci: "required", required: [], apps: null, settle: 0, timeout: 3_600_000 };

describe("Bitbucket Cloud", () => {
  let cloud: BitbucketCloudStandIn;
  let sample: SampleRepo<Repository, HookDelivery>;
  let host: Host;
  let sha: string;
  let count = 0;

  const opened = (more: Partial<CloudHostOptions> = {}) => {
    const { apiUrl, cloneUrl, login } = cloud;
    const logins = { username: null, token: login.token, webhookSecret: "s3cret" };
    return cloudHost({ key: "bitbucket", apiUrl, cloneUrl, retryBase: 1, ...logins, ...more });
  };
  const repo = () => {
    const { id, owner, name } = sample.repo;
    return { host: "bitbucket", id: `bitbucket:${id}`, owner, name, defaultBranch: "main" };
  };
  const commit = () => ({ repo: repo(), sha });
  const ciState = (gate: Partial<Gate> = {}) => host.ciState(commit(), { ...GATE, ...gate }, ["main"], NOW);
  const build = (name: string, state: string, more: { key?: string; refname?: string } = {}) =>
    cloud.setStatus(sample.repo, sha, { name, state, ...more });

  before(async () => {
    cloud = await startBitbucketCloud();
    sample = await sampleRepo(cloud, { owner: "acme", name: "api", files: { a: "" } });
  });
  after(async () => {
    await sample?.remove();
    await cloud?.close();
  });
  beforeEach(async () => {
    host = opened();
    count += 1;
    sha = await sample.commit({ count: String(count) });
    await sample.push();
    cloud.front.requests.splice(0);
    cloud.rateLimit = { limit: 1_000, used: 0, tells: true };
  });
  afterEach(() => {
    cloud.front.forgetFaults();
    cloud.backend.mayWrite = true;
    assert.deepEqual(cloud.front.violations.splice(0), []);
  });

  const rejects = async (call: Promise<unknown>, kind: typeof Refused | typeof TransientError, code: string) => {
    const error = await call.then(
      () => assert.fail("did not fail"),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof kind, String(error));
    assert.equal(error.code, code);
    assert.ok(!error.message.includes(cloud.login.token));
    return error;
  };

  describe("counts for the gate", () => {
    for (const [word, verdict] of [
      ["SUCCESSFUL", "green"],
      ["FAILED", "red"],
      ["STOPPED", "red"],
      ["INPROGRESS", "pending"],
      ["DREAMING", "pending"],
    ] as const) {
      it(`a build that is ${word} as ${verdict}`, async () => {
        await build("test", word);
        const state = await ciState();
        assert.equal(state.verdict, verdict);
        if (word === "DREAMING") assert.match(state.because, /DREAMING/);
      });
    }

    it("of a build that was reported again the newest", async () => {
      await build("Pipeline #4 for main", "FAILED", { key: "3343801" });
      assert.equal((await ciState()).verdict, "red");
      await build("Pipeline #5 for main", "SUCCESSFUL", { key: "3343801" });
      const { verdict, checks } = await ciState();
      assert.deepEqual([verdict, checks.map(({ name }) => name)], ["green", ["Pipeline #5 for main"]]);
    });

    it("both of two builds that share a name: neither hides the other", async () => {
      await build("test", "FAILED", { key: "linux" });
      await build("test", "SUCCESSFUL", { key: "windows" });
      const [older] = cloud.statusesOf(sample.repo, sha);
      if (older !== undefined) older.updatedOn = "2026-01-01T00:00:00.000000+00:00";
      assert.equal((await ciState()).verdict, "red");
    });

    it("what ci.required names, by a name, a glob or a key", async () => {
      await build("Pipeline #4 for main", "SUCCESSFUL", { key: "3343801" });
      await build("docs", "FAILED");
      for (const wanted of ["Pipeline #4 for main", "Pipeline #* for main", "3343801"])
        assert.equal((await ciState({ required: [wanted] })).verdict, "green", wanted);
      assert.equal((await ciState({ required: ["3343801", "docs"] })).verdict, "red");
      assert.equal((await ciState({ required: ["33438"] })).verdict, "pending");
    });

    it("no build, with ci.apps: Bitbucket vouches for none", async () => {
      await build("test", "SUCCESSFUL");
      assert.equal((await ciState({ apps: ["bitbucket-pipelines"] })).verdict, "none");
    });

    it("no report of ours, also one whose key is cut", async () => {
      const context = `deliverd/${"a-very-long-name-of-an-artifact-".repeat(2)}`;
      await build("test", "SUCCESSFUL");
      await host.report(commit(), { ...report("failure"), context });
      assert.equal((await ciState()).verdict, "green");
    });

    it("nothing, if the token may not read it", async () => {
      cloud.fail({ status: 403, times: 10 });
      await rejects(ciState(), TransientError, "bitbucket-ci-unreadable");
      cloud.front.forgetFaults();
      await rejects(
        host.ciState(
          { repo: { ...repo(), id: `bitbucket:${"0".repeat(8)}-0000-0000-0000-${"0".repeat(12)}` }, sha },
          GATE,
          [],
          NOW,
        ),
        TransientError,
        "bitbucket-ci-unreadable",
      );
    });
  });

  describe("gets reports", () => {
    it("in its own words, and one for each context", async () => {
      const shown = () => cloud.statusesOf(sample.repo, sha).map(({ key, state }) => [key, state]);
      for (const [state, word] of [
        ["pending", "INPROGRESS"],
        ["success", "SUCCESSFUL"],
        ["failure", "FAILED"],
        ["error", "STOPPED"],
      ] as const) {
        await host.report(commit(), report(state));
        assert.deepEqual(shown(), [["deliverd/api", word]]);
      }
      await host.report(commit(), { ...report("success"), context: "deliverd" });
      assert.deepEqual(
        shown().map(([key]) => key),
        ["deliverd/api", "deliverd"],
      );
    });

    it("with keys that Bitbucket takes, and that differ where the contexts do", async () => {
      const long = `deliverd/${"x".repeat(61)}`;
      const contexts = [`${long}a`, `${long}b`, `deliverd/${"x".repeat(31)}`, `deliverd/${"x".repeat(32)}`];
      for (const context of contexts) await host.report(commit(), { ...report("success"), context });
      const statuses = cloud.statusesOf(sample.repo, sha);
      assert.equal(new Set(statuses.map(({ key }) => key)).size, contexts.length);
      assert.deepEqual(
        statuses.map(({ name }) => name),
        contexts,
      );
      assert.equal(keyOf(contexts[0] ?? ""), keyOf(contexts[0] ?? ""), "it is the same at each report");
      assert.equal(keyOf(contexts[2] ?? ""), contexts[2]);
    });

    it("with one short line and the page of the delivery", async () => {
      await host.report(commit(), { ...report("success"), description: `${"y".repeat(300)}\nz` });
      const [status] = cloud.statusesOf(sample.repo, sha);
      assert.deepEqual([status?.description.length, status?.url], [140, report("success").targetUrl]);
    });

    it("never, if it does not accept them", async () => {
      cloud.backend.mayWrite = false;
      const error = await rejects(host.report(commit(), report("success")), Refused, "bitbucket-status-forbidden");
      assert.match((error as Error).message, /repository:write/);
      cloud.backend.mayWrite = true;
      const targetUrl = "no URL";
      await rejects(host.report(commit(), { ...report("success"), targetUrl }), Refused, "bitbucket-status-refused");
    });

    it("in one call each", async () => {
      for (const state of ["pending", "success"] as const) await host.report(commit(), report(state));
      assert.equal(cloud.front.requests.length, 2);
    });
  });

  describe("shows", () => {
    it("the repos of a workspace over all pages", async () => {
      await Promise.all(Array.from({ length: 101 }, (_, at) => cloud.createRepo({ owner: "many", name: `r${at}` })));
      assert.equal((await host.listRepos("many")).length, 101);
      assert.deepEqual(await host.listRepos("many/nested"), []);
      assert.equal(await host.findRepo("many/nested", "r1"), null);
    });

    it("a repo by its id, also in another workspace", async () => {
      const moved = await cloud.createRepo({ owner: "acme", name: "mover" });
      await cloud.rename(moved, "moved");
      await cloud.transfer(moved, "other");
      assert.equal(await host.findRepo("acme", "mover"), null);
      assert.deepEqual(await host.findRepoById?.(moved.id), {
        ...{ hostId: moved.id, owner: "other", name: "moved", defaultBranch: "main" },
      });
    });

    it("its builds under the id of the repo, whatever it is called by now", async () => {
      await build("test", "SUCCESSFUL");
      const stale = { ...repo(), owner: "former", name: "former" };
      assert.equal((await host.ciState({ repo: stale, sha }, GATE, [], NOW)).verdict, "green");
    });

    it("no repo of Mercurial, which may be left in a list", async () => {
      const hg = { uuid: `{${sample.repo.id}}`, full_name: "acme/old", scm: "hg" };
      cloud.fail({ status: 200, times: 1, body: { values: [hg] } });
      assert.deepEqual(await host.listRepos("acme"), []);
      cloud.fail({ status: 200, times: 1, body: hg });
      assert.equal(await host.findRepo("acme", "old"), null);
    });

    it("nothing usable, if an answer has another form", async () => {
      cloud.fail({ status: 200, times: 1, body: { uuid: "x" } });
      await rejects(host.findRepo("acme", "api"), TransientError, "bitbucket-answer-unusable");
      cloud.fail({ status: 200, times: 3, body: [] });
      await rejects(host.listRepos("acme"), TransientError, "bitbucket-unavailable");
    });

    it("a next page elsewhere: only its query is used, so that the token stays here", async () => {
      const next = "https://evil.example.com/2.0/repositories/acme?page=2&pagelen=100";
      cloud.fail({ status: 200, times: 1, body: { values: [], next } });
      await host.listRepos("acme");
      assert.match(cloud.front.requests.at(-1)?.path ?? "", /^\/2\.0\/repositories\/acme\?page=2/);
    });
  });

  describe("is logged in to", () => {
    it("with an access token, whatever name stands beside it", async () => {
      for (const username of [null, "acme", "x-token-auth"]) {
        const own = opened({ username });
        assert.equal((await own.findRepo("acme", "api"))?.name, "api");
        assert.deepEqual(await own.cloneSource(repo()), {
          url: `${cloud.cloneUrl}/acme/api.git`,
          authorization: `Basic ${Buffer.from(`x-token-auth:${cloud.login.token}`).toString("base64")}`,
        });
      }
    });

    it("with the API token of an account by its e-mail address, and for git by a fixed name", async () => {
      const email = "sam@example.com";
      const other = await startBitbucketCloud({ kind: "api", email, token: "ATATT=canary" });
      try {
        await other.createRepo({ owner: "acme", name: "api" });
        const { apiUrl, cloneUrl } = other;
        const own = opened({ apiUrl, cloneUrl, username: email, token: "ATATT=canary" });
        assert.equal((await own.findRepo("acme", "api"))?.name, "api");
        const { authorization } = await own.cloneSource(repo());
        assert.equal(
          Buffer.from(authorization?.slice("Basic ".length) ?? "", "base64").toString(),
          "x-bitbucket-api-token-auth:ATATT=canary",
        );
      } finally {
        await other.close();
      }
    });

    it("with a token that it refuses: then deliverd says which name an API token needs", async () => {
      const error = await rejects(
        opened({ token: "expired" }).findRepo("acme", "api"),
        TransientError,
        "bitbucket-token-refused",
      );
      assert.match((error as Error).message, /hosts\.bitbucket\.token.*hosts\.bitbucket\.username, the e-mail/);
    });

    it("with no token that cannot be a header", () => {
      assert.throws(
        () => opened({ token: "two words" }),
        (error) => error instanceof ConfigError && error.code === "bitbucket-token-invalid",
      );
      assert.throws(
        () => opened({ webhookSecret: " " }),
        (error) => error instanceof ConfigError && error.code === "bitbucket-webhook-secret-missing",
      );
    });
  });

  describe("limits requests", () => {
    it("to so many an hour, of which deliverd counts its own", async () => {
      await host.findRepo("acme", "api");
      await host.findRepo("acme", "api");
      const budget = host.budget();
      assert.equal(budget?.remaining, 998);
      assert.ok(Math.abs((budget?.resetsAt ?? 0) - Date.now() - 3_600_000) < 60_000);
    });

    it("and says when little is left, which other programs may have used", async () => {
      cloud.rateLimit.used = 900;
      await host.findRepo("acme", "api");
      assert.equal(host.budget()?.remaining, 200);
    });

    it("to more in a paid workspace, as its header says", async () => {
      cloud.rateLimit.limit = 10_000;
      await host.findRepo("acme", "api");
      assert.equal(host.budget()?.remaining, 9_999);
    });

    it("without headers: then the documented limit is counted down", async () => {
      cloud.rateLimit.tells = false;
      await host.findRepo("acme", "api");
      assert.equal(host.budget()?.remaining, 999);
    });

    it("and does not say how long to wait: then it is a minute", async () => {
      cloud.rateLimit.used = 1_000;
      const error = await rejects(host.findRepo("acme", "api"), TransientError, "bitbucket-rate-limited");
      assert.equal((error as TransientError).retryAfter, 60_000);
    });
  });

  describe("registers webhooks", () => {
    const address = { url: "https://d.example.com/webhooks/bitbucket", others: [] };
    const webhooks = (more: Partial<CloudHostOptions> = {}) => opened(more).webhooks ?? assert.fail();
    const hosted = () => ({ ...repo(), hostId: sample.repo.id });
    afterEach(() => {
      cloud.hooksOf(sample.repo).splice(0);
      cloud.backend.workspaceHooks.clear();
      cloud.backend.mayManageHooks = true;
    });

    it("with the secret and all events, finds nothing wrong with it, and removes it", async () => {
      assert.equal((await webhooks().check(hosted(), address)).kind, "missing");
      assert.deepEqual(await webhooks().add(hosted(), address), { kind: "added", url: address.url });
      const [hook] = cloud.hooksOf(sample.repo);
      assert.equal(hook?.secret, "s3cret");
      const state = await webhooks().check(hosted(), address);
      assert.deepEqual(state.kind === "registered" && [state.webhook.on, state.webhook.faults], ["repo", []]);
      assert.deepEqual(await webhooks().add(hosted(), address), { kind: "renewed", url: address.url });
      assert.deepEqual(await webhooks().remove(hosted(), address), [address.url]);
      assert.deepEqual(cloud.hooksOf(sample.repo), []);
    });

    it("and repairs what is wrong: events, secret, TLS, a double; others stay", async () => {
      const wrong = { events: new Set(["repo:push"]), secret: null, verifiesTls: false, isActive: false };
      cloud.addHook(sample.repo, address.url, wrong);
      cloud.addHook(sample.repo, "https://d.example.com/webhook");
      cloud.addHook(sample.repo, "https://chat.example.com/hook");
      const state = await webhooks().check(hosted(), address);
      assert.equal(state.kind === "registered" && state.webhook.faults.length, 5);
      assert.equal((await webhooks().add(hosted(), address)).kind, "repaired");
      const urls = cloud.hooksOf(sample.repo).map(({ url }) => url);
      assert.deepEqual(urls, [address.url, "https://chat.example.com/hook"]);
      assert.deepEqual(await webhooks().add(hosted(), address), { kind: "renewed", url: address.url });
    });

    it("unless the workspace has one", async () => {
      cloud.addWorkspaceHook("acme", address.url);
      assert.deepEqual(await webhooks().add(hosted(), address), { kind: "covered", url: address.url });
      const state = await webhooks().check(hosted(), address);
      assert.equal(state.kind === "registered" && state.webhook.on, "owner");
    });

    it("only with the right to", async () => {
      cloud.backend.mayManageHooks = false;
      assert.equal((await webhooks().check(hosted(), address)).kind, "hidden");
      const error = await rejects(webhooks().add(hosted(), address), Refused, "bitbucket-webhooks-forbidden");
      assert.match((error as Error).message, /scope 'webhook'/);
      await rejects(webhooks({ token: null }).remove(hosted(), address), Refused, "bitbucket-webhooks-forbidden");
      cloud.backend.mayManageHooks = true;
      const elsewhere = { url: "http://10.0.0.1/webhooks/bitbucket", others: [] };
      cloud.fail({ status: 400, times: 1, method: "POST" });
      await rejects(webhooks().add(hosted(), elsewhere), Refused, "bitbucket-webhook-refused");
    });

    it("and a ping to itself is taken as a webhook that says nothing", async () => {
      const { headers, body } = webhooks().ping();
      assert.deepEqual(await host.readHints({ headers, body }), {
        ignored: "event 'diagnostics:ping' is not one that deliverd acts on",
      });
    });
  });
});

function report(state: Report["state"]): Report {
  const targetUrl = "https://deliverd.example.com/deliveries/d";
  return { context: "deliverd/api", state, description: `it is ${state}`, targetUrl };
}
