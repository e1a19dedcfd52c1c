import assert from "node:assert/strict";
import { createPrivateKey, createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { inspect } from "node:util";
import { ConfigError, TransientError } from "../../../src/delivery/errors.ts";
import type { Gate } from "../../../src/delivery/types.ts";
import { appJwt, readPrivateKey } from "../../../src/hosts/github/app/private-key.ts";
import { githubHost } from "../../../src/hosts/github/host.ts";
import type { Host } from "../../../src/hosts/host.ts";
import { testKeys } from "../../support/hosts/github/app.ts";
import { type GitHubStandIn, type Repo, startGitHub } from "../../support/hosts/github/github.ts";

const SECRET = "webhook-secret-of-these-tests";

describe("The private key of a GitHub App", () => {
  const refused = (pem: string) =>
    assert.throws(
      () => readPrivateKey("github", pem),
      (error) =>
        error instanceof ConfigError &&
        error.code === "github-app-key-invalid" &&
        /hosts\.github\.app\.privateKey/.test(error.message) &&
        (pem.length < 40 || !error.message.includes(pem.slice(30, 40))),
    );

  it("is taken in both forms, PKCS#1 and PKCS#8", () => {
    for (const pem of Object.values(testKeys)) assert.equal(readPrivateKey("github", pem).asymmetricKeyType, "rsa");
  });

  it("is refused if it is cut, public, of another kind, or has a passphrase", () => {
    const [body = ""] = testKeys.pkcs1.split("-----END");
    refused("");
    refused("not a key");
    refused(body.slice(0, 400));
    refused(createPublicKey(testKeys.pkcs1).export({ type: "spki", format: "pem" }).toString());
    const { privateKey } = generateKeyPairSync("ed25519");
    refused(privateKey.export({ type: "pkcs8", format: "pem" }).toString());
    const locked = createPrivateKey(testKeys.pkcs1).export({
      ...{ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "p" },
    });
    refused(locked.toString());
  });

  it("signs a token that began a minute ago and ends within ten", () => {
    const now = Date.UTC(2026, 0, 1);
    const [header = "", claims = "", signature = ""] = appJwt(7, readPrivateKey("gh", testKeys.pkcs8), now).split(".");
    const decoded = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString());
    assert.deepEqual(decoded(header), { alg: "RS256", typ: "JWT" });
    assert.deepEqual(decoded(claims), { iat: now / 1000 - 60, exp: now / 1000 + 540, iss: "7" });
    const signed = Buffer.from(`${header}.${claims}`);
    assert.ok(verify("RSA-SHA256", signed, createPublicKey(testKeys.pkcs1), Buffer.from(signature, "base64url")));
  });
});

describe("A GitHub App", () => {
  let github: GitHubStandIn;
  let repo: Repo;
  let ahead: number;
  let learned: string[];

  beforeEach(async () => {
    ahead = 0;
    learned = [];
    github = await startGitHub({ now: () => Date.now() + ahead });
    repo = await github.createRepo({ owner: "acme", name: "api" });
  });
  afterEach(() => github.close());

  function open(more: { id?: number; privateKey?: string; now?: () => number } = {}): Host {
    const { apiUrl, cloneUrl, apps } = github;
    const app = { id: more.id ?? apps.app?.id ?? 1, privateKey: more.privateKey ?? testKeys.pkcs1 };
    const options = { key: "gh", apiUrl, cloneUrl, webhookSecret: SECRET, token: null, retryBase: 1, app };
    return githubHost({ ...options, now: more.now ?? Date.now, learn: (secret) => void learned.push(secret) });
  }
  const known = () => ({ id: `gh:${repo.id}`, host: "gh", owner: repo.owner, name: repo.name, defaultBranch: "main" });
  const asked = (part: string) => github.requests.filter(({ path }) => path.includes(part)).length;
  const failure = async (call: Promise<unknown>, code: string, words: RegExp) => {
    const error = await call.then(
      () => assert.fail("did not fail"),
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof TransientError, inspect(error));
    assert.equal(error.code, code);
    assert.match(error.message, words);
    const shown = inspect(error, { depth: 30, showHidden: true });
    for (const secret of [...learned, "PRIVATE KEY"]) assert.ok(!shown.includes(secret), shown);
  };

  it("is found in an organisation, and in a person's own account", async () => {
    github.createApp();
    github.installApp("acme");
    github.installApp("sam", { ownerType: "User" });
    await github.createRepo({ owner: "sam", name: "site", ownerType: "User" });
    const host = open();
    assert.deepEqual(
      (await host.listRepos("acme")).map(({ name }) => name),
      ["api"],
    );
    assert.deepEqual(
      (await host.listRepos("Sam")).map(({ name }) => name),
      ["site"],
    );
    assert.equal(asked("/orgs/acme/installation"), 1);
    await host.findRepo("ACME", "api");
    assert.equal(asked("/orgs/acme/installation"), 1, "an owner is looked up once, without regard to case");
    assert.deepEqual(github.violations, []);
  });

  it("asks for a token once, however many calls wait for it, and again before it ends", async () => {
    github.createApp();
    github.installApp("acme");
    const host = open({ now: () => Date.now() + ahead });
    await Promise.all([host.findRepo("acme", "api"), host.findRepo("acme", "api"), host.listRepos("acme")]);
    assert.equal(asked("access_tokens"), 1);
    ahead = 49 * 60_000;
    await host.findRepo("acme", "api");
    assert.equal(asked("access_tokens"), 1);
    ahead = 51 * 60_000;
    await host.findRepo("acme", "api");
    assert.equal(asked("access_tokens"), 2);
    assert.equal(learned.length, 2);
    assert.ok(
      learned.every((token) => token.length > 300),
      "newer tokens are long",
    );
  });

  it("clones with a token that can read the contents of that repo and nothing else", async () => {
    github.createApp();
    github.installApp("acme");
    const { url, authorization } = await open().cloneSource(known());
    const [, token = ""] = Buffer.from(String(authorization).slice("Basic ".length), "base64").toString().split(":");
    const made = github.apps.tokens.get(token);
    assert.deepEqual([made?.repoIds, made?.permissions], [[repo.id], { metadata: "read", contents: "read" }]);
    assert.ok(!url.includes(token));
  });

  it("cannot reach another repo with the token of one", async () => {
    github.createApp();
    github.installApp("acme");
    const other = await github.createRepo({ owner: "acme", name: "other" });
    const host = open();
    await assert.rejects(
      host.ciState({ repo: { ...known(), name: other.name }, sha: "a".repeat(40) }, GATE, [], Date.now()),
      (error) => error instanceof TransientError && error.code === "github-ci-unreadable",
    );
  });

  it("waits for a fresh token that not every server of GitHub knows yet", async () => {
    github.createApp();
    github.installApp("acme");
    github.apps.lag = 3;
    assert.equal((await open().findRepo("acme", "api"))?.name, "api");
    assert.equal(asked("access_tokens"), 1);
  });

  it("gives a fresh token up after four waits, and asks for another the next time", async () => {
    github.createApp();
    github.installApp("acme");
    github.apps.lag = 5;
    const host = open();
    await failure(host.findRepo("acme", "api"), "github-app-token-refused", /gave the App of hosts\.gh for acme/);
    github.apps.lag = 0;
    assert.equal((await host.findRepo("acme", "api"))?.name, "api");
    assert.equal(asked("access_tokens"), 2);
  });

  it("takes a new token where an older one was revoked", async () => {
    github.createApp();
    github.installApp("acme");
    let now = Date.now();
    const host = open({ now: () => now });
    await host.findRepo("acme", "api");
    now += 60_000;
    github.apps.tokens.clear();
    assert.equal((await host.findRepo("acme", "api"))?.name, "api");
  });

  for (const hours of [2, -2]) {
    it(`signs once more by GitHub's clock where ours is ${hours} hours off`, async () => {
      github.createApp();
      github.installApp("acme");
      ahead = hours * 3_600_000;
      const host = open();
      assert.equal((await host.findRepo("acme", "api"))?.name, "api");
      const refused = github.requests.filter(({ status }) => status === 401).length;
      assert.equal(refused, 1);
    });
  }

  it("shows no repo where it is not installed, and says so where it has to work", async () => {
    github.createApp();
    const host = open();
    assert.equal(await host.findRepo("acme", "api"), null);
    await failure(
      host.cloneSource(known()),
      "github-app-not-installed",
      /hosts\.gh .*not installed in acme.*install it/,
    );
    assert.equal(asked("/orgs/acme/installation"), 1, "an owner without the App is not asked for at every call");
  });

  it("is found once more after it was installed anew", async () => {
    github.createApp();
    const first = github.installApp("acme");
    let now = Date.now();
    const host = open({ now: () => now });
    await host.findRepo("acme", "api");
    github.uninstallApp(first);
    github.installApp("acme");
    now += 60_000;
    assert.equal((await host.findRepo("acme", "api"))?.name, "api");
    github.uninstallApp(github.apps.installations[0] ?? assert.fail());
    now += 60_000;
    await failure(host.findRepo("acme", "api"), "github-app-not-installed", /was uninstalled/);
    assert.equal(await host.findRepo("acme", "api"), null);
  });

  it("says that it is suspended, where, and what to do", async () => {
    github.createApp();
    const installation = github.installApp("acme");
    const host = open();
    await host.findRepo("acme", "api");
    installation.suspendedAt = "2026-01-01T00:00:00Z";
    const words = /suspended in acme.*an owner of acme lifts/;
    await failure(host.findRepo("acme", "api"), "github-app-suspended", words);
    await failure(host.cloneSource(known()), "github-app-suspended", words);
  });

  it("says that a repo was not selected for it", async () => {
    github.createApp();
    const other = await github.createRepo({ owner: "acme", name: "other" });
    github.installApp("acme", { repos: [other] });
    await failure(open().cloneSource(known()), "github-app-repo-not-selected", /not for this repo.*Repository access/);
  });

  it("says which permission it lacks", async () => {
    github.createApp({ permissions: { metadata: "read", checks: "write" } });
    github.installApp("acme");
    await failure(
      open().cloneSource(known()),
      "github-app-permission-missing",
      /lacks a permission in acme \(contents: read\)/,
    );
  });

  it("says that GitHub does not know the App, or its key", async () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    github.createApp();
    github.installApp("acme");
    const words = /hosts\.gh\.app.*app\.id.*private key/;
    await failure(open({ privateKey: pem }).findRepo("acme", "api"), "github-app-refused", words);
    await failure(open({ id: 999 }).findRepo("acme", "api"), "github-app-refused", words);
  });

  it("has the rate limit of each installation by itself, and the App's own calls count for none", async () => {
    github.createApp();
    github.installApp("acme").rateLimit.used = 4_990;
    github.installApp("globex");
    await github.createRepo({ owner: "globex", name: "web" });
    const host = open();
    assert.equal(host.budget(), null);
    const calls = await host.counted(async () => {
      await host.findRepo("acme", "api");
      await host.findRepo("globex", "web");
    });
    assert.equal(calls, 2);
    const of = (owner: string) => host.budget(host.accountOf?.(owner) ?? assert.fail())?.remaining;
    assert.deepEqual([of("Acme"), of("globex"), of("nobody")], [9, 4_999, undefined]);
    assert.equal(host.budget()?.remaining, 9, "without an account, the one with the least left counts");
  });
});

const GATE: Gate = { ci: "required", required: ["test"], apps: null, settle: 0, timeout: 3_600_000 };
