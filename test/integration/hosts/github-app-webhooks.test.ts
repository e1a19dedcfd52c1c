import assert from "node:assert/strict";
import { Refused } from "../../../src/delivery/errors.ts";
import { githubHost } from "../../../src/hosts/github/host.ts";
import type { Host, HostWebhooks } from "../../../src/hosts/host.ts";
import { type SampleRepo, sampleRepo } from "../../support/fixtures/sample-repo.ts";
import { testKeys } from "../../support/hosts/github/app.ts";
import { type GitHubStandIn, startGitHub } from "../../support/hosts/github/github.ts";
import { json, type ScriptedServer, startScriptedServer } from "../../support/network/scripted-server.ts";

const SECRET = "webhook-secret-of-these-tests";

describe("The webhook of a GitHub App", () => {
  let github: GitHubStandIn;
  let receiver: ScriptedServer;
  let repo: SampleRepo;
  let host: Host;
  let webhooks: HostWebhooks;
  let answer: number;
  let address: { url: string; others: string[] };
  let ahead: number;

  beforeEach(async () => {
    answer = 202;
    ahead = 0;
    receiver = await startScriptedServer((_asked, response) => json(response, answer, { detail: "no room" }));
    address = { url: `${receiver.url}/webhooks/gh`, others: [] };
    github = await startGitHub({ now: () => Date.now() + ahead });
    repo = await sampleRepo(github, { owner: "acme", name: "api" });
    const { id } = github.createApp();
    github.installApp("acme");
    const { apiUrl, cloneUrl } = github;
    host = githubHost({
      ...{ key: "gh", apiUrl, cloneUrl, webhookSecret: SECRET, token: null, retryBase: 1 },
      ...{ app: { id, privateKey: testKeys.pkcs1 }, now: () => Date.now() + ahead },
    });
    webhooks = host.webhooks ?? assert.fail();
  });
  afterEach(async () => {
    await repo.remove();
    await github.close();
    await receiver.close();
    assert.deepEqual(github.violations, []);
  });

  const found = () => ({ hostId: String(repo.repo.id), owner: "acme", name: "api", defaultBranch: "main" });
  const state = async () => {
    const checked = await webhooks.check(found(), address);
    assert.ok(checked.kind === "registered");
    return checked;
  };
  const hook = () => github.apps.app?.hook ?? assert.fail();
  const push = async () => {
    const sha = await repo.commit({ count: String(github.requests.length) });
    await repo.push();
    return sha;
  };

  it("is missing until it is set, and then sends to deliverd with the host's secret", async () => {
    assert.deepEqual(await webhooks.check(found(), address), { kind: "missing", unseen: null });
    assert.deepEqual(await webhooks.add(found(), address), { kind: "added", url: address.url, pings: false });
    assert.deepEqual(hook().config, { url: address.url, contentType: "json", secret: SECRET, insecureSsl: "0" });
    const { webhook } = await state();
    assert.deepEqual([webhook.on, webhook.faults], ["owner", []]);
    assert.deepEqual(await webhooks.add(found(), address), { kind: "renewed", url: address.url, pings: false });
  });

  it("is repaired where it sends elsewhere, forms, or without a secret", async () => {
    Object.assign(hook().config, { url: "https://old.example.com/webhooks/gh?token=x", contentType: "form" });
    const { webhook } = await state();
    assert.deepEqual(webhook.faults, [
      `it sends to https://old.example.com/webhooks/gh, not to ${address.url}`,
      "it sends forms, not JSON",
      "it has no secret",
    ]);
    const change = await webhooks.add(found(), address);
    assert.deepEqual(change, { kind: "repaired", url: address.url, changes: webhook.faults, pings: false });
    assert.deepEqual((await state()).webhook.faults, []);
  });

  it("whose events were not ticked can be set right on the App's page only", async () => {
    (github.apps.app ?? assert.fail()).events = ["push"];
    const events = "create, status, check_run, check_suite, workflow_run, repository";
    await assert.rejects(
      webhooks.add(found(), address),
      (error) =>
        error instanceof Refused &&
        error.code === "github-app-events-missing" &&
        error.message.includes(`it does not send ${events}: tick them at https://github.com/apps/acme-deliverd`),
    );
    assert.equal(hook().config.url, address.url);
  });

  it("is not removed from one repo, because it serves all", async () => {
    await assert.rejects(
      webhooks.remove(found(), address),
      (error) => error instanceof Refused && error.code === "github-app-webhook-shared",
    );
  });

  it("shows its last deliveries, and what was answered to the newest that failed", async () => {
    await webhooks.add(found(), address);
    github.sendAppHooksTo(address.url, SECRET);
    await push();
    answer = 503;
    await push();
    const { deliveries } = await state();
    assert.deepEqual(
      deliveries.slice(0, 1).map(({ status, failure, event }) => [status, failure, event]),
      [[503, "no room", "check_suite requested"]],
    );
    assert.ok(deliveries.some(({ status, failure }) => status === 202 && failure === null));
  });

  describe("that GitHub could not deliver", () => {
    const lost = (since: number) => host.lostWebhooks?.(since) ?? assert.fail();
    beforeEach(() => github.sendAppHooksTo(address.url, SECRET));

    it("is read as if it had come, buttons too", async () => {
      await push();
      answer = 500;
      const sha = await push();
      const { id, owner, name } = repo.repo;
      const commit = { repo: { id: `gh:${id}`, host: "gh", owner, name, defaultBranch: "main" }, sha };
      const report = {
        context: "deliverd/api",
        state: "failure" as const,
        description: "no",
        targetUrl: "https://d.example.com",
      };
      await host.report(commit, report);
      await github.press(repo.repo, sha, "deliverd/api", "sam");
      const { hints, orders } = await lost(Date.now() - 60_000);
      assert.deepEqual([...new Set(hints.map((hint) => hint.sha))], [sha]);
      assert.ok(hints.some(({ event, ref }) => event === "push" && ref === "refs/heads/main"));
      assert.deepEqual(
        orders.map(({ action, person, sha: of }) => [action, person, of]),
        [["retry", "sam", sha]],
      );
      const guids = github.hooks.map(({ id: guid }) => guid);
      for (const { deliveryId } of [...hints, ...orders]) assert.ok(guids.includes(deliveryId));
    });

    it("is not read once more where the next round begins after it", async () => {
      answer = 500;
      await push();
      const { hints, until } = await lost(Date.now() - 60_000);
      assert.ok(hints.length > 0);
      ahead = 3_600_000;
      const later = await lost(until);
      assert.ok(later.hints.length > 0, "what was sent within a minute of the round may not have been decided then");
      const last = await lost(later.until);
      assert.deepEqual([last.hints, last.orders], [[], []]);
    });

    it("is found behind a page of others", async () => {
      answer = 500;
      const sha = await push();
      const { sent } = hook();
      const [first] = sent;
      assert.ok(first);
      for (let i = 0; i < 120; i++) sent.push({ ...first, id: i + 1, guid: `filler-${i}`, event: "star", payload: {} });
      const { hints } = await lost(Date.now() - 60_000);
      assert.ok(hints.some((hint) => hint.sha === sha));
    });
  });

  describe("belongs to a login that the doctor checks:", () => {
    const login = (...owners: string[]) => host.checkLogin?.(owners) ?? assert.fail();

    it("an App that lacks nothing is named with its owners", async () => {
      assert.deepEqual(await login("acme"), { name: "the App acme-deliverd, installed in acme", faults: [] });
    });

    it("what the App lacks is named: permissions, events, installations", async () => {
      const app = github.apps.app ?? assert.fail();
      app.permissions = { metadata: "read", checks: "read", contents: "read" };
      app.events = app.events.filter((event) => event !== "check_run");
      const [installation] = github.apps.installations;
      assert.ok(installation);
      installation.permissions = { metadata: "read", checks: "read" };
      installation.suspendedAt = "2026-01-01T00:00:00Z";
      const { faults } = await login("acme", "globex");
      const expected = [
        /the App lacks the permission 'Checks: read and write'/,
        /the App lacks the permission 'Commit statuses: read-only'/,
        /not subscribed to check_run: tick/,
        /suspended in acme: lift that at https:\/\/github\.com\/organizations\/acme/,
        /'Contents: read-only' is not accepted in acme/,
        /not installed in globex: install it at https:\/\/github\.com\/apps\/acme-deliverd\/installations\/new/,
      ];
      assert.equal(faults.length, expected.length, faults.join("\n"));
      for (const [at, pattern] of expected.entries()) assert.match(faults[at] ?? "", pattern);
    });
  });
});
