import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { Failure } from "../../../src/cli/exit.ts";
import { add, check, remove } from "../../../src/cli/hooks/index.ts";
import { ConfigError } from "../../../src/delivery/errors.ts";
import { testKeys } from "../../support/hosts/github/app.ts";
import { type GitHubStandIn, type Repo, startGitHub } from "../../support/hosts/github/github.ts";
import { json, type ScriptedServer, startScriptedServer } from "../../support/network/scripted-server.ts";
import { tempDir } from "../../support/processes/process.ts";
import { BIN } from "../../support/world/deliverd.ts";

const SECRET = "hooks-canary-secret";
const TOKEN = "ghs_canaryhooks0123456789";

interface Ended {
  code: number | string;
  stdout: string;
  stderr: string;
}

describe("deliverd hooks", () => {
  let github: GitHubStandIn;
  let receiver: ScriptedServer;
  let dir: Awaited<ReturnType<typeof tempDir>>;
  let answer: { status: number; body: object };
  let url: string;
  let repo: Repo;
  let count = 0;

  before(async () => {
    dir = await tempDir();
    github = await startGitHub({ token: TOKEN });
    receiver = await startScriptedServer((_asked, response) => json(response, answer.status, answer.body));
    url = `${receiver.url}/webhooks/github`;
  });
  after(async () => {
    const violations = github?.violations;
    await github?.close();
    await receiver?.close();
    await dir?.remove();
    assert.deepEqual(violations, []);
  });
  beforeEach(async () => {
    answer = { status: 202, body: { status: "ignored" } };
    repo = await github.createRepo({ owner: "acme", name: `api-${++count}` });
  });

  async function configFile(more: Record<string, unknown> = {}): Promise<string> {
    const file = join(dir.path, "deliverd.yml");
    const { apiUrl, cloneUrl } = github;
    const host = { type: "github", apiUrl, cloneUrl, webhookSecret: SECRET, token: TOKEN };
    await writeFile(file, stringify({ publicUrl: receiver.url, hosts: { github: host }, repos: ["acme/*"], ...more }));
    return file;
  }

  /** Calls the command's code in this process. */
  async function hooks([command, name, option]: string[], more: Record<string, unknown> = {}): Promise<Ended> {
    const run = { add, check, remove }[command ?? ""] ?? assert.fail(command);
    let stdout = "";
    const out = (text: string) => {
      stdout += text;
    };
    const order = { config: await configFile(more), repo: name ?? "", json: option === "--json", out };
    const ended = await run(order).then(
      () => ({ code: 0, stdout, stderr: "" }),
      (error: Error) => {
        const code = error instanceof Failure ? error.exitCode : error instanceof ConfigError ? 2 : 1;
        return { code, stdout, stderr: `${error.message}\n` };
      },
    );
    assert.doesNotMatch(ended.stdout + ended.stderr, /canary/);
    return ended;
  }

  it("is a command with three commands below it, and takes --config in any place", async () => {
    const call = (...args: string[]) =>
      promisify(execFile)(process.execPath, [BIN, ...args], { env: { PATH: process.env.PATH } });
    const file = await configFile();
    github.addHook(repo, { url, secret: SECRET });
    const { stdout } = await call("hooks", "check", `acme/${repo.name}`, "--json", "--config", file);
    assert.deepEqual(
      [JSON.parse(stdout).ok, await call("--config", file, "hooks", "remove", `acme/${repo.name}`)],
      [true, { stdout: `removed github/acme/${repo.name}: ${url}\n`, stderr: "" }],
    );
    await assert.rejects(call("hooks", "nonsense", "acme/api"), { code: 2 });
    assert.match((await call("hooks", "--help")).stdout, /^check \(the default\)/m);
  });

  it("add registers the webhook and says how the host's ping was answered; check then finds nothing wrong", async () => {
    const name = `github/acme/${repo.name}`;
    const added = await hooks(["add", `acme/${repo.name}`]);
    assert.deepEqual(
      [added.code, added.stdout],
      [0, `added ${name}: ${url}\nthe host's ping was answered 202 after 0.3 s\n`],
      added.stderr,
    );
    const checked = await hooks(["check", name]);
    assert.equal(checked.code, 0, checked.stderr);
    assert.match(checked.stdout, new RegExp(`^${name}: ${url}\n\\d{4}-\\d\\d-\\d\\dT\\S+Z  ping  202  0\\.3 s\n$`));
  });

  it("check says what is wrong and exits with 1, and add repairs it", async () => {
    github.addHook(repo, { url, secret: SECRET, contentType: "form", events: ["push"] });
    const checked = await hooks(["check", `acme/${repo.name}`]);
    assert.deepEqual(
      [checked.code, checked.stderr],
      [1, `Repair it with \`deliverd hooks add github/acme/${repo.name}\`, which also has the host send a ping.\n`],
    );
    assert.match(checked.stdout, /^fail {2}it sends forms, not JSON$/m);
    assert.match(checked.stdout, /^fail {2}it does not send create, status, /m);
    const repaired = await hooks(["add", `acme/${repo.name}`]);
    assert.equal(repaired.code, 0, repaired.stderr);
    assert.match(repaired.stdout, /^repaired .*\n {2}repaired: it sends forms, not JSON\n/);
    assert.equal(github.hooksOf(repo).length, 1);
  });

  it("add exits with 1 if the host's ping fails, and says why", async () => {
    answer = { status: 401, body: { detail: `The signature does not match ${SECRET}.` } };
    const failed = await hooks(["add", `acme/${repo.name}`]);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /^the newest delivery was answered 401: .* The secret at the host is not web/);
    const checked = await hooks(["check", `acme/${repo.name}`, "--json"]);
    const { ok, deliveries } = JSON.parse(checked.stdout) as { ok: boolean; deliveries: { status: number }[] };
    assert.deepEqual([checked.code, ok, deliveries[0]?.status], [1, false, 401]);
  });

  it("remove removes the webhook of deliverd only, and exits with 3 if there is none", async () => {
    const foreign = github.addHook(repo, { url: "https://ci.example.com/hook" });
    github.addHook(repo, { url, secret: SECRET });
    const removed = await hooks(["remove", `acme/${repo.name}`, "--json"]);
    assert.deepEqual(JSON.parse(removed.stdout), { repo: `github/acme/${repo.name}`, removed: [url] });
    assert.deepEqual(github.hooksOf(repo), [foreign]);
    const none = await hooks(["remove", `acme/${repo.name}`]);
    assert.equal(none.code, 3);
    assert.match(none.stderr, /has no webhook of deliverd/);
  });

  it("exits with 3 for a repo that no host shows, and with 2 for a name that is none", async () => {
    assert.equal((await hooks(["check", "acme/none"])).code, 3);
    assert.equal((await hooks(["check", "acme"])).code, 2);
    assert.equal((await hooks(["check", "acme/../../user"])).code, 2);
  });

  it("add registers nothing that would bring nothing", async () => {
    const unused = await hooks(["add", `acme/${repo.name}`], { repos: ["acme/other"] });
    assert.equal(unused.code, 2);
    assert.match(unused.stderr, /is in no entry of repos/);
    const host = { type: "github", apiUrl: github.apiUrl, webhookSecret: SECRET, token: TOKEN };
    const local = await hooks(["add", `acme/${repo.name}`], { hosts: { github: host } });
    assert.equal(local.code, 2, "ConfigError public-url-local");
    assert.match(
      local.stderr,
      /^publicUrl: http:\/\/127\.0\.0\.1:\d+ can be reached from this machine only.*Set publicUrl/,
    );
    assert.deepEqual(github.hooksOf(repo), []);
  });

  it("of a GitHub App sets its one webhook right, and waits for no ping", async () => {
    const { id } = github.createApp();
    github.installApp("acme");
    const { apiUrl, cloneUrl } = github;
    const app = { id, privateKey: testKeys.pkcs8 };
    const hosts = { github: { type: "github", apiUrl, cloneUrl, webhookSecret: SECRET, app } };
    const added = await hooks(["add", `acme/${repo.name}`], { hosts });
    assert.deepEqual([added.code, added.stderr], [0, ""]);
    assert.match(added.stdout, /^added github\/acme\/api-\d+: .*\nthe host sends no ping/);
    const checked = await hooks(["check", `acme/${repo.name}`], { hosts });
    assert.match(checked.stdout, /\(of acme, for all its repos\)/);
    const removed = await hooks(["remove", `acme/${repo.name}`], { hosts });
    assert.match(removed.stderr, /serves all its repos/);
  });

  describe("with a pattern", () => {
    const inOwner = async (owner: string, ...names: string[]) => {
      const repos: Repo[] = [];
      for (const name of names) repos.push(await github.createRepo({ owner, name }));
      return repos;
    };

    it("add registers the webhook of every repo that it and an entry of `repos` match", async () => {
      const [api, web, other] = await inOwner("team", "app-api", "app-web", "other");
      assert.ok(api && web && other);
      const more = { repos: ["team/app-*", "acme/*"] };
      const added = await hooks(["add", "team/*"], more);
      assert.equal(added.code, 0, added.stderr);
      const lines = added.stdout.split("\n").filter((line) => line.startsWith("added "));
      assert.deepEqual(lines.sort(), [`added github/team/app-api: ${url}`, `added github/team/app-web: ${url}`]);
      assert.deepEqual(
        [github.hooksOf(api).length, github.hooksOf(web).length, github.hooksOf(other).length],
        [1, 1, 0],
      );

      const checked = await hooks(["check", "github/team/app-*", "--json"], more);
      const list = JSON.parse(checked.stdout) as { repo: string; ok: boolean }[];
      assert.deepEqual(list.map((one) => [one.repo, one.ok]).sort(), [
        ["github/team/app-api", true],
        ["github/team/app-web", true],
      ]);

      assert.equal((await hooks(["remove", "team/app-a*"], more)).code, 0);
      assert.deepEqual([github.hooksOf(api).length, github.hooksOf(web).length], [0, 1]);
      const partly = await hooks(["check", "team/*"], more);
      assert.deepEqual(
        [partly.code, partly.stderr],
        [1, "github/team/app-api: Register it with `deliverd hooks add github/team/app-api`.\n1 of 2 repos failed\n"],
      );
    });

    it("says why nothing matches, and that a pattern has to name an owner", async () => {
      await inOwner("lonely", "one");
      const outside = await hooks(["add", "lonely/*"]);
      assert.equal(outside.code, 3);
      assert.match(outside.stderr, /^None of the 1 repos of lonely\/\* is in an entry of repos/);
      assert.match((await hooks(["add", "acme/none-*"])).stderr, /^No configured host shows a repo of acme\/none-\*/);
      const all = await hooks(["check", "*/*"]);
      assert.equal(all.code, 2);
      assert.match(all.stderr, /"\*\/\*" names no owner, .*write <owner>\/\*/);
      const none = await hooks(["remove", "lonely/*"], { repos: ["lonely/*"] });
      assert.deepEqual([none.code, none.stdout], [3, ""], "none of them has a webhook");
    });
  });

  // Every organisation has the webhook from here on, so this is last.
  describe("of an owner", () => {
    it("remove says that the webhook of the owner serves the repo, and leaves it", async () => {
      github.sendHooksTo(url, SECRET);
      const removed = await hooks(["remove", `acme/${repo.name}`]);
      assert.equal(removed.code, 3);
      assert.match(removed.stderr, /of its own .*\. The one of acme serves all its repos: remove it at the host\.\n$/);
      assert.match((await hooks(["check", `acme/${repo.name}`])).stdout, /\(of acme, for all its repos\)/);
    });
  });
});
