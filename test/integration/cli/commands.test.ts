import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import stringWidth from "string-width";
import { type Delivery, setState } from "../../../src/ledger/deliveries.ts";
import { type Ledger, openLedger } from "../../../src/ledger/ledger.ts";
import { appendLog } from "../../../src/ledger/logs.ts";
import { withRepo } from "../../support/databases/ledgers.ts";
import { type ScriptedServer, startScriptedServer } from "../../support/network/scripted-server.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";
import { BIN } from "../../support/world/deliverd.ts";
import { deliveryIn, startApi, type TestApi, TOKEN } from "../api/support.ts";
import { type Ended, runCli, runOnTerminal } from "./support.ts";

const ONE = `abcdef1${"0".repeat(33)}`;
const TWO = `abcdef12${"0".repeat(32)}`;
const OTHER = `1234567${"0".repeat(33)}`;
const UNKNOWN = "7654321";
/** A reason that would change the colours, the title and the lines of a terminal. */
const HOSTILE = "\u001b[31m\u001b]0;title\u0007 日本語の理由 \u202eevil ".repeat(10);

describe("A client command", function () {
  this.timeout(60_000);
  let dir: TempDir;
  let ledger: Ledger;
  let api: TestApi;
  let one: Delivery;
  let failed: Delivery;

  before(async () => {
    dir = await tempDir();
    ledger = await withRepo(await openLedger({ dataDir: dir.path }));
    api = await startApi(ledger);
    one = await deliveryIn(ledger, ONE, { state: "delivered", because: "released 1.0.0" });
    await deliveryIn(ledger, TWO, { because: HOSTILE });
    failed = await deliveryIn(ledger, OTHER, { state: "failed", because: "the build failed" });
  });
  after(async () => {
    await api.close();
    await ledger.close();
    await dir.remove();
  });

  const env = (more: Record<string, string> = {}) => ({ DELIVERD_SERVER: api.url, DELIVERD_TOKEN: TOKEN, ...more });
  const cli = (...args: string[]): Promise<Ended> => runCli(args, env());

  it("finds a commit by the first 7 digits, if they name one", async () => {
    assert.match((await cli("why", "acme/api@1234567")).stdout, new RegExp(`^github/acme/api@${OTHER}: failed\n`));
    assert.match((await cli("why", "acme/api@ABCDEF12")).stdout, new RegExp(`^github/acme/api@${TWO}: `));
    const { items } = JSON.parse((await cli("deliveries", "--sha", "1234567", "--json")).stdout);
    assert.deepEqual(
      items.map((each: Delivery) => each.id),
      [failed.id],
    );
    const ambiguous = await Promise.all([
      cli("why", "acme/api@abcdef1"),
      cli("deliveries", "--sha", "abcdef1"),
      cli("logs", "acme/api@abcdef1"),
    ]);
    for (const { code, stderr } of ambiguous)
      assert.deepEqual([code, stderr.includes(ONE), stderr.includes(TWO)], [1, true, true], stderr);
  });

  it("says so if its output cannot be written, and exits with 1", async () => {
    const full = spawn(process.execPath, [BIN, "deliveries"], {
      env: { PATH: process.env.PATH, ...env() },
      stdio: ["ignore", openSync("/dev/full", "w"), "pipe"],
    });
    const said = await text(full.stderr ?? assert.fail("no stderr"));
    assert.equal(said, "The output cannot be written: the disk or its quota is full. Make room there.\n");
    assert.equal(full.exitCode ?? (await once(full, "exit"))[0], 1);
  });

  it("names the port that fetch does not ask, and says what to do", async () => {
    const { stderr } = await runCli(["deliveries", "--server", "http://127.0.0.1:6000"], {});
    assert.match(stderr, /^http:\/\/127\.0\.0\.1:6000 does not answer: .*refuse this port.*listen on another one/);
  });

  it("exits with 3 for what is not there, and with 2 for what cannot be", async () => {
    const codes = async (commands: string[]) => {
      const ended = await Promise.all(commands.map((command) => cli(...command.split(" "))));
      return Object.fromEntries(commands.map((command, at) => [command, ended[at]?.code]));
    };
    const missing = [`why acme/api@${UNKNOWN}`, `deliveries --sha ${UNKNOWN}`, `logs acme/api@${UNKNOWN}`];
    const wrong = ["why acme/api@main", "why acme/api@abcdef", "deliveries --sha main", "deliveries --repo api"];
    wrong.push("deliveries --state lost", "deliveries --limit 0", "releases --artifact API", "logs ../why", "cancel 7");
    wrong.push("pull api@main", "pull API@1.0.0", "deliveries --server localhost:8080");
    assert.deepEqual(await codes(missing), Object.fromEntries(missing.map((each) => [each, 3])));
    assert.deepEqual(await codes(wrong), Object.fromEntries(wrong.map((each) => [each, 2])));
  });

  it("prints plain lines for a script, and a table with headings, times and colours on a terminal", async () => {
    const plain = await cli("deliveries", "--sha", "1234567");
    assert.equal(plain.stdout, `${failed.id}  failed  github/acme/api  1234567  the build failed\n`);
    const shown = await runOnTerminal(["deliveries", "--sha", "1234567"], env());
    const [heading = "", line = ""] = shown.stdout.split("\r\n");
    assert.match(heading.replaceAll("\u001b", ""), /^\[1mDELIVERY.*STATE.*REPO.*COMMIT.*SEEN.*BECAUSE/);
    assert.ok(line.includes("\u001b[31mfailed\u001b[39m"), line);
    assert.match(line, /just now|min ago/);
  });

  it("has no colours with --no-color or NO_COLOR, and has them elsewhere with FORCE_COLOR", async () => {
    const list = ["deliveries", "--sha", "1234567"];
    const colorless = await Promise.all([
      runOnTerminal([...list, "--no-color"], env({ FORCE_COLOR: "1" })),
      runOnTerminal(["--no-color", ...list], env()),
      runOnTerminal(list, env({ NO_COLOR: "1" })),
    ]);
    for (const shown of colorless) {
      assert.match(shown.stdout, /^DELIVERY/);
      assert.ok(!shown.stdout.includes("\u001b"), shown.stdout);
    }
    const forced = await runCli(list, env({ FORCE_COLOR: "1" }));
    assert.equal(forced.stdout.split("\n")[0]?.includes("\u001b[31mfailed\u001b[39m"), true);
  });

  it("keeps a table in the terminal's width, and passes on no sequence of the text", async () => {
    for (const columns of [60, 120]) {
      const { stdout } = await runOnTerminal(["deliveries", "--no-color"], env(), columns);
      const lines = stdout.trimEnd().split("\r\n");
      assert.equal(lines.length, 4);
      for (const line of lines) {
        assert.doesNotMatch(line, /[\p{Cc}\u202e]/u);
        assert.ok(stringWidth(line) <= columns, line);
      }
    }
  });

  it("says in words that a list is empty, on stderr, and exits with 0", async () => {
    for (const [things, filter] of [
      ["deliveries", ["--state", "cancelled"]],
      ["releases", ["--branch", "none"]],
    ] as const) {
      const ended = await cli(things, ...filter);
      assert.deepEqual(ended, { code: 0, stdout: "", stderr: `There are no such ${things}.\n` });
      const json = await cli(things, ...filter, "--json");
      assert.deepEqual(
        { ...json, stdout: JSON.parse(json.stdout) },
        { code: 0, stdout: { items: [], next: null }, stderr: "" },
      );
    }
  });

  it("lists as many deliveries as --limit says", async () => {
    assert.equal((await cli("deliveries", "--limit", "2")).stdout.trim().split("\n").length, 2);
    const { items, next } = JSON.parse((await cli("deliveries", "--limit", "1", "--json")).stdout);
    assert.deepEqual([items.length, typeof next], [1, "string"]);
    const shown = await runOnTerminal(["deliveries", "--limit", "1"], env());
    assert.match(shown.stdout, /There are more deliveries: --limit lists them\./);
  });

  it("logs: exits with 1 after --follow if the delivery did not end as delivered, also as JSON lines", async () => {
    await appendLog(ledger, failed.id, "line one\nline two\n");
    await appendLog(ledger, one.id, "all good\n");
    assert.deepEqual(await cli("logs", "-f", one.id), { code: 0, stdout: "all good\n", stderr: "" });
    assert.deepEqual(await cli("logs", "--follow", "acme/api@1234567"), {
      code: 1,
      stdout: "line one\nline two\n",
      stderr: "The delivery ended as failed: the build failed\n",
    });
    const json = await cli("logs", "--follow", "--json", failed.id);
    const lines = json.stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    assert.deepEqual(lines, [{ log: "line one\nline two" }, { state: "failed", because: "the build failed" }]);
    assert.equal(json.code, 1);
  });

  it("logs: says why a log is empty", async () => {
    const { id } = await deliveryIn(ledger, "9".repeat(40), { state: "ignored", because: "no rule watches it" });
    assert.deepEqual(await cli("logs", id), {
      code: 0,
      stdout: "",
      stderr: "The log is empty. The delivery is ignored: no rule watches it\n",
    });
  });

  it("retry and cancel: take a commit instead of the id of its delivery", async () => {
    const commit = `acme/api@${"8".repeat(40)}`;
    const { id } = await deliveryIn(ledger, "8".repeat(40), { state: "failed" });
    assert.match((await cli("retry", commit)).stdout, new RegExp(`^${id} queued: `));
    assert.match((await cli("cancel", commit)).stdout, new RegExp(`^${id} cancelled: `));
    await setState(ledger, id, { from: ["cancelled"], to: "ignored", because: "the test has ended" });
    const none = await cli("retry", `acme/api@${"7".repeat(40)}`);
    assert.deepEqual([none.code, /has no delivery\. deliverd why/.test(none.stderr)], [3, true]);
  });

  it("finds port and token in the file of --config", async () => {
    const file = join(dir.path, "deliverd.yml");
    await writeFile(
      file,
      `port: ${new URL(api.url).port}\nadminToken: ${TOKEN}\nhosts: { github: { token: "\${NOT_SET}" } }\n`,
    );
    for (const args of [
      ["deliveries", "--config", file],
      ["--config", file, "deliveries"],
    ])
      assert.equal((await runCli(args, {})).code, 0);
    assert.equal((await runCli(["deliveries"], { DELIVERD_CONFIG: file })).code, 0);
    const none = await runCli(["deliveries", "--config", join(dir.path, "none.yml")], {});
    assert.deepEqual([none.code, /none\.yml: the configuration file cannot be read/.test(none.stderr)], [2, true]);
  });

  it("says where a refused token came from, without the token", async () => {
    const { code, stderr } = await runCli(["deliveries"], env({ DELIVERD_TOKEN: "wrong-canary" }));
    assert.equal(code, 2);
    assert.match(stderr, /^The token is none of this server's tokens/);
    assert.match(stderr, /The token came from DELIVERD_TOKEN\. Set DELIVERD_TOKEN\.\n$/);
    assert.doesNotMatch(stderr, /canary/);
    const missing = await runCli(["deliveries", "--server", api.url], { DELIVERD_DATA_DIR: join(dir.path, "none") });
    assert.match(missing.stderr, /There is no token: .*admin-token cannot be read \(ENOENT\)\./);
  });

  it("has examples and exit codes in its help, and the environment if it asks a server", async () => {
    const asking = "diff lint why deliveries logs retry cancel releases pull lint".split(" ");
    const { stdout: list } = await cli("--help");
    const commands = list.slice(list.indexOf("Commands:")).matchAll(/^ {2}([a-z]+) /gm);
    const names = [...commands].map(([, name = ""]) => name).filter((name) => name !== "help");
    assert.ok(asking.every((name) => names.includes(name)));
    const helps = await Promise.all(names.map(async (name) => ({ name, ...(await cli(name, "--help")) })));
    for (const { name, code, stdout } of helps) {
      assert.equal(code, 0);
      assert.equal(stdout.split(/^ {2}--config /m).length, 2, `${name} lists --config once`);
      assert.match(stdout, new RegExp(`^Examples:\n {4}deliverd ${name}\\b`, "m"));
      assert.match(stdout, /^Exit codes:\n {2}0 {2}done\n {2}1 {2}failed\n {2}2 .*\n {2}3 {2}not found$/m);
      assert.equal(/^ {2}DELIVERD_TOKEN /m.test(stdout), asking.includes(name), name);
      for (const line of stdout.split("\n")) assert.ok(line.length <= 100, line);
    }
  });

  describe("with a server that is not deliverd", () => {
    let server: ScriptedServer | undefined;
    afterEach(() => server?.close());

    const answerOf = async (status: number, headers: Record<string, string>, body: string) => {
      server = await startScriptedServer((_asked, response) => response.writeHead(status, headers).end(body));
      return runCli(["deliveries"], env({ DELIVERD_SERVER: server.url }));
    };

    it("says so, with exit code 1 and no stack", async () => {
      for (const [status, headers, body, said] of [
        [200, { "content-type": "text/html" }, "<html>", /does not answer in JSON\. Check that --server/],
        [404, { "content-type": "text/html" }, "<html>", /answers 404 without a reason\. Check that --server/],
        [502, {}, "", /answers 502 without a reason/],
        [302, { location: "https://sso.example.com/" }, "", /redirects to https:\/\/sso\.example\.com\/: give that/],
        [500, {}, JSON.stringify({ detail: "\u001b[2Jgone" }), /^gone$/m],
      ] as const) {
        const { code, stderr } = await answerOf(status, headers, body);
        assert.equal(code, 1, stderr);
        assert.match(stderr, said);
        assert.doesNotMatch(stderr, /\p{Cc}(?<!\n)|\n {4}at /u);
        await server?.close();
        server = undefined;
      }
    });
  });
});
