import { testKeys } from "../github/app.ts";
import { github } from "./github.ts";
import { type ExpectedReading, type HintFacts, type HostExamples, SHA, type WebhookExample } from "./host-examples.ts";

/** Shaped after https://docs.github.com/en/webhooks/webhook-events-and-payloads: what only an App gets, or reads. */

const APP = { id: 4711, slug: "acme-deliverd" };
const ACTIONS = { id: 15368, slug: "github-actions" };
const OTHER = { id: 12, slug: "another-ci" };

const repository = {
  id: 1296269,
  node_id: "MDEwOlJlcG9zaXRvcnkxMjk2MjY5",
  name: "api",
  full_name: "acme/api",
  private: true,
  owner: { login: "acme", id: 9, type: "Organization" },
  default_branch: "main",
};
const installation = { id: 31, node_id: "MDIz" };
const about = (more: Record<string, unknown>) => ({
  ...{ repository, installation, sender: { login: "sam", id: 1, type: "User" } },
  ...more,
});
const checkRun = (action: string, more: Record<string, unknown> = {}, beside: Record<string, unknown> = {}) =>
  about({
    action,
    check_run: { id: 4, name: "deliverd/api", head_sha: SHA, external_id: "d1/deliverd/api", app: APP, ...more },
    ...beside,
  });
const checkSuite = (action: string, more: Record<string, unknown> = {}) =>
  about({ action, check_suite: { id: 3, head_branch: "main", head_sha: SHA, app: APP, ...more } });
const ofInstallation = (action: string, more: Record<string, unknown> = {}) => ({
  action,
  installation: { id: 31, app_id: APP.id, account: { login: "acme", id: 9, type: "Organization" } },
  sender: { login: "sam", id: 1, type: "User" },
  ...more,
});
const order = (action: "retry" | "cancel", event: string): ExpectedReading => ({
  hints: [],
  orders: [{ sha: SHA, action, person: "sam", event }],
});

const rows: [what: string, event: string, body: Record<string, unknown>, expected: HintFacts | ExpectedReading][] = [
  ["a Re-run of one check", "check_run", checkRun("rerequested"), order("retry", "check_run rerequested")],
  ["a Re-run of all checks", "check_suite", checkSuite("rerequested"), order("retry", "check_suite rerequested")],
  [
    "a Re-run of all checks on no branch",
    "check_suite",
    checkSuite("rerequested", { head_branch: null }),
    order("retry", "check_suite rerequested"),
  ],
  [
    "the button Retry",
    "check_run",
    checkRun("requested_action", {}, { requested_action: { identifier: "retry" } }),
    order("retry", "check_run requested_action"),
  ],
  [
    "the button Cancel",
    "check_run",
    checkRun("requested_action", {}, { requested_action: { identifier: "cancel" } }),
    order("cancel", "check_run requested_action"),
  ],
  [
    "a button that deliverd does not have",
    "check_run",
    checkRun("requested_action", {}, { requested_action: { identifier: "deploy" } }),
    { ignored: /does not have/ },
  ],
  ["our own check run that begins", "check_run", checkRun("created"), { ignored: /our own report/ }],
  ["our own check run that has ended", "check_run", checkRun("completed"), { ignored: /our own report/ }],
  ["our own suite that has ended", "check_suite", checkSuite("completed"), { ignored: /our own report/ }],
  [
    "a check run of Actions",
    "check_run",
    checkRun("completed", { name: "test", app: ACTIONS }),
    { ref: null, sha: SHA, event: "check_run completed" },
  ],
  [
    "a Re-run of another App's check",
    "check_run",
    checkRun("rerequested", { name: "lint", app: OTHER }),
    { ref: null, sha: SHA, event: "check_run rerequested" },
  ],
  [
    "a check run of a server that sends no slug",
    "check_run",
    checkRun("completed", { name: "test", app: { id: 12 } }),
    { ref: null, sha: SHA, event: "check_run completed" },
  ],
  [
    "a suite of another App",
    "check_suite",
    checkSuite("completed", { app: OTHER }),
    { ref: null, sha: SHA, event: "check_suite completed" },
  ],
  [
    "a suite that deliverd is asked for",
    "check_suite",
    checkSuite("requested"),
    { ref: null, sha: SHA, event: "new commit" },
  ],
  [
    "a suite that deliverd is asked for on no branch",
    "check_suite",
    checkSuite("requested", { head_branch: null }),
    { ref: null, sha: SHA, event: "new commit" },
  ],
  [
    "a renamed repo",
    "repository",
    about({ action: "renamed", changes: { repository: { name: { from: "old" } } } }),
    { ref: "refs/heads/main", sha: null, event: "repository renamed" },
  ],
  [
    "a repo of another owner than before",
    "repository",
    about({ action: "transferred", changes: { owner: { from: { user: { login: "sam" } } } } }),
    { ref: "refs/heads/main", sha: null, event: "repository transferred" },
  ],
  ["a deleted repo", "repository", about({ action: "deleted" }), { ignored: /deleted/ }],
  ["a new installation", "installation", ofInstallation("created"), { ignored: /installation in acme: created/ }],
  ["an installation that is gone", "installation", ofInstallation("deleted"), { ignored: /acme: deleted/ }],
  ["a suspended installation", "installation", ofInstallation("suspend"), { ignored: /acme: suspend/ }],
  [
    "more repos of an installation",
    "installation_repositories",
    ofInstallation("added", { repositories_added: [{ id: 1, name: "web" }] }),
    { ignored: /acme: added/ },
  ],
  [
    "a push",
    "push",
    about({ ref: "refs/heads/main", after: SHA, deleted: false, head_commit: { id: SHA } }),
    { ref: "refs/heads/main", sha: SHA, event: "push" },
  ],
  ["a ping of the App", "ping", { zen: "Keep it.", hook: { type: "App", app_id: APP.id } }, { ignored: /ping/ }],
  ["a Re-run by nobody", "check_run", { ...checkRun("rerequested"), sender: undefined }, { malformed: /sender: / }],
  [
    "a Re-run of no commit",
    "check_suite",
    checkSuite("rerequested", { head_sha: null }),
    { malformed: /check_suite\.head_sha: / },
  ],
  ["an installation without an id", "installation", { action: "created" }, { malformed: /installation: / }],
  ["a renamed repo without a repo", "repository", { action: "renamed" }, { malformed: /repository: / }],
];

const headersOf = (event: string) => ({
  "x-github-event": event,
  "x-github-delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958",
  "x-github-hook-installation-target-type": "integration",
  "user-agent": "GitHub-Hookshot/5a9f8d1",
});

export const githubApp: HostExamples = {
  ...github,
  key: "github-app",
  settings: { ...github.settings, app: { id: APP.id, privateKey: testKeys.pkcs8 } },
  table: rows.map(
    ([what, event, body, expected]): WebhookExample => ({
      what,
      headers: headersOf(event),
      body,
      expected: "event" in expected ? { hints: [expected] } : expected,
    }),
  ),
  aims: [
    ...github.aims,
    ["check_run", "name"],
    ["check_run", "app"],
    ["check_run", "app", "id"],
    ["check_suite", "app"],
    ["check_suite", "app", "id"],
    ["requested_action"],
    ["requested_action", "identifier"],
    ["sender"],
    ["sender", "login"],
    ["installation"],
    ["installation", "id"],
    ["installation", "account", "login"],
  ],
};
