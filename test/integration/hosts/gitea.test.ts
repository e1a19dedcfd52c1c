import assert from "node:assert/strict";
import { ConfigError, Refused, TransientError } from "../../../src/delivery/errors.ts";
import type { Gate } from "../../../src/delivery/types.ts";
import { type GiteaHostOptions, giteaHost } from "../../../src/hosts/gitea/host.ts";
import type { Host, Report } from "../../../src/hosts/host.ts";
import { type SampleRepo, sampleRepo } from "../../support/fixtures/sample-repo.ts";
import { type GiteaStandIn, type HookDelivery, type Repo, startGitea } from "../../support/hosts/gitea/gitea.ts";

const NOW = Date.UTC(2100, 0, 1);
const GATE: Gate = { ci: "required", required: [], apps: null, settle: 0, timeout: 3_600_000 };

describe("Gitea", () => {
  let gitea: GiteaStandIn;
  let sample: SampleRepo<Repo, HookDelivery>;
  let host: Host;
  let sha: string;
  let count = 0;

  const opened = (more: Partial<GiteaHostOptions> = {}) => {
    const { url, cloneUrl, token } = gitea;
    return giteaHost({ key: "forge", url, cloneUrl, webhookSecret: "s3cret", token, retryBase: 1, ...more });
  };
  const repo = () => {
    const { id, owner, name } = sample.repo;
    return { host: "forge", id: `forge:${id}`, owner, name, defaultBranch: "main" };
  };
  const commit = () => ({ repo: repo(), sha });
  const ciState = (gate: Partial<Gate> = {}) => host.ciState(commit(), { ...GATE, ...gate }, ["main"], NOW);
  const status = (context: string, state: string, creator?: string | null) =>
    gitea.setStatus(sample.repo, sha, context, state, creator);
  const reports = (context = "deliverd/api") => gitea.statusesOf(sample.repo, sha, context).map(({ state }) => state);

  before(async () => {
    gitea = await startGitea();
    sample = await sampleRepo(gitea, { owner: "acme", name: "api", files: { a: "" } });
  });
  after(async () => {
    await sample?.remove();
    await gitea?.close();
  });
  beforeEach(async () => {
    host = opened();
    count += 1;
    sha = await sample.commit({ count: String(count) });
    await sample.push();
    gitea.requests.splice(0);
  });
  afterEach(() => {
    gitea.forgetFaults();
    gitea.protect(sample.repo, "main", [], false);
    Object.assign(gitea.backend, { pageLimit: 50, version: "1.25.4", mayManageHooks: true, mayWrite: true });
    assert.deepEqual(gitea.violations.splice(0), []);
  });

  const rejects = async (call: Promise<unknown>, kind: typeof Refused | typeof TransientError, code: string) => {
    const error = await call.then(
      () => assert.fail("did not fail"),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof kind, String(error));
    assert.equal(error.code, code);
    assert.ok(!error.message.includes(gitea.token));
    return error;
  };

  describe("counts for the gate", () => {
    const words: [word: string, verdict: string][] = [
      ["success", "green"],
      ["skipped", "green"],
      ["failure", "red"],
      ["error", "red"],
      ["warning", "red"],
      ["pending", "pending"],
    ];
    for (const [word, verdict] of words) {
      it(`a status of the state ${word} as ${verdict}`, async () => {
        await status("test", word);
        assert.equal((await ciState()).verdict, verdict);
      });
    }

    it("a word that deliverd does not know as pending, and shows it", async () => {
      await status("test", "dreaming");
      const { verdict, because } = await ciState();
      assert.deepEqual([verdict, /dreaming/.test(because)], ["pending", true]);
    });

    it("of several rows of a context the newest, whatever second they are from and whoever reported them", async () => {
      await status("test", "failure", "ada");
      await status("test", "success", "ci-bot");
      assert.equal((await ciState()).verdict, "green");
      await status("test", "pending", null);
      assert.equal((await ciState()).verdict, "pending");
    });

    it("every row also where the server gives fewer on a page than deliverd asks for", async () => {
      gitea.backend.pageLimit = 7;
      await status("first", "failure");
      for (let i = 0; i < 20; i++) await status(`check ${i}`, "success");
      assert.equal((await ciState()).verdict, "red");
      assert.equal(gitea.requests.filter(({ path }) => path.includes("/statuses/")).length, 3);
    });

    it("only rows at exactly this commit, also where a branch is called like it", async () => {
      const green = sha;
      await status("test", "success");
      sha = await sample.commit({ other: "" });
      await sample.push();
      await sample.git("push", "--quiet", sample.repo.directory, `${green}:refs/heads/${sha}`);
      assert.equal((await ciState()).verdict, "none");
      await status("test", "failure");
      assert.equal((await ciState()).verdict, "red");
      await sample.git("push", "--quiet", "--delete", sample.repo.directory, `refs/heads/${sha}`);
    });

    it("with ci.apps only what these users reported", async () => {
      await status("test", "success", "mallory");
      await status("test", "failure", "ci-bot");
      await status("test", "success", "mallory");
      assert.equal((await ciState()).verdict, "green");
      assert.equal((await ciState({ apps: ["ci-bot"] })).verdict, "red");
      assert.equal((await ciState({ apps: ["somebody-else"] })).verdict, "none");
    });

    it("what Actions reported, with an address that leads to Gitea", async () => {
      await status("ci.yml / test (push)", "success", null);
      const { verdict, checks } = await ciState();
      assert.deepEqual([verdict, checks[0]?.url], ["green", `${gitea.url}/acme/api/actions/runs/1/jobs/0`]);
    });

    it("is not concluded if the token may not read it", async () => {
      gitea.fail({ status: 403, times: 10, message: "token does not have at least one of required scope(s)" });
      await rejects(ciState(), TransientError, "gitea-ci-unreadable");
      gitea.forgetFaults();
      gitea.fail({ status: 404, times: 10, message: "not found" });
      await rejects(ciState(), TransientError, "gitea-ci-unreadable");
    });

    it("a commit that is gone as gone, and a repo that is not shown as unreadable", async () => {
      const gone = { repo: repo(), sha: "5".repeat(40) };
      await rejects(host.ciState(gone, GATE, [], NOW), Refused, "commit-gone");
      const hidden = { repo: { ...repo(), name: "hidden" }, sha };
      await rejects(host.ciState(hidden, GATE, [], NOW), TransientError, "gitea-ci-unreadable");
    });
  });

  describe("requires on a branch", () => {
    const verdictWith = async (contexts: string[], enabled = true) => {
      gitea.protect(sample.repo, "main", contexts, enabled);
      return (await ciState()).verdict;
    };

    it("contexts by globs: each must be met, and all that it matches must pass", async () => {
      await status("ci.yml / test (push)", "success");
      await status("docs", "failure");
      assert.equal(await verdictWith(["ci.yml / *"]), "green");
      assert.equal(await verdictWith(["ci.yml / {test,lint} (push)"]), "green");
      assert.equal(await verdictWith(["ci.yml / *", "build [0-9]"]), "pending");
      assert.equal(await verdictWith(["*"]), "red");
    });

    it("nothing by a list that is not enabled, and every status by an empty one", async () => {
      await status("docs", "failure");
      await status("test", "success");
      assert.equal(await verdictWith(["test"], false), "red");
      assert.equal(await verdictWith(["test"]), "green");
      assert.equal(await verdictWith([]), "red");
    });

    it("a status at all by an empty list", async () => {
      assert.equal(await verdictWith([]), "pending");
    });

    it("a glob that is broken: the commit waits, and deliverd says why", async () => {
      await status("test", "success");
      assert.equal(await verdictWith(["{test"]), "pending");
      assert.match((await ciState()).because, /\{test.*ci\.required/);
    });

    it("never deliverd's own status, by its name or by a glob for it", async () => {
      await status("test", "success");
      for (const own of ["deliverd", "deliverd/api", "deliverd/*", "deliverd*"]) {
        assert.equal(await verdictWith([own, "test"]), "green", own);
      }
    });

    it("with a slash in its name as well; a branch that is gone requires nothing", async () => {
      await sample.branch("release/1");
      await sample.push("release/1");
      await sample.checkout("main");
      gitea.protect(sample.repo, "release/1", ["test"]);
      await status("docs", "success");
      const on = (branches: string[]) => host.ciState(commit(), GATE, branches, NOW);
      assert.equal((await on(["release/1"])).verdict, "pending");
      assert.equal((await on(["gone"])).verdict, "green");
    });
  });

  describe("gets reports", () => {
    it("as one row each, and the one that may have arrived only once", async () => {
      await host.report(commit(), report("pending"), { last: null, isRepeat: false });
      gitea.fail({ status: "cut", times: 1, method: "POST", isDone: true });
      await rejects(host.report(commit(), report("success")), TransientError, "gitea-unavailable");
      await host.report(commit(), report("success"), { last: report("pending"), isRepeat: true });
      assert.deepEqual(reports(), ["pending", "success"]);
    });

    it("again if it did not arrive, or if another one came after it", async () => {
      gitea.fail({ status: "cut", times: 1, method: "POST" });
      await rejects(host.report(commit(), report("success")), TransientError, "gitea-unavailable");
      await host.report(commit(), report("success"), { last: null, isRepeat: true });
      await host.report(commit(), report("failure"), { last: report("success"), isRepeat: false });
      await host.report(commit(), report("success"), { last: report("failure"), isRepeat: true });
      assert.deepEqual(reports(), ["success", "failure", "success"]);
    });

    it("in three calls for one delivery", async () => {
      for (const state of ["pending", "success"] as const) {
        await host.report(commit(), report(state), { last: null, isRepeat: false });
      }
      await ciState({ required: ["test"] });
      assert.equal(gitea.requests.length, 3);
    });

    it("of a commit that it does not have never, although it answers 500", async () => {
      const gone = { repo: repo(), sha: "5".repeat(40) };
      await rejects(host.report(gone, report("success")), Refused, "commit-gone");
    });

    it("later, if it fails in another way", async () => {
      gitea.fail({ status: 500, times: 1, method: "POST", message: "" });
      await rejects(host.report(commit(), report("success")), TransientError, "gitea-unavailable");
      assert.deepEqual(reports(), []);
    });

    it("under the new name of the repo, although nobody told deliverd of it", async () => {
      gitea.rename(sample.repo, "renamed");
      try {
        const old = { repo: { ...repo(), name: "api" }, sha };
        await host.report(old, report("success"));
        assert.deepEqual(reports(), ["success"]);
        assert.equal((await host.ciState(old, GATE, ["main"], NOW)).verdict, "none");
      } finally {
        gitea.rename(sample.repo, "api");
      }
    });

    it("never, if the token may not write", async () => {
      gitea.backend.mayWrite = false;
      const error = await rejects(host.report(commit(), report("success")), Refused, "gitea-status-forbidden");
      assert.match((error as Error).message, /write:repository/);
      gitea.fail({ status: 422, times: 1, method: "POST", message: "context is too long" });
      await rejects(host.report(commit(), report("success")), Refused, "gitea-status-refused");
    });
  });

  describe("shows", () => {
    it("the repos of an organisation over all pages, and those of a user", async () => {
      await Promise.all(Array.from({ length: 51 }, (_, at) => gitea.createRepo({ owner: "many", name: `r${at}` })));
      gitea.addUser("grace");
      await gitea.createRepo({ owner: "grace", name: "own" });
      assert.equal((await host.listRepos("many")).length, 51);
      assert.deepEqual(
        (await host.listRepos("grace")).map(({ name }) => name),
        ["own"],
      );
    });

    it("nothing of an owner within an owner, without a call: Gitea has none", async () => {
      await host.findRepo("acme", "api");
      gitea.requests.splice(0);
      assert.equal(await host.findRepo("acme/sub", "api"), null);
      assert.deepEqual(await host.listRepos("acme/sub"), []);
      assert.deepEqual(gitea.requests, []);
    });

    it("a repo by its id and by a former name", async () => {
      const { id } = await gitea.createRepo({ owner: "acme", name: "before" });
      gitea.rename({ owner: "acme", name: "before" }, "now");
      assert.equal((await host.findRepoById?.(String(id)))?.name, "now");
      assert.equal((await host.findRepo("acme", "before"))?.name, "now");
      assert.equal(await host.findRepoById?.("999999"), null);
    });

    it("whether a person may write, and nothing of it to whoever does not administer the repo", async () => {
      const mayWrite = (person: string) => host.mayWrite?.(repo(), person) ?? assert.fail();
      gitea.allow(sample.repo, "reader", "read");
      gitea.allow(sample.repo, "writer", "write");
      assert.deepEqual(await Promise.all(["ada", "writer", "reader", "ci-bot", "nobody"].map(mayWrite)), [
        true,
        true,
        false,
        false,
        false,
      ]);
      gitea.backend.mayManageHooks = false;
      assert.equal(await mayWrite("writer"), false);
    });

    it("nothing usable, if an answer has another form", async () => {
      gitea.fail({ status: 200, times: 1 });
      await rejects(host.findRepo("acme", "api"), TransientError, "gitea-answer-unusable");
    });
  });

  it("is cloned with the token in a header, from a URL without it", async () => {
    assert.deepEqual(await host.cloneSource(repo()), {
      url: `${gitea.cloneUrl}/acme/api.git`,
      authorization: `Basic ${Buffer.from(`oauth2:${gitea.token}`).toString("base64")}`,
    });
    assert.equal((await opened({ token: null }).cloneSource(repo())).authorization, null);
  });

  describe("says by its version whether webhooks tell of CI:", () => {
    const versions: [version: string, tells: boolean][] = [
      ["1.25.4", true],
      ["1.24.0", true],
      ["1.26.0+dev-5-g1a2b3c4", true],
      ["1.23.8", false],
      ["11.0.3+gitea-1.22.0", false],
      ["14.0.0", false],
      ["development", false],
    ];
    for (const [version, tells] of versions) {
      it(`${version}: ${tells ? "yes" : "no"}`, async () => {
        gitea.backend.version = version;
        await host.findRepo("acme", "api");
        assert.equal(host.sendsCiEvents, tells);
      });
    }

    it("not as long as nobody knows; it is asked once, and again if there was no answer", async () => {
      assert.equal(host.sendsCiEvents, false);
      gitea.fail({ status: 403, times: 2 });
      await host.findRepo("acme", "api");
      assert.equal(host.sendsCiEvents, false);
      gitea.forgetFaults();
      await host.listRepos("acme");
      await host.listRepos("acme");
      assert.equal(host.sendsCiEvents, true);
      assert.equal(gitea.requests.filter(({ path }) => path.endsWith("/version")).length, 2);
    });
  });

  it("names no limit, and an answer of 429 is waited for", async () => {
    await host.findRepo("acme", "api");
    assert.equal(host.budget(), null);
    gitea.fail({ status: 429, times: 10, headers: { "retry-after": "42" } });
    const error = await rejects(ciState(), TransientError, "gitea-rate-limited");
    assert.equal((error as TransientError).retryAfter, 42_000);
  });

  it("refuses a token that has expired, and deliverd says where to set another", async () => {
    const call = opened({ token: "expired" }).findRepo("acme", "api");
    const error = await rejects(call, TransientError, "gitea-token-refused");
    assert.match((error as Error).message, /hosts\.forge\.token/);
  });

  it("takes no token that cannot be a header, and no empty secret", () => {
    const hasCode = (code: string) => (error: unknown) => error instanceof ConfigError && error.code === code;
    assert.throws(() => opened({ token: "two words" }), hasCode("gitea-token-invalid"));
    assert.throws(() => opened({ webhookSecret: " " }), hasCode("gitea-webhook-secret-missing"));
  });

  describe("registers webhooks", () => {
    const address = { url: "https://d.example.com/webhooks/forge", others: ["https://d.example.com/webhooks/github"] };
    const webhooks = (more: Partial<GiteaHostOptions> = {}) => opened(more).webhooks ?? assert.fail();
    const hosted = () => ({ ...repo(), hostId: String(sample.repo.id) });
    afterEach(() => {
      gitea.hooksOf(sample.repo).splice(0);
      gitea.backend.software = "gitea";
    });

    it("with the secret and all events, and finds nothing wrong with it", async () => {
      const own = webhooks();
      assert.deepEqual(await own.check(hosted(), address), { kind: "missing", unseen: null });
      assert.deepEqual(await own.add(hosted(), address), { kind: "added", url: address.url });
      const [hook] = gitea.hooksOf(sample.repo);
      assert.deepEqual(
        [hook?.secret, hook?.active, [...(hook?.events ?? [])]],
        ["s3cret", true, ["push", "delete", "status"]],
      );
      const state = await own.check(hosted(), address);
      assert.deepEqual(state.kind === "registered" && [state.webhook.on, state.webhook.faults], ["repo", []]);
      assert.deepEqual(await own.remove(hosted(), address), [address.url]);
      assert.deepEqual(gitea.hooksOf(sample.repo), []);
    });

    it("anew where one is there: Gitea does not take another secret for it", async () => {
      gitea.addHook(sample.repo, address.url, { events: new Set(["push", "delete", "status"]), secret: "old" });
      assert.deepEqual(await webhooks().add(hosted(), address), { kind: "renewed", url: address.url });
      assert.deepEqual(
        gitea.hooksOf(sample.repo).map(({ url, secret }) => [url, secret]),
        [[address.url, "s3cret"]],
      );
    });

    it("of Forgejo with its events of Actions, and misses no event that it does not have", async () => {
      Object.assign(gitea.backend, { software: "forgejo", version: "11.0.3+gitea-1.22.0" });
      const own = webhooks();
      assert.equal((await own.add(hosted(), address)).kind, "added");
      const events = [...(gitea.hooksOf(sample.repo)[0]?.events ?? [])];
      assert.deepEqual(events, ["push", "delete", "action_run_failure", "action_run_success"]);
      const state = await own.check(hosted(), address);
      assert.deepEqual(state.kind === "registered" && state.webhook.faults, []);
    });

    it("and repairs what is wrong: off, a form, events, branches, a double; others stay", async () => {
      const wrong = { active: false, contentType: "form", branchFilter: "main", events: new Set(["push", "issues"]) };
      gitea.addHook(sample.repo, address.url, wrong);
      gitea.addHook(sample.repo, "https://d.example.com/webhook");
      gitea.addHook(sample.repo, "https://chat.example.com/hook");
      const state = await webhooks().check(hosted(), address);
      assert.equal(state.kind === "registered" && state.webhook.faults.length, 5);
      const change = await webhooks().add(hosted(), address);
      assert.equal(change.kind === "repaired" && change.changes.length, 6);
      assert.deepEqual(
        gitea.hooksOf(sample.repo).map(({ url }) => url),
        ["https://chat.example.com/hook", address.url],
      );
      assert.deepEqual((await webhooks().add(hosted(), address)).kind, "renewed");
    });

    it("and asks for a test, which is rightly signed", async () => {
      const { createServer } = await import("node:http");
      const got = new Promise<string>((resolve) => {
        const server = createServer(async (request, response) => {
          const body = Buffer.concat(await request.toArray());
          const reading = await host.readHints({ headers: request.headers, body });
          response.writeHead(202).end();
          server.close();
          resolve("hints" in reading ? (reading.hints[0]?.ref ?? "") : reading.ignored);
        });
        server.listen(0, "127.0.0.1", () => {
          const url = `http://127.0.0.1:${(server.address() as { port: number }).port}/webhooks/forge`;
          void webhooks().add(hosted(), { url, others: [] });
        });
      });
      assert.equal(await got, "refs/heads/main");
    });

    it("unless the organisation has one; a token that may not see those says so", async () => {
      gitea.addOrganisationHook("acme", address.url, { events: new Set(["push", "delete", "status"]) });
      assert.deepEqual(await webhooks().add(hosted(), address), { kind: "covered", url: address.url });
      const state = await webhooks().check(hosted(), address);
      assert.equal(state.kind === "registered" && state.webhook.on, "owner");
      gitea.backend.state.organisationHooks.clear();
    });

    it("only with the right to, and not at an address that Gitea does not take", async () => {
      await rejects(webhooks().add(hosted(), { url: "nothing", others: [] }), Refused, "gitea-webhook-refused");
      gitea.backend.mayManageHooks = false;
      assert.equal((await webhooks().check(hosted(), address)).kind, "hidden");
      await rejects(webhooks().add(hosted(), address), Refused, "gitea-webhooks-forbidden");
      await rejects(webhooks({ token: null }).remove(hosted(), address), Refused, "gitea-webhooks-forbidden");
    });

    it("and its ping is one that deliverd takes and ignores", async () => {
      assert.ok("ignored" in (await host.readHints(webhooks().ping())));
    });
  });
});

function report(state: Report["state"]): Report {
  const targetUrl = "https://deliverd.example.com/deliveries/d";
  return { context: "deliverd/api", state, description: `it is ${state}`, targetUrl };
}
