import assert from "node:assert/strict";
import { ok, type Result } from "../../../../src/cli/doctor/check.ts";
import { checksOf } from "../../../../src/cli/doctor/checks.ts";
import { hostChecks } from "../../../../src/cli/doctor/hosts.ts";
import { checkWebhooks } from "../../../../src/cli/doctor/webhooks.ts";
import type { Host, HostRepo, WebhookState } from "../../../../src/hosts/host.ts";
import { json, type ScriptedServer, startScriptedServer } from "../../../support/network/scripted-server.ts";
import { serverFile } from "../../config/server-file.ts";

const { load } = serverFile();

describe("The doctor's check of a git host", () => {
  let github: ScriptedServer;
  before(async () => {
    github = await startScriptedServer((_asked, response) => json(response, 404, { message: "Not Found" }));
  });
  after(() => github.close());

  it("fails where the host does not show a repo that `repos` names (host-shows-no-repo)", async () => {
    const host = `{ type: github, webhookSecret: s3cret, apiUrl: "${github.url}", token: ghs_test }`;
    const config = await load(`hosts: { github: ${host} }\nrepos: [acme/api]\n`);
    const checks = await checksOf(config, { learn: () => {} });
    const check = checks.find(({ part }) => part === "host github");
    assert.ok(check);
    await assert.rejects(check.run(), { name: "ConfigError", code: "host-shows-no-repo", message: /acme\/api/ });
  });
});

describe("The doctor's check of a login that is more than a token", () => {
  const shown = { findRepo: async () => null, listRepos: async () => [{ hostId: "1", owner: "acme", name: "api" }] };
  const check = async (faults: string[], asked: string[] = []) => {
    const config = await load('hosts: { github: { type: github, webhookSecret: s3cret } }\nrepos: [acme/*, "*/x"]\n');
    const checkLogin = async (owners: readonly string[]) => {
      asked.push(...owners);
      return { name: "the App acme-deliverd", faults };
    };
    const hosts = new Map([["github", { ...shown, checkLogin } as unknown as Host]]);
    const probe = async () => ({ leadsHere: true, results: [] });
    const found = hostChecks(config, hosts, probe).find(({ part }) => part === "host github");
    return found?.run() ?? assert.fail();
  };

  it("names it with what it shows, and asks about the owners that `repos` names", async () => {
    const asked: string[] = [];
    assert.deepEqual(await check([], asked), ok("takes the App acme-deliverd; it shows acme/*"));
    assert.deepEqual(asked, ["acme"]);
  });

  it("fails with each thing that it lacks (host-login-incomplete)", async () => {
    await assert.rejects(check(["it lacks one", "it lacks two"]), {
      ...{ name: "ConfigError", code: "host-login-incomplete" },
      message: "the App acme-deliverd: it lacks one; it lacks two.",
    });
  });
});

describe("The doctor's check of webhooks", () => {
  const repo = (name: string): HostRepo => ({ hostId: name, owner: "acme", name, defaultBranch: "main" });
  const registered = (faults: string[] = [], status = 202): WebhookState => ({
    kind: "registered",
    webhook: { id: "1", url: "https://deliverd.example.com/webhooks/github", on: "repo", faults },
    deliveries: [{ id: "1", at: 0, event: "push", status, duration: 1, failure: status < 300 ? null : "no" }],
  });

  async function diagnose(
    states: Record<string, WebhookState>,
    { leadsHere = true, publicUrl = "https://deliverd.example.com", named = Object.keys(states) } = {},
  ) {
    const config = await load(
      `publicUrl: ${publicUrl}\nhosts: { github: { type: github, webhookSecret: s } }\nrepos: [acme/*]\n`,
    );
    const asked: string[] = [];
    const host = {
      webhooks: {
        check: async ({ name }: HostRepo) => {
          asked.push(name);
          return states[name] ?? registered();
        },
      },
    } as unknown as Host;
    const probe = async () => ({ leadsHere, results: [] });
    const repos = Object.keys(states).map(repo);
    const results = await checkWebhooks(
      { config, key: "github", host, probe },
      { repos, named: new Set(named), seen: [], hidden: [], leftOut: [] },
    );
    return { results, asked };
  }
  const shown = (results: Result[]) => results.map(({ state, text }) => `${state} ${text}`);

  it("says once what is wrong with several repos, and what to do", async () => {
    const missing: WebhookState = { kind: "missing", unseen: null };
    const { results } = await diagnose({
      a: registered(),
      b: missing,
      c: missing,
      d: registered(["it is switched off"]),
    });
    assert.deepEqual(shown(results), [
      "ok 1 of 4 repos has its webhook",
      "fail acme/b, acme/c: there is no webhook of deliverd",
      "fail acme/d: it is switched off",
    ]);
    assert.match(results[1]?.remedy ?? "", /deliverd hooks add github\/acme\/b` for each of them/);
  });

  it("only warns of repos without a webhook that no entry names: a pattern may let in more than is delivered", async () => {
    const missing: WebhookState = { kind: "missing", unseen: null };
    const { results } = await diagnose({ a: missing, b: missing, c: missing }, { named: ["c"] });
    assert.deepEqual(shown(results), [
      "warn acme/a, acme/b: there is no webhook of deliverd, so new commits are seen only minutes later",
      "fail acme/c: there is no webhook of deliverd",
    ]);
  });

  it("only warns of what the token may not see", async () => {
    const { results } = await diagnose({
      a: { kind: "hidden", because: "Not Found" },
      b: { kind: "missing", unseen: "the organisation's are hidden" },
    });
    assert.deepEqual(
      results.map(({ state }) => state),
      ["warn", "warn"],
    );
  });

  it("says all that is wrong with one webhook at once, and takes 4xx for no second fault", async () => {
    const faults = ["it sends forms, not JSON", "it is switched off"];
    const { results } = await diagnose({ a: registered(faults, 415), b: registered(faults.slice(0, 1), 502) });
    assert.deepEqual(
      results.map(({ text }) => text.replace(/ Look at.*/, "")),
      [
        "acme/a: it sends forms, not JSON; it is switched off",
        "acme/b: it sends forms, not JSON; the newest delivery was answered 502: no.",
      ],
    );
  });

  it("takes failed deliveries for no second fault if publicUrl does not lead here", async () => {
    const states = { a: registered([], 502) };
    const [wrong] = (await diagnose(states)).results;
    assert.match(wrong?.text ?? "", /^acme\/a: the newest delivery was answered 502: no\. Look at the log of deliverd/);
    assert.deepEqual(shown((await diagnose(states, { leadsHere: false })).results), [
      "ok 1 of 1 repos has its webhook",
    ]);
  });

  it("asks for 50 repos at most, and says how many it left out", async () => {
    const many = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`r${index}`, registered()]));
    const { results, asked } = await diagnose(many);
    assert.equal(asked.length, 50);
    assert.deepEqual(shown(results), ["ok 50 of 50 repos have their webhook; 10 more repos were not checked"]);
  });

  it("asks nothing if no host elsewhere can reach publicUrl: that is a finding of its own", async () => {
    const { results, asked } = await diagnose({ a: registered() }, { publicUrl: "http://localhost:8080" });
    assert.deepEqual([results, asked], [[], []]);
  });
});
