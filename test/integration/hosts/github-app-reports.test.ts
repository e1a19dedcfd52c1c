import assert from "node:assert/strict";
import { Refused, TransientError } from "../../../src/delivery/errors.ts";
import type { DeliveryState } from "../../../src/delivery/types.ts";
import { githubHost } from "../../../src/hosts/github/host.ts";
import type { Host, Report, ReportDetails, ReportHistory } from "../../../src/hosts/host.ts";
import { type SampleRepo, sampleRepo } from "../../support/fixtures/sample-repo.ts";
import { testKeys } from "../../support/hosts/github/app.ts";
import { type GitHubStandIn, startGitHub } from "../../support/hosts/github/github.ts";

const FIRST: ReportHistory = { last: null, isRepeat: false };
const following = (last: Report): ReportHistory => ({ last, isRepeat: false });
const again = (last: Report | null): ReportHistory => ({ last, isRepeat: true });
const NOW = Date.UTC(2026, 0, 1);

const details = (stage: DeliveryState, more: Partial<ReportDetails> = {}): ReportDetails => ({
  ...{ deliveryId: "d1", stage, summary: "**said**", annotations: [], actions: [] },
  ...{ startedAt: NOW, finishedAt: null },
  ...more,
});
const report = (
  state: Report["state"],
  stage: DeliveryState,
  description: string,
  more: Partial<ReportDetails> = {},
): Report => ({
  ...{ context: "deliverd/api", state, description, targetUrl: "https://d.example.com/deliveries/d1" },
  details: details(stage, more),
});
const lines = (count: number) =>
  Array.from({ length: count }, (_, at) => ({ path: ".deliverd.yml", line: at + 1, message: `problem ${at}` }));

const waiting = report("pending", "waiting", "waiting for check test");
const building = report("pending", "building", "building api");
const released = report("success", "delivered", "1.2.3 released to local", { finishedAt: NOW + 5_000 });
const failed = report("failure", "failed", "the build failed", { actions: ["retry"] });

describe("A report of deliverd as a GitHub App", () => {
  let github: GitHubStandIn;
  let repo: SampleRepo;
  let host: Host;
  let sha: string;

  before(async () => {
    github = await startGitHub();
    repo = await sampleRepo(github, { owner: "acme", name: "api" });
    github.createApp();
    github.installApp("acme");
  });
  after(async () => {
    await repo.remove();
    await github.close();
    assert.deepEqual(github.violations, []);
  });
  beforeEach(async () => {
    host = open();
    sha = await repo.commit({ count: String(github.requests.length) });
    await repo.push();
  });

  /** A deliverd that has just begun. */
  function open(): Host {
    const { apiUrl, cloneUrl, apps } = github;
    const app = { id: apps.app?.id ?? 0, privateKey: testKeys.pkcs1 };
    return githubHost({ key: "gh", apiUrl, cloneUrl, webhookSecret: "s", token: null, retryBase: 1, app });
  }
  const commit = () => {
    const { id, owner, name } = repo.repo;
    return { repo: { id: `gh:${id}`, host: "gh", owner, name, defaultBranch: "main" }, sha };
  };
  const send = (one: Report, history?: ReportHistory, by = host) => by.report(commit(), one, history);
  const runs = () => github.checkRunsOf(repo.repo, sha, "deliverd/api");
  const shown = () => runs().map(({ status, conclusion }) => conclusion ?? status);
  const messages = () =>
    runs()
      .at(-1)
      ?.shown?.annotations.map(({ message }) => message) ?? [];
  const callsOf = async (work: () => Promise<unknown>) => {
    const before = github.requests.length;
    await work();
    return github.requests
      .slice(before)
      .filter(({ as }) => as === "installation")
      .map(({ method }) => method);
  };

  it("becomes one check run, from queued to completed, a request for each", async () => {
    const calls = await callsOf(async () => {
      await send(waiting, FIRST);
      await send(building, following(waiting));
      await send(released, following(building));
    });
    assert.deepEqual(calls, ["POST", "PATCH", "PATCH"]);
    const [run] = runs();
    assert.deepEqual(run?.shown?.updates, [
      "queued | Waiting for check test",
      "in_progress | Building api",
      "completed | success | 1.2.3 released to local",
    ]);
    assert.deepEqual([run?.startedAt, run?.completedAt], ["2026-01-01T00:00:00Z", "2026-01-01T00:00:05Z"]);
    assert.deepEqual(
      [run?.shown?.externalId, run?.shown?.detailsUrl, run?.shown?.summary],
      ["d1/deliverd/api", "https://d.example.com/deliveries/d1", "**said**"],
    );
  });

  const ends: [Report["state"], DeliveryState, conclusion: string, title: string][] = [
    ["success", "delivered", "success", "Because"],
    ["failure", "failed", "failure", "Because"],
    ["failure", "waiting", "failure", "Because"],
    ["error", "cancelled", "cancelled", "Cancelled: because"],
    ["error", "superseded", "neutral", "Superseded: because"],
    ["error", "ignored", "neutral", "Because"],
    ["error", "failed", "failure", "Failed: because"],
  ];
  for (const [state, stage, conclusion, title] of ends) {
    it(`of ${state} in the stage ${stage} is the conclusion ${conclusion}`, async () => {
      await send(report(state, stage, "because"), FIRST);
      assert.deepEqual(shown(), [conclusion]);
      assert.equal(runs()[0]?.shown?.title, title);
    });
  }

  it("names the stage in the title, where the text does not begin with it", async () => {
    await send(report("pending", "queued", "required check test passed; waiting for a worker"), FIRST);
    assert.equal(runs()[0]?.shown?.title, "Queued: required check test passed; waiting for a worker");
  });

  it("begins a new check run of the same name where the earlier one has ended", async () => {
    await send(failed, FIRST);
    await send(building, following(failed));
    await send(released, following(building));
    assert.deepEqual(shown(), ["failure", "success"]);
    assert.deepEqual(
      runs()[0]?.shown?.actions.map(({ identifier, label }) => [identifier, label]),
      [["retry", "Retry"]],
    );
    assert.deepEqual(runs()[1]?.shown?.actions, []);
  });

  it("finds its check run again after a restart, whatever it was doing", async () => {
    await send(waiting, FIRST);
    await send(building, following(waiting), open());
    await send(released, following(building), open());
    await send(released, again(released), open());
    assert.deepEqual(shown(), ["success"]);
  });

  it("leaves a check run alone that another server has made in the name of the App", async () => {
    await send({ ...waiting, details: details("waiting", { deliveryId: "of-another" }) }, FIRST);
    await send(building, again(null), open());
    assert.deepEqual(shown(), ["queued", "in_progress"]);
  });

  it("makes no second check run where the answer to the first request was lost", async () => {
    for (const status of ["cut", 502] as const) {
      sha = await repo.commit({ lost: String(status) });
      await repo.push();
      github.fail({ method: "POST", path: "check-runs", status, isDone: true, times: 1 });
      await assert.rejects(send(waiting, FIRST), TransientError);
      await send(waiting, again(null));
      assert.deepEqual(shown(), ["queued"]);
    }
  });

  it("of more than 50 annotations adds them all, in their order", async () => {
    await send(building, FIRST);
    const many = report("failure", "failed", "bad", { annotations: lines(120) });
    const calls = await callsOf(() => send(many, following(building)));
    assert.deepEqual(calls, ["PATCH", "PATCH", "PATCH"]);
    assert.deepEqual(
      messages(),
      lines(120).map(({ message }) => message),
    );
    await send(many, again(many), open());
    assert.equal(messages().length, 120, "the same report again adds none");
  });

  it("goes on where a crash has left the annotations", async () => {
    const many = report("failure", "failed", "bad", { annotations: lines(120) });
    for (const isDone of [false, true]) {
      for (const lost of ["POST", "PATCH"]) {
        sha = await repo.commit({ crash: `${isDone} ${lost}` });
        await repo.push();
        github.fail({ method: lost, path: "check-runs", status: "cut", isDone, times: 1 });
        await assert.rejects(send(many, FIRST), TransientError);
        await send(many, again(null), open());
        assert.deepEqual(
          messages(),
          lines(120).map(({ message }) => message),
          `${lost} ${isDone}`,
        );
        assert.deepEqual(shown(), ["failure"]);
      }
    }
  });

  it("with other annotations is a new check run: GitHub removes none", async () => {
    const one = report("failure", "failed", "bad", { annotations: lines(2) });
    const other = report("failure", "failed", "bad", { annotations: lines(3) });
    await send(one, FIRST);
    await send(other, following(one));
    assert.deepEqual(shown(), ["failure", "failure"]);
    assert.equal(messages().length, 3);
  });

  it("that is repeated while it waits renews the check run", async () => {
    await send(waiting, FIRST);
    await send(waiting, again(waiting), open());
    assert.deepEqual(
      runs().map((run) => run.shown?.updates.length),
      [2],
    );
  });

  it("begins a new check run where GitHub has given the earlier one up", async () => {
    await send(waiting, FIRST);
    const [run] = runs();
    Object.assign(run ?? {}, { status: "completed", conclusion: "timed_out" });
    await send(waiting, again(waiting), open());
    assert.deepEqual(shown(), ["timed_out", "queued"]);
  });

  it("makes a new check run where GitHub has deleted the one that it knew", async () => {
    await send(waiting, FIRST);
    const { runs: all } = github.checksOf(repo.repo, sha);
    all.splice(0);
    await send(building, following(waiting));
    assert.deepEqual(shown(), ["in_progress"]);
  });

  it("is refused in words where the App may not write checks, or GitHub does not take it", async () => {
    const installation = github.apps.installations[0];
    assert.ok(installation);
    installation.permissions.checks = "read";
    await assert.rejects(send(waiting, FIRST, open()), (error) => {
      assert.ok(error instanceof Refused && error.code === "github-check-forbidden");
      return /Checks: read and write/.test(error.message) && /deliverd\/api/.test(error.message);
    });
    installation.permissions.checks = "write";
    const unknown = { ...commit(), sha: "5".repeat(40) };
    await assert.rejects(
      open().report(unknown, waiting, FIRST),
      (error) =>
        error instanceof Refused && error.code === "github-check-refused" && /No commit found/.test(error.message),
    );
  });

  it("is no CI: neither as the App's own run nor as that of another deliverd", async () => {
    const gate = { ci: "required" as const, required: [], apps: null, settle: 0, timeout: 3_600_000 };
    const verdict = async () => (await host.ciState(commit(), gate, [], Date.now())).verdict;
    await send(failed, FIRST);
    assert.equal(await verdict(), "none");
    const other = { id: 4711, slug: "another-deliverd" };
    github.setCheckRun(repo.repo, sha, { name: "deliverd/api", conclusion: "failure", app: other });
    assert.equal(await verdict(), "none");
    github.setCheckRun(repo.repo, sha, { name: "test", conclusion: "success" });
    assert.equal(await verdict(), "green");
    // A suite in which a run is under way would be waited for.
    await send(building, following(failed));
    assert.equal(await verdict(), "green");
    github.setCheckRun(repo.repo, sha, { name: "deliverd/api", status: "in_progress", app: other });
    assert.equal(await verdict(), "green");
  });

  it("asks GitHub whether a person may write to the repo", async () => {
    github.setPermission(repo.repo, "Sam", "write");
    github.setPermission(repo.repo, "ada", "admin");
    github.setPermission(repo.repo, "guest", "read");
    const mayWrite = (person: string) => host.mayWrite?.(commit().repo, person);
    assert.deepEqual(
      [await mayWrite("sam"), await mayWrite("ada"), await mayWrite("guest"), await mayWrite("nobody[bot]")],
      [true, true, false, false],
    );
    github.fail({ path: "/collaborators/", status: 403, message: "Resource not accessible by integration" });
    await assert.rejects(
      async () => mayWrite("sam"),
      (error) => error instanceof Refused && error.code === "github-rights-hidden",
    );
  });
});
