import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Ledger, openLedger } from "../../../src/ledger/ledger.ts";
import { withRepo } from "../../support/databases/ledgers.ts";
import { tarOf } from "../../support/fixtures/archives.ts";
import { frozenFiles, released } from "../../support/fixtures/releases.ts";
import { type FaultyProxy, type Passed, startFaultyProxy } from "../../support/network/faulty-proxy.ts";
import { tempDir, until } from "../../support/processes/process.ts";
import { type Download, downloadOnlyRegistry } from "../../support/registries/download-source.ts";
import { BIN } from "../../support/world/deliverd.ts";
import { startApi, type TestApi, TOKEN } from "../api/support.ts";

const digestOf = (bytes: Buffer | string) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const TOTAL = 8_000_000;
const FIRST = 3_000_000;

describe("deliverd pull, when interrupted,", function () {
  this.timeout(60_000);
  const bytes = randomBytes(TOTAL);
  const digest = digestOf(bytes);
  const shelved: Record<string, Download> = {};
  let ledger: Ledger;
  let api: TestApi;
  let proxy: FaultyProxy;
  let dir: { path: string; remove(): Promise<void> };
  let out: string;
  let number = 0;

  before(async () => {
    dir = await tempDir();
    ledger = await withRepo(await openLedger({ dataDir: dir.path }));
    api = await startApi(ledger, { registries: new Map([["files", downloadOnlyRegistry(shelved)]]) });
    proxy = await startFaultyProxy(api.url);
    await released(ledger, "large", "file", frozenFiles([{ name: "large.bin", digest, size: TOTAL }]));
    shelved.large = bytes;
  });
  after(async () => {
    await proxy.stop();
    await api.close();
    await ledger.close();
    await dir.remove();
  });
  beforeEach(() => {
    out = join(dir.path, `out-${number++}`);
    proxy.passed.splice(0);
    proxy.fault = () => undefined;
  });

  const env = () => ({ PATH: process.env.PATH, DELIVERD_SERVER: proxy.url, DELIVERD_TOKEN: TOKEN });
  const argsOf = (artifact: string) => [BIN, "pull", `${artifact}@1.0.0`, "-o", out, "--json"];
  const contents = () => proxy.passed.filter(({ url }) => url.includes("/content"));
  const partials = () => readdir(join(out, ".deliverd-pull"));

  function pull(artifact = "large"): Promise<{ code: number | string; stdout: string; stderr: string }> {
    return new Promise((resolve) => {
      execFile(process.execPath, argsOf(artifact), { env: env() }, (error, stdout, stderr) =>
        resolve({ code: error?.code ?? 0, stdout, stderr }),
      );
    });
  }

  /** A pull of which just the first bytes have come, and no more will. */
  async function halfway(artifact: string) {
    proxy.fault = ({ url }) => (url.includes("/content") ? { stallAnswerAfter: FIRST } : undefined);
    const child = spawn(process.execPath, argsOf(artifact), { env: env(), stdio: ["ignore", "ignore", "pipe"] });
    await until("the first bytes are kept", async () => {
      const [file] = (await partials()).filter((name) => !name.endsWith(".d"));
      return file !== undefined && (await stat(join(out, ".deliverd-pull", file))).size === FIRST;
    });
    proxy.fault = () => undefined;
    proxy.passed.splice(0);
    return child;
  }

  async function killedPull(artifact = "large"): Promise<void> {
    const child = await halfway(artifact);
    child.kill("SIGKILL");
    await once(child, "close");
  }

  const bytesCame = (passed: Passed[]) => passed.map(({ status, answered }) => [status, answered]);

  it("downloads only the missing bytes after a kill", async () => {
    await killedPull();
    const { code, stdout, stderr } = await pull();
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(JSON.parse(stdout).resumedAt, FIRST);
    assert.deepEqual(bytesCame(contents()), [[206, TOTAL - FIRST]]);
    assert.equal(contents()[0]?.headers["if-range"], `"${digest}"`);
    assert.deepEqual(await readdir(out), ["large.bin"]);
    assert.ok(bytes.equals(await readFile(join(out, "large.bin"))));
  });

  it("resumes several files, and unpacks again what was downloaded", async () => {
    const other = "a second file";
    const files = [
      { name: "large.bin", digest, size: TOTAL },
      { name: "other.txt", digest: digestOf(other), size: other.length },
    ];
    await released(ledger, "both", "file", frozenFiles(files));
    shelved.both = await tarOf([
      { name: "large.bin", text: bytes as unknown as string },
      { name: "other.txt", text: other },
    ]);
    await killedPull("both");
    const { code, stderr } = await pull("both");
    assert.deepEqual([code, stderr], [0, ""]);
    assert.deepEqual(bytesCame(contents()), [[206, shelved.both.length - FIRST]]);
    assert.deepEqual((await readdir(out)).sort(), ["large.bin", "other.txt"]);
    assert.ok(bytes.equals(await readFile(join(out, "large.bin"))));
  });

  it("exits with 1 if the server stopped, and says that the same command resumes", async () => {
    const child = await halfway("large");
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    await proxy.refuse();
    const [code] = await once(child, "close");
    await proxy.accept();
    assert.equal(code, 1);
    assert.match(said, /^the content of large 1\.0\.0 could not be pulled: .*run the same command again to resume\n$/);

    assert.equal((await pull()).code, 0);
    assert.deepEqual(bytesCame(contents()), [[206, TOTAL - FIRST]]);
    assert.ok(bytes.equals(await readFile(join(out, "large.bin"))));
  });

  it("starts again if the partial download is wrong, too long, or of another content, and removes it", async () => {
    const hex = digest.slice("sha256:".length);
    // No process has a number this high.
    const left = async (name: string, content: Buffer) => {
      await mkdir(join(out, ".deliverd-pull"), { recursive: true });
      await writeFile(join(out, ".deliverd-pull", `${name}.999999999`), content);
    };
    const cases: [name: string, content: Buffer, came: [status: number, bytes: number][]][] = [
      [
        `large.${hex}`,
        Buffer.alloc(FIRST),
        [
          [206, TOTAL - FIRST],
          [200, TOTAL],
        ],
      ],
      [
        `large.${hex}`,
        Buffer.alloc(TOTAL + 1),
        [
          [416, 0],
          [200, TOTAL],
        ],
      ],
      [`large.${"0".repeat(64)}`, bytes.subarray(0, FIRST), [[200, TOTAL]]],
      [`large.${hex}`, bytes, [[416, 0]]],
    ];
    for (const [name, content, came] of cases) {
      proxy.passed.splice(0);
      await left(name, content);
      const { code, stderr } = await pull();
      assert.deepEqual([code, stderr], [0, ""]);
      assert.deepEqual(
        contents().map(({ status, answered }) => [status, status === 416 ? 0 : answered]),
        came,
      );
      assert.deepEqual(await readdir(out), ["large.bin"]);
      assert.ok(bytes.equals(await readFile(join(out, "large.bin"))));
    }
  });

  it("does not touch partial downloads of a running pull or of other artifacts", async () => {
    const own = [`large.${"0".repeat(64)}.${process.pid}`, `other.${"0".repeat(64)}.999999999`];
    await mkdir(join(out, ".deliverd-pull"), { recursive: true });
    for (const name of own) await writeFile(join(out, ".deliverd-pull", name), "x");
    assert.equal((await pull()).code, 0);
    assert.deepEqual(await partials(), own);
  });

  it("shows a progress bar on a terminal only", async () => {
    const command = argsOf("large")
      .map((each) => `'${each}'`)
      .join(" ");
    const onTerminal = await new Promise<string>((resolve, reject) => {
      execFile("script", ["-qec", `'${process.execPath}' ${command}`, "/dev/null"], { env: env() }, (error, stdout) =>
        error ? reject(error) : resolve(stdout),
      );
    });
    assert.match(onTerminal, /\r\[[#-]{30}\] \d+ % {2}\d+\.\d MB of 8\.0 MB/);
    assert.equal((await pull()).stderr, "");
  });
});
