import assert from "node:assert/strict";
import { webhookUrl } from "../../../src/delivery/webhook-address.ts";
import { githubHost } from "../../../src/hosts/github/host.ts";
import type { HostRepo, HostWebhooks, WebhookState } from "../../../src/hosts/host.ts";
import { type GitHubStandIn, startGitHub } from "../../support/hosts/github/github.ts";
import { json, type ScriptedServer, startScriptedServer } from "../../support/network/scripted-server.ts";
import { until } from "../../support/processes/process.ts";

const SECRET = "webhook-secret-of-this-test";
const EVENTS = ["push", "create", "status", "check_run", "check_suite", "workflow_run"];

describe("Webhooks at GitHub", () => {
  let github: GitHubStandIn;
  let receiver: ScriptedServer;
  let webhooks: HostWebhooks;
  let answer: { status: number; body: object };
  let address: { url: string; others: string[] };
  let repo: HostRepo;
  let count = 0;

  before(async () => {
    receiver = await startScriptedServer((_asked, response) => json(response, answer.status, answer.body));
    address = { url: webhookUrl(receiver.url, "github"), others: [webhookUrl(receiver.url, "other")] };
  });
  after(() => receiver.close());

  beforeEach(async () => {
    answer = { status: 202, body: { status: "ignored" } };
    github = await startGitHub();
    const { apiUrl, cloneUrl, token } = github;
    const host = githubHost({ key: "github", apiUrl, cloneUrl, webhookSecret: SECRET, token, retryBase: 5 });
    assert.ok(host.webhooks);
    webhooks = host.webhooks;
    const { owner, name, id } = await github.createRepo({ owner: "acme", name: `api-${++count}` });
    repo = { hostId: String(id), owner, name, defaultBranch: "main" };
  });
  afterEach(async () => {
    assert.deepEqual(github.violations, []);
    await github.close();
  });

  const check = () => webhooks.check(repo, address);
  const registered = (state: WebhookState) => {
    assert.equal(state.kind, "registered");
    return state.kind === "registered" ? state : assert.fail();
  };
  const pinged = () => until("GitHub has pinged", async () => github.hooksOf(repo).some(({ sent }) => sent.length > 0));

  it("are registered with the secret, as JSON, for exactly the events that deliverd reads", async () => {
    assert.deepEqual(await check(), { kind: "missing", unseen: null });
    assert.deepEqual(await webhooks.add(repo, address), { kind: "added", url: address.url });
    const [hook, ...others] = github.hooksOf(repo);
    assert.deepEqual(others, []);
    assert.deepEqual(hook?.config, { url: address.url, contentType: "json", secret: SECRET, insecureSsl: "0" });
    assert.deepEqual([hook?.events, hook?.active], [EVENTS, true]);
  });

  it("show their last deliveries as GitHub saw them", async () => {
    await webhooks.add(repo, address);
    await pinged();
    const { webhook, deliveries } = registered(await check());
    assert.deepEqual([webhook.url, webhook.on, webhook.faults], [address.url, "repo", []]);
    const [ping] = deliveries;
    assert.deepEqual([ping?.event, ping?.status, ping?.duration, ping?.failure], ["ping", 202, 270, null]);
    assert.ok(Math.abs(Date.now() - (ping?.at ?? 0)) < 60_000);
  });

  it("show what the receiver answered to a failed delivery, or that nobody answered", async () => {
    answer = { status: 401, body: { title: "Unauthorized", detail: "The signature does not match the body." } };
    await webhooks.add(repo, address);
    await pinged();
    const [failed] = registered(await check()).deliveries;
    assert.deepEqual([failed?.status, failed?.failure], [401, "The signature does not match the body."]);

    const nowhere = { url: "http://127.0.0.1:1/webhooks/github", others: [] };
    github.hooksOf(repo).pop();
    await webhooks.add(repo, nowhere);
    await pinged();
    const [silent] = registered(await webhooks.check(repo, nowhere)).deliveries;
    assert.deepEqual([silent?.status, silent?.failure], [null, "failed to connect to host"]);
  });

  it("are repaired where they are wrong, and no second one is added", async () => {
    const hook = github.addHook(repo, {
      url: `${receiver.url}/webhook`,
      contentType: "form",
      insecureSsl: "1",
      active: false,
      events: ["push", "pull_request"],
    });
    const { faults } = registered(await check()).webhook;
    const missing = "it does not send create, status, check_run, check_suite, workflow_run";
    const wrong = [
      `it sends to ${receiver.url}/webhook, not to ${address.url}`,
      "it is switched off",
      "it sends forms, not JSON",
      "it has no secret",
      "it does not verify the TLS certificate",
      missing,
    ];
    assert.deepEqual(faults, wrong);
    const change = await webhooks.add(repo, address);
    assert.deepEqual(change, {
      kind: "repaired",
      url: address.url,
      changes: [...wrong, "it also sends pull_request"],
    });
    assert.deepEqual(github.hooksOf(repo), [hook]);
    assert.deepEqual(hook.config, { url: address.url, contentType: "json", secret: SECRET, insecureSsl: "0" });
    assert.deepEqual([hook.events, hook.active], [EVENTS, true]);
    await pinged();
    assert.deepEqual(registered(await check()).webhook.faults, []);
  });

  it("get their secret again if nothing else is wrong: GitHub does not show it", async () => {
    const hook = github.addHook(repo, { url: address.url, secret: "an old secret", events: EVENTS });
    assert.deepEqual(await webhooks.add(repo, address), { kind: "renewed", url: address.url });
    assert.equal(hook.config.secret, SECRET);
  });

  it("become one where there are several of deliverd", async () => {
    const kept = github.addHook(repo, { url: address.url, secret: SECRET, events: ["push"] });
    github.addHook(repo, { url: address.url, secret: SECRET, events: ["status"] });
    github.addHook(repo, { url: `${receiver.url}/webhooks/gihub`, secret: SECRET, events: EVENTS });
    assert.match(registered(await check()).webhook.faults.join(), /beside it there are/);
    assert.equal((await webhooks.add(repo, address)).kind, "repaired");
    assert.equal(github.hooksOf(repo).length, 1);
    assert.ok(github.hooksOf(repo)[0]?.config.url === address.url && kept.config.url === address.url);
  });

  it("of others stay as they are, whatever deliverd does", async () => {
    const foreign = [
      { url: "https://ci.example.com/webhooks/github", events: EVENTS },
      { url: `${receiver.url}/jenkins/github-webhook/`, events: ["push"] },
      { url: address.others[0] ?? "", events: EVENTS },
    ].map((each) => github.addHook(repo, { ...each, secret: "theirs" }));
    const before = structuredClone(foreign.map(({ config, events }) => ({ config, events })));
    assert.deepEqual(await check(), { kind: "missing", unseen: null });
    await webhooks.add(repo, address);
    assert.equal(github.hooksOf(repo).length, 4);
    assert.deepEqual(await webhooks.remove(repo, address), [address.url]);
    assert.deepEqual(github.hooksOf(repo), foreign);
    assert.deepEqual(
      foreign.map(({ config, events }) => ({ config, events })),
      before,
    );
    assert.deepEqual(await webhooks.remove(repo, address), []);
  });

  it("are found after GitHub has lost the answer to their registration", async () => {
    // GitHub registers it, but answers 502: the client then sends the request again, and gets 422.
    github.fail({ method: "POST", path: "/hooks", status: 502, isDone: true });
    assert.equal((await webhooks.add(repo, address)).kind, "renewed");
    assert.equal(github.hooksOf(repo).length, 1);
  });

  it("of the organisation cover its repos", async () => {
    github.sendHooksTo(address.url, SECRET);
    const { webhook } = registered(await check());
    assert.deepEqual([webhook.on, webhook.faults], ["owner", []]);
    assert.deepEqual(await webhooks.add(repo, address), { kind: "covered", url: address.url });
    assert.deepEqual(github.hooksOf(repo), []);
  });

  it("of the organisation may be hidden from the token, and a user has none", async () => {
    github.limitHookRights({ ofRepos: "write", ofOrganisations: "none", answer: 404 });
    const state = await check();
    assert.match(state.kind === "missing" ? (state.unseen ?? "") : "", /organisation acme .*admin:org_hook/);
    const { name, id } = await github.createRepo({ owner: "sam", name: "tool", ownerType: "User" });
    const own = { hostId: String(id), owner: "sam", name, defaultBranch: "main" };
    assert.deepEqual(await webhooks.check(own, address), { kind: "missing", unseen: null });
  });

  it("need a right that is named if the token lacks it (github-webhooks-forbidden)", async () => {
    for (const answer of [403, 404] as const) {
      github.limitHookRights({ ofRepos: "none", ofOrganisations: "none", answer });
      const state = await check();
      assert.match(state.kind === "hidden" ? state.because : "", /'admin:repo_hook'.*'Webhooks: read and write'/);
      const refused = { name: "Refused", code: "github-webhooks-forbidden", message: /hosts\.github.*admin:repo_hook/ };
      await assert.rejects(webhooks.add(repo, address), refused);
      await assert.rejects(webhooks.remove(repo, address), refused);
      github.limitHookRights({ ofRepos: "read", ofOrganisations: "none", answer });
      await assert.rejects(webhooks.add(repo, address), refused);
    }
    assert.deepEqual(github.hooksOf(repo), []);
  });

  it("need a token", async () => {
    const { apiUrl, cloneUrl } = github;
    const { webhooks } = githubHost({ key: "github", apiUrl, cloneUrl, webhookSecret: SECRET, token: null });
    assert.ok(webhooks);
    assert.deepEqual((await webhooks.check(repo, address)).kind, "hidden");
    const refused = { code: "github-webhooks-forbidden", message: /^hosts\.github\.token is not set/ };
    await assert.rejects(webhooks.add(repo, address), refused);
    await assert.rejects(webhooks.remove(repo, address), refused);
    assert.equal(github.requests.filter(({ path }) => path.includes("hooks")).length, 0);
  });

  it("are not registered at an address that GitHub refuses (github-webhook-refused)", async () => {
    const local = { url: "http://localhost:8080/webhooks/github", others: [] };
    await assert.rejects(webhooks.add(repo, local), {
      name: "Refused",
      code: "github-webhook-refused",
      message: /localhost is not supported/,
    });
  });

  it("can be tried with a signed ping, which deliverd reads and ignores", async () => {
    const { apiUrl, cloneUrl, token } = github;
    const reader = githubHost({ key: "github", apiUrl, cloneUrl, webhookSecret: SECRET, token });
    assert.deepEqual(await reader.readHints(webhooks.ping()), { ignored: "ping" });
  });
});
