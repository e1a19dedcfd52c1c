import assert from "node:assert/strict";
import { ConfigError, Refused, TransientError } from "../../../src/delivery/errors.ts";
import type { Gate } from "../../../src/delivery/types.ts";
import { type GitLabHostOptions, gitlabHost } from "../../../src/hosts/gitlab/host.ts";
import type { Host, Report } from "../../../src/hosts/host.ts";
import { type SampleRepo, sampleRepo } from "../../support/fixtures/sample-repo.ts";
import {
  type GitLabStandIn,
  type HookDelivery,
  type Job,
  type Project,
  startGitLab,
} from "../../support/hosts/gitlab/gitlab.ts";

const NOW = Date.UTC(2100, 0, 1);
const GATE: Gate = { ci: "required", required: [], apps: null, settle: 0, timeout: 3_600_000 };

describe("GitLab", () => {
  let gitlab: GitLabStandIn;
  let sample: SampleRepo<Project, HookDelivery>;
  let host: Host;
  let sha: string;
  let count = 0;

  const opened = (more: Partial<GitLabHostOptions> = {}) => {
    const { url, cloneUrl, token } = gitlab;
    return gitlabHost({ key: "gitlab", url, cloneUrl, webhookSecret: "s3cret", token, retryBase: 1, ...more });
  };
  const repo = () => {
    const { id, owner, name } = sample.repo;
    return { host: "gitlab", id: `gitlab:${id}`, owner, name, defaultBranch: "main" };
  };
  const commit = () => ({ repo: repo(), sha });
  const ciState = (gate: Partial<Gate> = {}) => host.ciState(commit(), { ...GATE, ...gate }, ["main"], NOW);
  const job = (name: string, status: Job["status"], more: Parameters<GitLabStandIn["setJob"]>[4] = {}) =>
    gitlab.setJob(sample.repo, sha, name, status, more);
  const statesOf = (context = "deliverd/api") => gitlab.jobsOf(sample.repo, sha, context).map(({ status }) => status);

  before(async () => {
    gitlab = await startGitLab();
    sample = await sampleRepo(gitlab, { owner: "acme/platform", name: "api", files: { a: "" } });
  });
  after(async () => {
    await sample?.remove();
    await gitlab?.close();
  });
  beforeEach(async () => {
    host = opened();
    count += 1;
    sha = await sample.commit({ count: String(count) });
    await sample.push();
    gitlab.requests.splice(0);
    gitlab.backend.tellsPipeline = true;
  });
  afterEach(() => {
    gitlab.forgetFaults();
    assert.deepEqual(gitlab.violations.splice(0), []);
  });

  const rejects = async (call: Promise<unknown>, kind: typeof Refused | typeof TransientError, code: string) => {
    const error = await call.then(
      () => assert.fail("did not fail"),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof kind, String(error));
    assert.equal(error.code, code);
    assert.ok(!error.message.includes(gitlab.token));
    return error;
  };

  describe("counts for the gate", () => {
    const words: [Job["status"], verdict: string, mayFail: string][] = [
      ["success", "green", "green"],
      ["skipped", "green", "green"],
      ["failed", "red", "green"],
      ["canceled", "red", "green"],
      ["created", "pending", "pending"],
      ["waiting_for_resource", "pending", "pending"],
      ["waiting_for_callback", "pending", "pending"],
      ["preparing", "pending", "pending"],
      ["pending", "pending", "pending"],
      ["running", "pending", "pending"],
      ["canceling", "pending", "pending"],
      ["scheduled", "pending", "pending"],
      ["manual", "pending", "none"],
    ];
    for (const [word, verdict, mayFail] of words) {
      it(`a job that is ${word} as ${verdict}, and as ${mayFail} if it may fail`, async () => {
        const state = await job("test", word);
        assert.equal((await ciState()).verdict, verdict);
        state.allowFailure = true;
        assert.equal((await ciState()).verdict, mayFail);
      });
    }

    it("a word that deliverd does not know as pending, and shows it", async () => {
      await job("test", "dreaming" as Job["status"]);
      const { verdict, because } = await ciState();
      assert.equal(verdict, "pending");
      assert.match(because, /dreaming/);
    });

    it("a job that was never reached as failed: it was skipped after a failure", async () => {
      await job("build", "failed");
      await job("test", "skipped");
      assert.equal((await ciState({ required: ["test"] })).verdict, "red");
      await job("build", "success");
      assert.equal((await ciState({ required: ["test"] })).verdict, "green");
    });

    it("a skipped job as passed although our own report failed", async () => {
      await job("test", "skipped");
      await host.report(commit(), report("failure"));
      assert.equal((await ciState()).verdict, "green");
    });

    it("of a job that was retried the newest, also for versions that do not name pipelines", async () => {
      for (const tells of [true, false]) {
        gitlab.backend.tellsPipeline = tells;
        await job("test", "failed");
        assert.equal((await ciState()).verdict, "red");
        await job("test", "success");
        assert.equal((await ciState()).verdict, "green");
      }
    });

    it("every pipeline of the sha: one for a merge request hides no failure on the branch", async () => {
      const branch = gitlab.startPipeline(sample.repo, sha);
      const ref = "refs/merge-requests/1/head";
      const merge = gitlab.startPipeline(sample.repo, sha, { ref, source: "merge_request_event" });
      await job("test", "failed", { pipeline: branch });
      await job("test", "success", { pipeline: merge });
      assert.equal((await ciState()).verdict, "red");
    });

    it("a new pipeline of the same ref instead of the one before", async () => {
      await job("test", "failed", { pipeline: gitlab.startPipeline(sample.repo, sha) });
      await job("test", "success", { pipeline: gitlab.startPipeline(sample.repo, sha, { source: "web" }) });
      assert.equal((await ciState()).verdict, "green");
    });

    it("nothing of a pipeline at another sha, as those of merged results are", async () => {
      await gitlab.setJob(sample.repo, "5".repeat(40), "test", "success");
      assert.equal((await ciState()).verdict, "none");
    });

    it("a pipeline without jobs: failed if it could not start, pending if it has none yet, nothing if it was skipped", async () => {
      for (const tells of [true, false]) {
        gitlab.backend.tellsPipeline = tells;
        const pipeline = gitlab.startPipeline(sample.repo, sha, { status: "created" });
        assert.equal((await ciState()).verdict, "pending");
        pipeline.status = "failed";
        const { verdict, because } = await ciState();
        assert.deepEqual([verdict, /pipeline/.test(because)], ["red", true]);
        pipeline.status = "skipped";
        assert.equal((await ciState()).verdict, "none");
      }
    });

    it("no pipeline's own state: a report of ours that runs does not hold the commit up", async () => {
      await job("test", "success");
      await host.report(commit(), report("pending"));
      assert.deepEqual(statesOf(), ["running"]);
      assert.equal((await ciState()).verdict, "green");
    });

    it("with ci.apps only jobs of runners, even where a posted status hides one", async () => {
      const pipeline = gitlab.startPipeline(sample.repo, sha);
      await job("test", "failed", { pipeline });
      await post({ name: "test", state: "success", pipeline_id: pipeline.id });
      assert.equal((await ciState()).verdict, "green");
      assert.equal((await ciState({ apps: ["gitlab-ci"] })).verdict, "red");
      assert.equal((await ciState({ apps: ["somebody-else"] })).verdict, "none");
    });

    it("is not concluded if the token may not read it", async () => {
      gitlab.fail({ status: 403, times: 10, message: "403 Forbidden" });
      await rejects(ciState(), TransientError, "gitlab-ci-unreadable");
      gitlab.forgetFaults();
      gitlab.fail({ status: 404, times: 10, message: "404 Project Not Found" });
      await rejects(ciState(), TransientError, "gitlab-ci-unreadable");
    });
  });

  async function post(body: Record<string, unknown>): Promise<Response> {
    return fetch(`${gitlab.url}/api/v4/projects/${sample.repo.id}/statuses/${sha}`, {
      method: "POST",
      headers: { "private-token": gitlab.token, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  }

  describe("gets reports", () => {
    it("in the newest pipeline of the commit, and a run is finished where it began", async () => {
      const pipeline = gitlab.startPipeline(sample.repo, sha);
      await host.report(commit(), report("pending"));
      gitlab.startPipeline(sample.repo, sha, { ref: "refs/merge-requests/1/head" });
      await host.report(commit(), report("success"));
      assert.deepEqual(
        pipeline.jobs.map(({ name, status }) => [name, status]),
        [["deliverd/api", "success"]],
      );
      assert.deepEqual(statesOf(), ["success"]);
    });

    it("the same from a process that did not begin it, also where GitLab does not name pipelines", async () => {
      for (const tells of [true, false]) {
        gitlab.backend.tellsPipeline = tells;
        const pipeline = gitlab.startPipeline(sample.repo, sha);
        await opened().report(commit(), report("pending"));
        gitlab.startPipeline(sample.repo, sha, { ref: "refs/merge-requests/1/head" });
        await opened().report(commit(), report("success"));
        assert.deepEqual(
          pipeline.jobs.map(({ status }) => status),
          ["success"],
        );
        sha = await sample.commit({ other: String(tells) });
        await sample.push();
      }
    });

    it("without a word while the commit waits, so that no pipeline runs for days", async () => {
      await host.report(commit(), { ...report("pending"), details: details("waiting") });
      assert.deepEqual([statesOf(), gitlab.requests], [[], []]);
      await host.report(commit(), { ...report("pending"), details: details("building") });
      assert.deepEqual(statesOf(), ["running"]);
    });

    it("once: the same report again adds no job, with or without what was said before", async () => {
      await host.report(commit(), report("success"));
      await host.report(commit(), report("success"), { last: null, isRepeat: true });
      await opened().report(commit(), report("success"));
      assert.deepEqual(statesOf(), ["success"]);
    });

    it("again after a retry, as a new job", async () => {
      for (const state of ["failure", "pending", "success"] as const) await host.report(commit(), report(state));
      assert.deepEqual(statesOf(), ["failed", "success"]);
    });

    it("once if its answer was lost", async () => {
      gitlab.fail({ status: "cut", times: 1, method: "POST", isDone: true });
      await rejects(host.report(commit(), report("success")), TransientError, "gitlab-unavailable");
      await host.report(commit(), report("success"), { last: null, isRepeat: true });
      assert.deepEqual(statesOf(), ["success"]);
    });

    it("as done if the job has the state already", async () => {
      gitlab.fail({
        status: 400,
        times: 1,
        method: "POST",
        message: 'Cannot transition status via :run from :running (Reason(s): Status cannot transition via "run")',
      });
      await host.report(commit(), report("pending"));
    });

    it("one at a time for a commit: GitLab refuses two at once", async () => {
      const contexts = ["deliverd/a", "deliverd/b", "deliverd/c", "deliverd/d"];
      await Promise.all(contexts.map((context) => host.report(commit(), { ...report("success"), context })));
      assert.deepEqual(contexts.flatMap(statesOf), ["success", "success", "success", "success"]);
      assert.equal(gitlab.pipelinesOf(sample.repo, sha).length, 1);
    });

    it("later, if another program posts at this moment", async () => {
      gitlab.fail({
        status: 409,
        times: 1,
        method: "POST",
        message: "Another update to this commit status is in progress",
      });
      const error = await rejects(host.report(commit(), report("success")), TransientError, "gitlab-status-busy");
      assert.equal((error as TransientError).retryAfter, 2_000);
    });

    it("of a commit that only a tag holds, by the name of the tag", async () => {
      await sample.git("checkout", "--quiet", "--detach");
      sha = await sample.commit({ only: "tagged" });
      await sample.tag(`v0.0.${count}`);
      await sample.push(`v0.0.${count}`);
      await sample.checkout("main");
      await host.report(commit(), report("success"));
      assert.deepEqual(
        gitlab.pipelinesOf(sample.repo, sha).map(({ ref }) => ref),
        [`v0.0.${count}`],
      );
    });

    it("by the ref, if the pipeline is gone meanwhile", async () => {
      gitlab.startPipeline(sample.repo, sha);
      gitlab.fail({
        status: 404,
        times: 1,
        method: "POST",
        message: "404 Pipeline for pipeline_id, sha and ref Not Found",
      });
      await host.report(commit(), report("success"));
      assert.deepEqual(statesOf(), ["success"]);
    });

    it("never, if it does not accept them", async () => {
      gitlab.fail({ status: 422, times: 1, method: "POST", message: "The number of jobs has exceeded the limit" });
      await rejects(host.report(commit(), report("success")), Refused, "gitlab-status-refused");
      gitlab.fail({ status: 403, times: 1, method: "POST", message: "403 Forbidden" });
      const error = await rejects(host.report(commit(), report("success")), Refused, "gitlab-status-forbidden");
      assert.match((error as Error).message, /Developer/);
    });

    it("with one short line, and without an address that is too long", async () => {
      const targetUrl = `https://deliverd.example.com/${"x".repeat(255)}`;
      await host.report(commit(), { ...report("success"), description: `${"y".repeat(300)}\nz`, targetUrl });
      const [own] = gitlab.jobsOf(sample.repo, sha, "deliverd/api");
      assert.deepEqual([own?.description?.length, own?.targetUrl], [140, null]);
    });

    it("in four calls for one delivery", async () => {
      await job("test", "success");
      gitlab.requests.splice(0);
      await host.report(commit(), { ...report("pending"), details: details("waiting") });
      await host.report(commit(), { ...report("pending"), details: details("building") });
      await host.report(commit(), { ...report("pending"), details: details("publishing") });
      await host.report(commit(), report("success"));
      assert.equal(gitlab.requests.length, 4);
    });
  });

  describe("shows", () => {
    it("the projects of a group and its subgroups over all pages, and those of a user", async () => {
      await Promise.all(
        Array.from({ length: 101 }, (_, at) => gitlab.createRepo({ owner: "many/sub", name: `p${at}` })),
      );
      await gitlab.createRepo({ owner: "many", name: "top" });
      gitlab.addUser("ada");
      await gitlab.createRepo({ owner: "ada", name: "own" });
      const found = await host.listRepos("many");
      assert.deepEqual([found.length, new Set(found.map(({ owner }) => owner))], [102, new Set(["many", "many/sub"])]);
      assert.deepEqual(
        (await host.listRepos("ada")).map(({ name }) => name),
        ["own"],
      );
    });

    it("a project by its id and by a former path", async () => {
      const project = await gitlab.createRepo({ owner: "acme", name: "before" });
      gitlab.rename({ owner: "acme", name: "before" }, "now");
      assert.equal((await host.findRepoById?.(String(project.id)))?.name, "now");
      assert.equal((await host.findRepo("acme", "before"))?.name, "now");
      assert.equal(await host.findRepoById?.("999999"), null);
    });

    it("nothing usable, if an answer has another form", async () => {
      gitlab.fail({ status: 200, times: 1 });
      await rejects(host.findRepo("acme/platform", "api"), TransientError, "gitlab-answer-unusable");
    });
  });

  it("is cloned with the token in a header, from a URL with the whole path", async () => {
    assert.deepEqual(await host.cloneSource(repo()), {
      url: `${gitlab.cloneUrl}/acme/platform/api.git`,
      authorization: `Basic ${Buffer.from(`oauth2:${gitlab.token}`).toString("base64")}`,
    });
    assert.equal((await opened({ token: null }).cloneSource(repo())).authorization, null);
  });

  describe("limits requests", () => {
    afterEach(() => {
      gitlab.rateLimit = null;
    });

    it("and says what is left, and how long to wait", async () => {
      gitlab.rateLimit = { limit: 2, used: 0 };
      await host.findRepo("acme/platform", "api");
      assert.equal(host.budget()?.remaining, 1);
      await host.findRepo("acme/platform", "api");
      const error = await rejects(host.findRepo("acme/platform", "api"), TransientError, "gitlab-rate-limited");
      assert.equal((error as TransientError).retryAfter, 42_000);
    });

    it("by its other headers, where it has no Retry-After", async () => {
      const date = "Thu, 01 Jan 2026 00:00:00 GMT";
      const resets: Record<string, string>[] = [
        { "ratelimit-reset": String(Date.parse(date) / 1000 + 600) },
        { "ratelimit-resettime": "Thu, 01 Jan 2026 00:10:01 GMT" },
      ];
      for (const reset of resets) {
        gitlab.fail({ status: 429, times: 1, headers: { date, "ratelimit-remaining": "0", ...reset } });
        const error = await rejects(host.findRepo("acme/platform", "api"), TransientError, "gitlab-rate-limited");
        assert.equal((error as TransientError).retryAfter, 601_000);
      }
    });

    it("without headers: then nothing is known", async () => {
      await host.findRepo("acme/platform", "api");
      assert.equal(host.budget(), null);
    });
  });

  it("refuses a token that has expired, and deliverd says where to set another", async () => {
    const error = await rejects(
      opened({ token: "glpat-expired" }).findRepo("acme/platform", "api"),
      TransientError,
      "gitlab-token-refused",
    );
    assert.match((error as Error).message, /hosts\.gitlab\.token/);
  });

  it("takes no token that cannot be a header", () => {
    assert.throws(
      () => opened({ token: "two words" }),
      (error) => error instanceof ConfigError && error.code === "gitlab-token-invalid",
    );
  });

  describe("registers webhooks", () => {
    const address = { url: "https://d.example.com/webhooks/gitlab", others: ["https://d.example.com/webhooks/github"] };
    const webhooks = (more: Partial<GitLabHostOptions> = {}) => opened(more).webhooks ?? assert.fail();
    const project = () => ({ ...repo(), hostId: String(sample.repo.id) });
    const signingToken = `whsec_${Buffer.alloc(32, 1).toString("base64")}`;
    afterEach(() => {
      gitlab.hooksOf(sample.repo).splice(0);
      gitlab.backend.mayManageHooks = true;
    });

    for (const [what, webhookSecret] of [
      ["a secret token", "s3cret"],
      ["a signing token", signingToken],
    ] as const) {
      it(`with ${what} and all events, and finds nothing wrong with it`, async () => {
        const own = webhooks({ webhookSecret });
        assert.deepEqual(await own.check(project(), address), { kind: "missing", unseen: null });
        assert.deepEqual(await own.add(project(), address), { kind: "added", url: address.url });
        const [hook] = gitlab.hooksOf(sample.repo);
        assert.equal(webhookSecret === signingToken ? hook?.signingToken : hook?.token, webhookSecret);
        const state = await own.check(project(), address);
        assert.deepEqual(state.kind === "registered" && [state.webhook.on, state.webhook.faults], ["repo", []]);
        assert.deepEqual(await own.add(project(), address), { kind: "renewed", url: address.url });
        assert.deepEqual(await own.remove(project(), address), [address.url]);
        assert.deepEqual(gitlab.hooksOf(sample.repo), []);
      });
    }

    it("and repairs what is wrong: events, TLS, branches, template, a double; others stay", async () => {
      const wrong = { events: new Set(["push_events"]), verifiesTls: false, branchFilter: "main", template: "{}" };
      gitlab.addHook(sample.repo, address.url, wrong);
      gitlab.addHook(sample.repo, "https://d.example.com/webhook");
      gitlab.addHook(sample.repo, "https://chat.example.com/hook");
      const state = await webhooks().check(project(), address);
      assert.equal(state.kind === "registered" && state.webhook.faults.length, 6);
      const change = await webhooks().add(project(), address);
      assert.equal(change.kind, "repaired");
      const urls = gitlab.hooksOf(sample.repo).map(({ url }) => url);
      assert.deepEqual(urls, [address.url, "https://chat.example.com/hook"]);
      assert.deepEqual((await webhooks().add(project(), address)).kind, "renewed");
    });

    it("and switches one on again that GitLab has switched off", async () => {
      const answers = [500, 500, 500, 500, 202];
      const { createServer } = await import("node:http");
      const server = createServer((_request, response) => response.writeHead(answers.shift() ?? 202).end("no room"));
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      try {
        const port = (server.address() as { port: number }).port;
        const here = { url: `http://127.0.0.1:${port}/webhooks/gitlab`, others: [] };
        const hook = gitlab.addHook(sample.repo, here.url, { token: "s3cret" });
        for (let i = 0; i < 4; i++) await job("test", "running");
        assert.equal(hook.alertStatus, "temporarily_disabled");
        const state = await webhooks().check(project(), here);
        assert.ok(state.kind === "registered" && /switched it off/.test(state.webhook.faults.join()));
        assert.deepEqual(state.deliveries[0], {
          ...state.deliveries[0],
          status: 500,
          failure: "no room",
          duration: 250,
        });
        assert.equal((await webhooks().add(project(), here)).kind, "repaired");
        assert.equal(hook.alertStatus, "executable");
      } finally {
        server.close();
        server.closeAllConnections();
      }
    });

    it("unless a group above has one", async () => {
      gitlab.addGroupHook("acme", address.url, { token: "s3cret" });
      assert.deepEqual(await webhooks().add(project(), address), { kind: "covered", url: address.url });
      const state = await webhooks().check(project(), address);
      assert.equal(state.kind === "registered" && state.webhook.on, "owner");
    });

    it("only with the right to", async () => {
      gitlab.backend.mayManageHooks = false;
      assert.equal((await webhooks().check(project(), address)).kind, "hidden");
      await rejects(webhooks().add(project(), address), Refused, "gitlab-webhooks-forbidden");
      await rejects(webhooks({ token: null }).remove(project(), address), Refused, "gitlab-webhooks-forbidden");
      gitlab.backend.mayManageHooks = true;
      gitlab.fail({ status: 422, times: 1, method: "POST", message: "url is blocked" });
      const elsewhere = { url: "https://private.example.com/webhooks/gitlab", others: [] };
      await rejects(webhooks().add(project(), elsewhere), Refused, "gitlab-webhook-refused");
    });
  });
});

function report(state: Report["state"]): Report {
  const targetUrl = "https://deliverd.example.com/deliveries/d";
  return { context: "deliverd/api", state, description: `it is ${state}`, targetUrl };
}

function details(stage: NonNullable<Report["details"]>["stage"]): NonNullable<Report["details"]> {
  return { deliveryId: "d", stage, summary: "", annotations: [], actions: [], startedAt: null, finishedAt: null };
}
