import assert from "node:assert/strict";
import type { CommitRef, Gate } from "../../../src/delivery/types.ts";
import { githubHost } from "../../../src/hosts/github/host.ts";
import { json, type ScriptedServer, startScriptedServer } from "../../support/network/scripted-server.ts";

/** What GitHub answers of one commit. Each table row has the shape of a public report; the data are our own. */
interface World {
  runs: object[];
  suites: object[];
  statuses: object[];
  /** Of the branch; null: GitHub shows none. */
  rules: object[] | null;
}

const NOW = Date.UTC(2026, 0, 1, 12);
const ago = (seconds: number) => new Date(NOW - seconds * 1_000).toISOString();
const ACTIONS = { id: 15368, slug: "github-actions" };
const SCANNER = { id: 77, slug: "scanner" };
const CURSOR = { id: 1210, slug: "cursor" };
const ENDED = ["success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required", "stale"];
const isEnd = (word: string | null) => word === null || [...ENDED, "startup_failure", "paused_by_moon"].includes(word);

let lastId = 100;
const run = (name: string, word: string | null, more: object = {}) => ({
  id: ++lastId,
  name,
  status: isEnd(word) ? "completed" : word,
  conclusion: isEnd(word) ? word : null,
  started_at: ago(600),
  completed_at: isEnd(word) ? ago(300) : null,
  app: ACTIONS,
  check_suite: { id: 1 },
  ...more,
});
const suite = (id: number, word: string | null, runs: number, more: object = {}) => ({
  id,
  head_branch: "main",
  status: isEnd(word) ? "completed" : word,
  conclusion: isEnd(word) ? word : null,
  app: ACTIONS,
  latest_check_runs_count: runs,
  created_at: ago(700),
  updated_at: ago(600),
  ...more,
});
const status = (context: string, state: string, creator: object = { type: "User", login: "sam" }) => ({
  id: ++lastId,
  context,
  state,
  updated_at: ago(300),
  creator,
});
const bot = (login: string, avatar = "https://avatars.example.com/u/9") => ({
  type: "Bot",
  login: `${login}[bot]`,
  avatar_url: avatar,
});
const lint = run("lint", "success", { app: SCANNER, check_suite: { id: 50 } });
const lintSuite = suite(50, "success", 1, { app: SCANNER });
const inSuite = (id: number) => ({ check_suite: { id } });
const release = { head_branch: "release/1" };
const checksRule = (...checks: object[]) => ({
  type: "required_status_checks",
  parameters: { required_status_checks: checks, strict_required_status_checks_policy: false },
});
const workflowsRule = (path: string) => ({
  type: "workflows",
  parameters: { workflows: [{ path, repository_id: 1, ref: "refs/heads/main" }] },
});

type Row = [title: string, world: Partial<World>, verdict: string, because: RegExp];

const tables: Record<string, Row[]> = {
  "a suite without runs": [
    [
      "of Actions that is queued beside another app's green check",
      { runs: [lint], suites: [lintSuite, suite(1, "queued", 0)] },
      "pending",
      /suite of github-actions \(queued\)/,
    ],
    [
      "of Actions whose workflow waits for its turn in a concurrency group",
      { runs: [run("lint", "success")], suites: [suite(1, "success", 1), suite(2, "pending", 0)] },
      "pending",
      /suite of github-actions \(pending\)/,
    ],
    [
      "of Actions that has only been requested",
      { runs: [lint], suites: [lintSuite, suite(1, "requested", 0)] },
      "pending",
      /requested/,
    ],
    [
      "of Actions that waits for an approval",
      { runs: [lint], suites: [lintSuite, suite(1, "waiting", 0)] },
      "pending",
      /waiting/,
    ],
    [
      "of an app that is installed and never runs",
      { runs: [lint], suites: [lintSuite, suite(3, "queued", 0, { app: CURSOR })] },
      "green",
      /lint passed/,
    ],
    [
      "of such an app that GitHub has marked stale",
      { runs: [lint], suites: [lintSuite, suite(3, "stale", 0, { app: CURSOR })] },
      "green",
      /lint passed/,
    ],
    [
      "of another app that has begun",
      { runs: [run("test", "success")], suites: [suite(1, "success", 1), suite(3, "in_progress", 0, { app: CURSOR })] },
      "pending",
      /suite of cursor \(in_progress\)/,
    ],
    [
      "of an idle app alone, where nothing was reported",
      { suites: [suite(3, "queued", 0, { app: CURSOR })] },
      "none",
      /no check has been reported/,
    ],
    ["of Actions alone", { suites: [suite(1, "queued", 0)] }, "pending", /suite of github-actions/],
    [
      "whose workflow file is not valid",
      { runs: [lint], suites: [lintSuite, suite(1, "failure", 0)] },
      "red",
      /suite of github-actions \(failure\) failed/,
    ],
    [
      "that could not start",
      { runs: [lint], suites: [lintSuite, suite(1, "startup_failure", 0)] },
      "red",
      /startup_failure/,
    ],
    [
      "that is held for a maintainer's approval",
      { runs: [lint], suites: [lintSuite, suite(1, "action_required", 0)] },
      "red",
      /action_required/,
    ],
    [
      "that ran out of time before a job began",
      { runs: [lint], suites: [lintSuite, suite(1, "timed_out", 0)] },
      "red",
      /timed_out/,
    ],
    [
      "that was cancelled before a job began",
      { runs: [lint], suites: [lintSuite, suite(1, "cancelled", 0)] },
      "red",
      /suite of github-actions \(cancelled\) failed/,
    ],
    [
      "that was cancelled so, beside one of another workflow of the same push that passed",
      { runs: [run("docs", "success", inSuite(2))], suites: [suite(1, "cancelled", 0), suite(2, "success", 1)] },
      "red",
      /cancelled/,
    ],
    [
      "that was cancelled so, where the second branch's push ran all workflows of the first",
      {
        runs: [
          run("docs", "success", inSuite(2)),
          run("docs", "success", inSuite(4)),
          run("test", "success", inSuite(3)),
        ],
        suites: [
          suite(1, "cancelled", 0),
          suite(2, "success", 1),
          suite(3, "success", 1, release),
          suite(4, "success", 1, release),
        ],
      },
      "green",
      /docs and test passed/,
    ],
    [
      "that was cancelled so, where the second branch's push ran fewer workflows",
      {
        runs: [run("docs", "success", inSuite(2)), run("docs", "success", inSuite(4))],
        suites: [suite(1, "cancelled", 0), suite(2, "success", 1), suite(4, "success", 1, release)],
      },
      "red",
      /cancelled/,
    ],
    [
      "that was cancelled so on both branches, beside another workflow that passed on both",
      {
        runs: [run("docs", "success", inSuite(2)), run("docs", "success", inSuite(4))],
        suites: [
          suite(1, "cancelled", 0),
          suite(2, "success", 1),
          suite(3, "cancelled", 0, release),
          suite(4, "success", 1, release),
        ],
      },
      "red",
      /suite of github-actions \(cancelled\) failed/,
    ],
    [
      "that was cancelled so, while the workflow that came later is queued",
      {
        runs: [run("docs", "success", inSuite(3))],
        suites: [suite(1, "cancelled", 0), suite(3, "success", 1), suite(2, "queued", 0, release)],
      },
      "pending",
      /suite of github-actions \(queued\)/,
    ],
    [
      "hidden behind a newer one of its app that is only queued",
      {
        runs: [lint],
        suites: [lintSuite, suite(1, "startup_failure", 0), suite(2, "queued", 0, { updated_at: ago(1) })],
      },
      "red",
      /startup_failure/,
    ],
    [
      "that has been queued for more than two days",
      { runs: [lint], suites: [lintSuite, suite(1, "queued", 0, { updated_at: ago(180_000) })] },
      "green",
      /lint passed/,
    ],
    [
      "that counts runs which the list of runs does not show yet",
      { runs: [lint], suites: [lintSuite, suite(3, "queued", 2, { app: CURSOR })] },
      "pending",
      /suite of cursor/,
    ],
    [
      "whose end has a word that nobody knows",
      { runs: [lint], suites: [lintSuite, suite(1, "paused_by_moon", 0)] },
      "pending",
      /'paused_by_moon', a word that deliverd does not know/,
    ],
  ],
  "a suite with runs": [
    [
      "whose later jobs have no run yet",
      { runs: [run("lint", "success")], suites: [suite(1, "in_progress", 1)] },
      "pending",
      /suite of github-actions \(in_progress\)/,
    ],
    [
      "of an app that leaves its suite queued beside a check that it skips",
      {
        runs: [run("test", "success"), run("merge rules", "skipped", { app: SCANNER, ...inSuite(50) })],
        suites: [suite(1, "success", 1), suite(50, "queued", 1, { app: SCANNER })],
      },
      "green",
      /merge rules and test passed/,
    ],
    [
      "that has not moved for more than two days",
      { runs: [run("test", "success")], suites: [suite(1, "in_progress", 1, { updated_at: ago(180_000) })] },
      "green",
      /test passed/,
    ],
    [
      "whose own conclusion is older than its re-run",
      { runs: [run("test", "cancelled"), run("test", "success")], suites: [suite(1, "cancelled", 1)] },
      "green",
      /test passed/,
    ],
    [
      "whose re-run could not start",
      { runs: [run("test", "success")], suites: [suite(1, "startup_failure", 1)] },
      "red",
      /startup_failure/,
    ],
    [
      "whose status has a word that nobody knows",
      { runs: [run("test", "success")], suites: [suite(1, "dreaming", 1)] },
      "pending",
      /'dreaming', a word that deliverd does not know/,
    ],
  ],
  "a run that was cancelled": [
    [
      "because the same commit was pushed to a second branch, whose run passed",
      {
        runs: [run("test", "cancelled"), run("test", "success", inSuite(2))],
        suites: [suite(1, "cancelled", 1), suite(2, "success", 1, release)],
      },
      "green",
      /test passed/,
    ],
    [
      "because of the second branch, whose run is still queued",
      {
        runs: [run("test", "cancelled"), run("test", "queued", inSuite(2))],
        suites: [suite(1, "cancelled", 1), suite(2, "queued", 1, release)],
      },
      "pending",
      /waiting for check/,
    ],
    [
      "because of the second branch, whose workflow waits for its turn and has no run yet",
      { runs: [run("test", "cancelled")], suites: [suite(1, "cancelled", 1), suite(2, "pending", 0, release)] },
      "pending",
      /suite of github-actions \(pending\) and test/,
    ],
    [
      "beside another workflow's failure, while a third has no run yet",
      {
        runs: [run("test", "cancelled"), run("test", "failure", inSuite(2))],
        suites: [suite(1, "cancelled", 1), suite(2, "failure", 1), suite(3, "queued", 0)],
      },
      "red",
      /test failed/,
    ],
    [
      "because of the second branch, whose job is skipped there",
      {
        runs: [run("test", "cancelled"), run("test", "skipped", inSuite(2))],
        suites: [suite(1, "cancelled", 1), suite(2, "skipped", 1, release)],
      },
      "red",
      /test failed/,
    ],
    [
      "because of the second branch, whose run failed",
      {
        runs: [run("test", "cancelled"), run("test", "failure", inSuite(2))],
        suites: [suite(1, "cancelled", 1), suite(2, "failure", 1, release)],
      },
      "red",
      /test failed/,
    ],
    [
      "because of the second branch, where jobs that passed before are cancelled too",
      {
        runs: [
          run("lint", "success"),
          run("test", "cancelled"),
          run("lint", "success", inSuite(2)),
          run("test", "success", inSuite(2)),
        ],
        suites: [suite(1, "cancelled", 2), suite(2, "success", 2, release)],
      },
      "green",
      /lint and test passed/,
    ],
    [
      "on a second branch, though the first branch's run had passed",
      {
        runs: [run("test", "success"), run("test", "cancelled", inSuite(2))],
        suites: [suite(1, "success", 1), suite(2, "cancelled", 1, release)],
      },
      "green",
      /test passed/,
    ],
    [
      "by the twin that the pull request's event began afterwards on the same branch",
      {
        runs: [
          run("test", "cancelled", { completed_at: ago(500) }),
          run("test", "success", { ...inSuite(2), started_at: ago(499) }),
        ],
        suites: [suite(1, "cancelled", 1), suite(2, "success", 1)],
      },
      "green",
      /test passed/,
    ],
    [
      "while another workflow's job of that name ran beside it",
      {
        runs: [run("build", "cancelled", { completed_at: ago(100) }), run("build", "success", inSuite(2))],
        suites: [suite(1, "cancelled", 1), suite(2, "success", 1)],
      },
      "red",
      /build failed/,
    ],
    [
      "in a workflow of other jobs than the branch of the tag runs",
      {
        runs: [
          run("lint", "success"),
          run("build", "cancelled"),
          run("build", "success", inSuite(2)),
          run("publish", "success", inSuite(2)),
        ],
        suites: [suite(1, "cancelled", 2), suite(2, "success", 2, { head_branch: "v1.0.0" })],
      },
      "red",
      /build failed/,
    ],
    [
      "on both branches, each time beside another workflow's job of that name",
      {
        runs: [1, 2, 3, 4].map((id) => run("build", id % 2 === 1 ? "cancelled" : "success", inSuite(id))),
        suites: [
          suite(1, "cancelled", 1),
          suite(2, "success", 1),
          suite(3, "cancelled", 1, release),
          suite(4, "success", 1, release),
        ],
      },
      "red",
      /build failed/,
    ],
    [
      "by a person, with nothing after it",
      { runs: [run("test", "cancelled")], suites: [suite(1, "cancelled", 1)] },
      "red",
      /test failed/,
    ],
    [
      "on both branches",
      {
        runs: [run("test", "cancelled"), run("test", "cancelled", inSuite(2))],
        suites: [suite(1, "cancelled", 1), suite(2, "cancelled", 1, release)],
      },
      "red",
      /test failed/,
    ],
    [
      "where another app has a check of that name",
      {
        runs: [run("test", "cancelled"), run("test", "success", { app: SCANNER, ...inSuite(50) })],
        suites: [suite(1, "cancelled", 1), suite(50, "success", 1, { app: SCANNER, ...release })],
      },
      "red",
      /test failed/,
    ],
  ],
  "two workflows with a job of one name": [
    [
      "where one failed and the other passed later",
      {
        runs: [run("test", "failure"), run("test", "success", { ...inSuite(2), started_at: ago(200) })],
        suites: [suite(1, "failure", 1), suite(2, "success", 1)],
      },
      "red",
      /test failed/,
    ],
    [
      "where one passed and the other still runs",
      {
        runs: [run("test", "success", inSuite(2)), run("test", "in_progress")],
        suites: [suite(1, "in_progress", 1), suite(2, "success", 1)],
      },
      "pending",
      /test/,
    ],
  ],
  "a check that the host requires of one app": [
    [
      "is not met by another app's bot",
      {
        statuses: [status("e2e", "success", bot("stranger", "https://avatars.example.com/in/666?v=4"))],
        rules: [checksRule({ context: "e2e", integration_id: 77 })],
      },
      "pending",
      /waiting for check e2e/,
    ],
    [
      "is not met by a bot that nothing ties to an app",
      {
        statuses: [status("e2e", "success", bot("stranger"))],
        rules: [checksRule({ context: "e2e", integration_id: 77 })],
      },
      "pending",
      /waiting for check e2e/,
    ],
    [
      "is met by a status of its bot, as GitHub shows the app in the bot's picture",
      {
        statuses: [status("e2e", "success", bot("scanner", "https://avatars.example.com/in/77?v=4"))],
        rules: [checksRule({ context: "e2e", integration_id: 77 })],
      },
      "green",
      /e2e passed/,
    ],
    [
      "is met by a status of its bot, as the app's suite names it",
      {
        statuses: [status("e2e", "success", bot("scanner"))],
        suites: [suite(50, "queued", 0, { app: SCANNER })],
        rules: [checksRule({ context: "e2e", integration_id: 77 })],
      },
      "green",
      /e2e passed/,
    ],
    [
      "is not met by a person who has that app's picture",
      {
        statuses: [
          status("e2e", "success", { type: "User", login: "scanner", avatar_url: "https://avatars.example.com/in/77" }),
        ],
        suites: [suite(50, "queued", 0, { app: SCANNER })],
        rules: [checksRule({ context: "e2e", integration_id: 77 })],
      },
      "pending",
      /waiting for check e2e/,
    ],
    [
      "is met by anybody where the app is -1",
      { statuses: [status("e2e", "success")], rules: [checksRule({ context: "e2e", integration_id: -1 })] },
      "green",
      /e2e passed/,
    ],
  ],
  "a ruleset": [
    [
      "that requires a workflow waits for a run of Actions, whatever else is green",
      { runs: [lint], suites: [lintSuite], rules: [workflowsRule(".github/workflows/ci.yml")] },
      "pending",
      /waiting for a run of github-actions \(workflow \.github\/workflows\/ci\.yml/,
    ],
    [
      "that requires a workflow counts every check of Actions",
      {
        runs: [run("test", "success"), run("docs", "failure", inSuite(2))],
        suites: [suite(1, "success", 1), suite(2, "failure", 1)],
        rules: [workflowsRule("ci.yml"), checksRule({ context: "test", integration_id: 15368 })],
      },
      "red",
      /docs failed/,
    ],
    [
      "that requires a workflow is met where all of Actions passed",
      {
        runs: [run("test", "success"), run("cla", "failure", { app: SCANNER, ...inSuite(50) })],
        suites: [suite(1, "success", 1), suite(50, "failure", 1, { app: SCANNER })],
        rules: [workflowsRule("ci.yml")],
      },
      "green",
      /test passed \(workflow ci\.yml/,
    ],
    [
      "that requires a workflow and a check still waits for the check",
      {
        runs: [run("test", "success")],
        suites: [suite(1, "success", 1)],
        rules: [workflowsRule("ci.yml"), checksRule({ context: "e2e" })],
      },
      "pending",
      /waiting for check e2e/,
    ],
    [
      "that requires results of code scanning counts every check",
      {
        runs: [run("test", "success"), run("CodeQL", "failure", { app: SCANNER, ...inSuite(50) })],
        suites: [suite(1, "success", 1), suite(50, "failure", 1, { app: SCANNER })],
        rules: [
          checksRule({ context: "test" }),
          { type: "code_scanning", parameters: { code_scanning_tools: [{ tool: "CodeQL" }] } },
        ],
      },
      "red",
      /CodeQL failed \(code scanning by CodeQL/,
    ],
    [
      "that requires a check says which workflow could not start instead",
      { suites: [suite(1, "startup_failure", 0)], rules: [checksRule({ context: "test" })] },
      "pending",
      /waiting for check test, while check suite of github-actions \(startup_failure\) failed/,
    ],
    [
      "that requires code quality counts every check",
      {
        runs: [run("test", "success"), run("quality", "failure", inSuite(2))],
        suites: [suite(1, "success", 1), suite(2, "failure", 1)],
        rules: [checksRule({ context: "test" }), { type: "code_quality", parameters: { severity: "errors" } }],
      },
      "red",
      /quality failed \(code quality is required/,
    ],
    [
      "that requires a deployment counts every check",
      {
        runs: [run("test", "success"), run("ship", "in_progress", inSuite(2))],
        suites: [suite(1, "success", 1), suite(2, "in_progress", 1)],
        rules: [
          checksRule({ context: "test" }),
          { type: "required_deployments", parameters: { required_deployment_environments: ["staging"] } },
        ],
      },
      "pending",
      /ship.*deployment to staging/,
    ],
    [
      "of rules that ask for no check changes nothing",
      {
        runs: [run("test", "success")],
        suites: [suite(1, "success", 1)],
        rules: [
          { type: "deletion" },
          { type: "pull_request", parameters: {} },
          { type: "copilot_code_review" },
          { type: "merge_queue", parameters: {} },
        ],
      },
      "green",
      /test passed/,
    ],
    [
      "with a rule that nobody knows waits, and says its name and the way out",
      { runs: [run("test", "success")], suites: [suite(1, "success", 1)], rules: [{ type: "required_moonlight" }] },
      "pending",
      /'required_moonlight'.*ci\.required/,
    ],
  ],
  "a word that nobody knows": [
    [
      "at the end of a run is no success and no failure",
      { runs: [run("test", "paused_by_moon")], suites: [suite(1, "success", 1)] },
      "pending",
      /test \('paused_by_moon', a word/,
    ],
    [
      "as the status of a run is no success",
      { runs: [run("test", "dreaming")], suites: [suite(1, "in_progress", 1)] },
      "pending",
      /dreaming/,
    ],
    [
      "in a commit status is no success",
      { statuses: [status("ci", "expected")] },
      "pending",
      /ci \('expected', a word/,
    ],
    [
      "where a run has ended without a conclusion",
      { runs: [run("test", null)], suites: [suite(1, "success", 1)] },
      "pending",
      /test \('completed'/,
    ],
  ],
};

describe("What GitHub reports of a commit, read and judged:", () => {
  let world: World;
  let server: ScriptedServer;

  before(async () => {
    server = await startScriptedServer(({ url }, response) => {
      const { pathname } = new URL(url, "http://x");
      const list = (items: object[], name?: string) =>
        json(response, 200, name === undefined ? items : { total_count: items.length, [name]: items });
      if (pathname.endsWith("/statuses")) return list(world.statuses);
      if (pathname.endsWith("/check-runs")) return list(world.runs, "check_runs");
      if (pathname.endsWith("/check-suites")) return list(world.suites, "check_suites");
      if (pathname.includes("/rules/branches/") && world.rules !== null) return list(world.rules);
      return json(response, 404, { message: "Not Found" });
    });
  });
  after(() => server.close());

  async function ask(given: Partial<World>) {
    world = { runs: [], suites: [], statuses: [], rules: null, ...given };
    const host = githubHost({
      key: "github",
      apiUrl: server.url,
      cloneUrl: server.url,
      webhookSecret: "s",
      token: "t",
    });
    const gate: Gate = { ci: "required", required: [], apps: null, settle: 5_000, timeout: 60_000 };
    const repo = { id: "github:1", host: "github", owner: "acme", name: "api", defaultBranch: "main" };
    const commit: CommitRef = { repo, sha: "a".repeat(40) };
    return host.ciState(commit, gate, ["main"], NOW);
  }

  for (const [subject, rows] of Object.entries(tables)) {
    describe(subject, () => {
      for (const [title, given, verdict, because] of rows) {
        it(`${title}: ${verdict}`, async () => {
          const state = await ask(given);
          assert.equal(state.verdict, verdict, state.because);
          assert.match(state.because, because);
        });
      }
    });
  }
});
