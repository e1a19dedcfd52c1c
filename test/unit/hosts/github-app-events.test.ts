import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { appEvents } from "../../../src/hosts/github/app/app-events.ts";
import { Installations } from "../../../src/hosts/github/app/installations.ts";
import { hintReader } from "../../../src/hosts/github/hints.ts";
import { MalformedWebhook, type WebhookReading } from "../../../src/hosts/host.ts";

const SECRET = "It's a Secret to Everybody";
const SHA = "a".repeat(40);
const APP = { id: 4711, slug: "acme-deliverd" };
const repository = { id: 7, name: "api", owner: { login: "acme" }, default_branch: "main" };
const repo = { hostId: "7", owner: "acme", name: "api", defaultBranch: "main" };
const sender = { login: "sam" };

const examples: { name: string; examples: Record<string, unknown>[] }[] = JSON.parse(
  readFileSync(createRequire(import.meta.url).resolve("@octokit/webhooks-examples/api.github.com/index.json"), "utf8"),
);
const examplesOf = (event: string, action: string) =>
  (examples.find(({ name }) => name === event)?.examples ?? []).filter((one) => one.action === action);

/** What is asked of GitHub in these tests: an installation of the id 9 in every owner. */
function listening() {
  const asked: string[] = [];
  const get = async (_route: string, { owner }: Record<string, unknown>) => {
    asked.push(String(owner));
    return { id: 9, app_slug: "acme-deliverd", html_url: "https://github.com/x", permissions: {} };
  };
  const installations = new Installations({ get } as never);
  return { asked, installations, read: hintReader(SECRET, appEvents(APP.id, installations)) };
}

function read(event: string, payload: unknown, by = listening().read): Promise<WebhookReading> {
  const body = Buffer.from(JSON.stringify(payload));
  const signature = `sha256=${createHmac("sha256", SECRET).update(body).digest("hex")}`;
  const headers = { "x-github-event": event, "x-github-delivery": "d-1", "x-hub-signature-256": signature };
  return by({ headers, body });
}

const order = (event: string, action: "retry" | "cancel") => ({
  hints: [],
  orders: [{ repo, sha: SHA, action, person: "sam", event, deliveryId: "d-1" }],
});
const hint = (event: string, more: object = {}) => ({
  hints: [{ repo, ref: null, sha: SHA, event, deliveryId: "d-1", ...more }],
});
const run = (more: object) => ({ head_sha: SHA, name: "deliverd/api", app: APP, ...more });

describe("Webhooks of a GitHub App", () => {
  const rows: [title: string, event: string, payload: object, expected: object][] = [
    [
      "of a Re-run button are an order to retry",
      "check_run",
      { action: "rerequested", check_run: run({}) },
      order("check_run rerequested", "retry"),
    ],
    [
      "of Re-run all checks are an order to retry, also without a branch",
      "check_suite",
      { action: "rerequested", check_suite: { head_sha: SHA, head_branch: null, app: APP } },
      order("check_suite rerequested", "retry"),
    ],
    [
      "of the button Retry are an order to retry",
      "check_run",
      { action: "requested_action", requested_action: { identifier: "retry" }, check_run: run({}) },
      order("check_run requested_action", "retry"),
    ],
    [
      "of the button Cancel are an order to cancel",
      "check_run",
      { action: "requested_action", requested_action: { identifier: "cancel" }, check_run: run({}) },
      order("check_run requested_action", "cancel"),
    ],
    [
      "of a button that deliverd does not have are ignored",
      "check_run",
      { action: "requested_action", requested_action: { identifier: "deploy" }, check_run: run({}) },
      { ignored: "a button that deliverd does not have" },
    ],
    [
      "of our own check runs are ignored",
      "check_run",
      { action: "completed", check_run: run({}) },
      { ignored: "our own report" },
    ],
    [
      "of the check runs of another deliverd are ignored",
      "check_run",
      { action: "completed", check_run: run({ app: { id: 1, slug: "other-deliverd" } }) },
      { ignored: "our own report" },
    ],
    [
      "of our own suite that has ended are ignored",
      "check_suite",
      { action: "completed", check_suite: { head_sha: SHA, app: APP } },
      { ignored: "our own report" },
    ],
    [
      "of a job of Actions are a hint, whatever its name is",
      "check_run",
      { action: "completed", check_run: run({ app: { id: 15368, slug: "github-actions" } }) },
      hint("check_run completed"),
    ],
    [
      "of another App's suite are a hint, and no order",
      "check_suite",
      { action: "rerequested", check_suite: { head_sha: SHA, app: { id: 1, slug: "ci" } } },
      hint("check_suite rerequested"),
    ],
    [
      "of a suite that is asked of us are a hint that there is a commit",
      "check_suite",
      { action: "requested", check_suite: { head_sha: SHA, head_branch: "main", app: APP } },
      hint("new commit"),
    ],
    [
      "of a renamed repo are a hint about its default branch",
      "repository",
      { action: "renamed", changes: { repository: { name: { from: "old" } } } },
      hint("repository renamed", { ref: "refs/heads/main", sha: null }),
    ],
    ["of a deleted repo are ignored", "repository", { action: "deleted" }, { ignored: "the repo was deleted" }],
    ["of the App's own page are ignored", "ping", { zen: "Keep it." }, { ignored: "ping" }],
  ];
  for (const [title, event, payload, expected] of rows) {
    it(title, async () => assert.deepEqual(await read(event, { repository, sender, ...payload }), expected));
  }

  it("are read in every one of GitHub's own examples", async () => {
    for (const { name, examples: payloads } of examples)
      for (const payload of payloads) {
        const reading = await read(name, payload);
        if ("ignored" in reading) assert.match(reading.ignored, /\S/);
        else assert.ok(reading.hints.length + (reading.orders?.length ?? 0) > 0, name);
      }
  });

  it("are orders in GitHub's own examples of buttons, if the check is the App's", async () => {
    const asked = (event: string, action: string, member: string) =>
      examplesOf(event, action).map((payload) => {
        const check = payload[member] as { app: { id: number } };
        return { payload, own: check.app.id };
      });
    const all = [
      ...asked("check_run", "rerequested", "check_run").map((each) => ({ ...each, event: "check_run" })),
      ...asked("check_suite", "rerequested", "check_suite").map((each) => ({ ...each, event: "check_suite" })),
    ];
    assert.ok(all.length >= 4);
    for (const { payload, own, event } of all) {
      const reader = hintReader(SECRET, appEvents(own, listening().installations));
      const reading = await read(event, payload, reader);
      assert.ok("orders" in reading && reading.orders?.[0]?.action === "retry", JSON.stringify(reading));
      assert.equal(reading.orders[0].person, (payload.sender as { login: string }).login);
    }
  });

  it("tell which installation an owner has, so that GitHub need not be asked", async () => {
    const { read: by, asked, installations } = listening();
    await read("push", { repository, sender, ref: "refs/heads/main", after: SHA, installation: { id: 31 } }, by);
    assert.equal(await installations.idOf("Acme"), 31);
    assert.deepEqual(asked, []);
  });

  const account = { login: "acme" };
  for (const action of ["deleted", "suspend", "unsuspend", "new_permissions_accepted"]) {
    it(`of an installation (${action}) let GitHub be asked again`, async () => {
      const { read: by, asked, installations } = listening();
      installations.learn("acme", 31);
      const reading = await read("installation", { action, installation: { id: 31, account }, sender }, by);
      assert.deepEqual(reading, { ignored: `the installation in acme: ${action}` });
      assert.equal(await installations.idOf("acme"), 9);
      assert.deepEqual(asked, ["acme"]);
    });
  }

  it("of a new installation end the wait of an owner that had none", async () => {
    const { read: by, installations } = listening();
    await read("installation", { action: "created", installation: { id: 44, account }, sender }, by);
    assert.equal(await installations.idOf("acme"), 44);
    await read("installation_repositories", { action: "added", installation: { id: 44, account }, sender }, by);
    assert.equal(await installations.idOf("acme"), 44);
  });

  it("that miss what they have to name are malformed", async () => {
    const wrong: [string, object][] = [
      ["check_run", { action: "rerequested", check_run: run({}), repository }],
      ["check_run", { action: "rerequested", check_run: { name: "x", app: APP }, repository, sender }],
      ["check_suite", { action: "rerequested", check_suite: { head_sha: "main", app: APP }, repository, sender }],
      ["repository", { action: "renamed", sender }],
      ["installation", { action: "created", installation: { id: "x" } }],
    ];
    for (const [event, payload] of wrong) await assert.rejects(read(event, payload), MalformedWebhook, event);
  });
});
