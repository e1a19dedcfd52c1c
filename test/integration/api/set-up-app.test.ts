import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import express from "express";
import { type DefaultTreeAdapterTypes, parse } from "parse5";
import { createAuth } from "../../../src/api/auth.ts";
import { keepApp } from "../../../src/cli/keep-app.ts";
import { setUpHosts } from "../../../src/cli/set-up-hosts.ts";
import { loadServerConfig } from "../../../src/config/server.ts";
import { listAudit } from "../../../src/ledger/audit.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMask } from "../../../src/observe/mask.ts";
import { webRoute } from "../../../src/web/index.ts";
import type { SetUpOptions } from "../../../src/web/set-up-app.ts";
import { useLedger } from "../../support/databases/ledgers.ts";
import { testKeys } from "../../support/hosts/github/app.ts";
import { type GitHubStandIn, startGitHub } from "../../support/hosts/github/github.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";

const TOKEN = "right-token-of-these-tests";
const PUBLIC_URL = "https://deliverd.example.com";

interface Form {
  action: string;
  method: string;
  fields: Record<string, string>;
  text: string;
}

describe("The page that sets a GitHub App up", () => {
  const suite = useLedger();
  const statuses = { config: { publicUrl: PUBLIC_URL }, mask: createMask([]) };
  let github: GitHubStandIn;
  let dir: TempDir;
  let url: string;
  let cookie: string;
  let close: () => Promise<void>;

  beforeEach(async () => {
    github = await startGitHub();
    dir = await tempDir();
    await serve({ repos: ["acme/*", "globex/api", "*/x"] });
  });
  afterEach(async () => {
    await close();
    await dir.remove();
    await github.close();
    assert.deepEqual(github.violations, []);
  });

  async function serve(more: { repos?: string[]; publicUrl?: string; cloneUrl?: string }) {
    const { apiUrl, cloneUrl } = github;
    const hosts = { github: { type: "github", apiUrl, cloneUrl: more.cloneUrl ?? cloneUrl, webhookSecret: "s" } };
    const config = {
      ...loadServerConfig({ env: { DELIVERD_CONFIG: "", GITHUB_WEBHOOK_SECRET: "s", DELIVERD_REPOS: "acme/api" } }),
      ...{ publicUrl: more.publicUrl ?? PUBLIC_URL, dataDir: dir.path },
    };
    config.hosts = { github: { ...config.hosts.github, ...hosts.github, app: null } } as typeof config.hosts;
    const [bounds] = config.repos;
    config.repos = (more.repos ?? []).map((match) => ({ ...(bounds ?? assert.fail()), match }));
    const auth = createAuth({ adminToken: TOKEN, anonymous: "viewer", secureCookie: false, log: silentLog });
    const app = express();
    const parts = { config, ledger: suite.ledger, log: silentLog };
    const save: SetUpOptions["save"] = (made, by) => keepApp(parts, made, by);
    const setUp = { hosts: await setUpHosts(config), publicUrl: config.publicUrl, adminToken: TOKEN, save };
    app.use(webRoute({ ledger: suite.ledger, auth, setUp, statuses, onDeliveryChanged: () => {} }));
    const server = app.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    close = async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    };
    const signedIn = await fetch(`${url}/sign-in`, {
      ...{ method: "POST", body: new URLSearchParams({ token: TOKEN }), redirect: "manual" },
    });
    cookie = String(signedIn.headers.get("set-cookie")).split(";", 1)[0] ?? "";
  }

  const ask = (path: string, init: RequestInit & { signedIn?: boolean } = {}) => {
    const { signedIn = true, ...rest } = init;
    return fetch(url + path, { redirect: "manual", ...rest, headers: signedIn ? { cookie } : {} });
  };
  /** Without the one of every page, which signs out. */
  const formsOf = async (response: Response) =>
    readForms(await response.text()).filter(({ action }) => action !== "/sign-out");
  /** What GitHub sends the person back to, as a path of this server. */
  const submit = async (form: Form) => {
    const back = github.submitManifest(form.action, form.fields.manifest ?? "");
    assert.equal(back.origin + back.pathname, `${PUBLIC_URL}/setup/github/callback`);
    return back.pathname + back.search;
  };

  it("is for who is signed in, also where everybody may read", async () => {
    for (const [method, path] of [
      ["GET", "/setup/github"],
      ["POST", "/setup/github/callback?code=x&state=y"],
    ] as const) {
      const response = await ask(path, { method, signedIn: false });
      assert.deepEqual(
        [response.status, response.headers.get("location")],
        [303, `/sign-in?to=${encodeURIComponent(path)}`],
      );
    }
  });

  it("has a form for each owner that repos names, and one for the person's own account", async () => {
    const response = await ask("/setup/github");
    assert.equal(response.headers.get("cache-control"), "no-store");
    const policy = response.headers.get("content-security-policy") ?? "";
    assert.ok(policy.includes(`form-action 'self' ${new URL(github.cloneUrl).origin};`), policy);
    const forms = await formsOf(response);
    const paths = forms.filter(({ method }) => method === "post").map(({ action }) => new URL(action).pathname);
    assert.deepEqual(paths, [
      "/organizations/acme/settings/apps/new",
      "/organizations/globex/settings/apps/new",
      "/settings/apps/new",
    ]);
    const manifest = JSON.parse(forms[0]?.fields.manifest ?? "");
    assert.deepEqual(manifest.hook_attributes, { url: `${PUBLIC_URL}/webhooks/github`, active: true });
    assert.deepEqual([manifest.name, manifest.public], ["deliverd-acme", false]);
    assert.deepEqual(manifest.default_permissions, {
      ...{ checks: "write", contents: "read", metadata: "read", statuses: "read" },
      ...{ actions: "read", administration: "read" },
    });
    assert.ok(manifest.default_events.includes("check_run"));
    const named = await formsOf(await ask("/setup/github?organisation=initech"));
    assert.ok(named.some(({ action }) => action.includes("/organizations/initech/")));
    assert.equal((await ask("/setup/github?organisation=../x")).status, 400);
    assert.equal((await ask("/setup/github?host=none")).status, 404);
  });

  it("keeps the secrets of the new App in files, and shows the configuration without them", async () => {
    const [form] = await formsOf(await ask("/setup/github"));
    assert.ok(form);
    const path = await submit(form);
    // GitHub's page brings no session along.
    const callback = await ask(path, { signedIn: false });
    assert.equal(callback.status, 200);
    const [onward] = await formsOf(callback);
    assert.ok(onward?.action.startsWith("/setup/github/callback?code="));
    assert.ok(onward);
    const done = await ask(onward.action, { method: "POST" });
    const text = await done.text();
    assert.equal(done.status, 200, text);
    assert.equal(done.headers.get("cache-control"), "no-store");
    const [, id = ""] = /github-app-(\d+)\.pem/.exec(text) ?? [];
    assert.match(text, new RegExp(`id: ${id}\n`));
    assert.match(text, /https:\/\/github\.com\/apps\/deliverd-acme\/installations\/new/);
    for (const secret of [testKeys.pkcs1.slice(100, 150), "secret-of-the-new-app"]) assert.ok(!text.includes(secret));
    const files = [`${dir.path}/github-app-${id}.pem`, `${dir.path}/github-app-${id}.webhook-secret`];
    assert.deepEqual(await Promise.all(files.map((file) => readFile(file, "utf8"))), [
      testKeys.pkcs1,
      "secret-of-the-new-app\n",
    ]);
    for (const file of files) assert.equal((await stat(file)).mode & 0o777, 0o600);

    const { items } = await listAudit(suite.ledger, { limit: 1 });
    assert.deepEqual(
      items.map(({ person, via, action, outcome }) => [person, via, action, outcome]),
      [["admin", "session", "set-up", `made the App deliverd-acme (${id})`]],
    );

    const twice = await ask(onward.action, { method: "POST" });
    assert.equal(twice.status, 502, "github-setup-refused");
    assert.match(await twice.text(), /good for one hour, and once/);
  });

  it("takes no form from a page of another site", async () => {
    const [form] = await formsOf(await ask("/setup/github"));
    const path = await submit(form ?? assert.fail());
    const headers = { cookie, "sec-fetch-site": "cross-site" };
    assert.equal((await fetch(url + path, { method: "POST", headers })).status, 403);
    assert.equal(
      (await fetch(url + path, { method: "POST", headers: { ...headers, "sec-fetch-site": "same-origin" } })).status,
      200,
    );
  });

  it("takes no code with a state that it has not made, or with none", async () => {
    const [form] = await formsOf(await ask("/setup/github"));
    const path = await submit(form ?? assert.fail());
    const state = new URL(path, url).searchParams.get("state") ?? "";
    const changed = state.replace(/.$/, (last) => (last === "A" ? "B" : "A"));
    for (const wrong of [path.replace(state, changed), path.replace(state, ""), "/setup/github/callback"]) {
      assert.equal((await ask(wrong)).status, 400);
      assert.equal((await ask(wrong, { method: "POST" })).status, 400);
    }
    assert.equal(github.requests.length, 0, "GitHub is not asked");
  });

  it("says that GitHub cannot reach an address of this machine", async () => {
    await close();
    await serve({ repos: ["acme/*"], publicUrl: "http://localhost:8080", cloneUrl: "https://github.com" });
    const response = await ask("/setup/github");
    assert.match(await response.text(), /GitHub cannot reach http:\/\/localhost:8080/);
  });
});

function readForms(text: string): Form[] {
  const forms: Form[] = [];
  const attribute = (node: DefaultTreeAdapterTypes.Element, name: string) =>
    node.attrs.find((one) => one.name === name)?.value ?? "";
  const walk = (node: DefaultTreeAdapterTypes.Node) => {
    if ("tagName" in node) {
      if (node.tagName === "form")
        forms.push({ action: attribute(node, "action"), method: attribute(node, "method"), fields: {}, text: "" });
      const form = forms.at(-1);
      if (node.tagName === "input" && form) form.fields[attribute(node, "name")] = attribute(node, "value");
    }
    if ("childNodes" in node) for (const child of node.childNodes) walk(child);
  };
  walk(parse(text));
  return forms;
}
