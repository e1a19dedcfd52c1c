import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { PassThrough } from "node:stream";
import tar from "tar-stream";
import { UserError } from "../../src/delivery/errors.ts";
import { type Asked, buildFiles, filesBuilderOf, filesOrder } from "../support/engine/file-builds.ts";
import { importShell, startYard, type Yard } from "../support/engine/image-builds.ts";
import { testRun } from "../support/fixtures/run.ts";
import { until } from "../support/processes/process.ts";
import { startRegistry, type TestRegistry } from "../support/registries/docker-registry.ts";

describe("A hostile file build", function () {
  this.timeout(60_000);
  let yard: Yard;
  let registry: TestRegistry;
  before(async () => {
    process.env.DELIVERD_CANARY = "canary-of-the-daemon";
    yard = await startYard({ own: true, env: { ENGINE_CANARY: "canary-of-the-engine" } });
    registry = await startRegistry({ auth: "htpasswd" });
    const { docker } = yard.engine;
    const { username, password, host } = registry;
    await importShell(docker, `${host}/team/base:1`);
    const authconfig = { username, password, serveraddress: host };
    for await (const _ of await docker.getImage(`${host}/team/base`).push({ tag: "1", authconfig }));
    await docker.getImage(`${host}/team/base:1`).remove();
  });
  after(async () => {
    delete process.env.DELIVERD_CANARY;
    await registry.stop();
    await yard.stop();
  });
  const build = (asked: Asked, run = testRun(), more = {}) => buildFiles(yard, asked, run, more);

  it("finds no credential, no engine socket and nothing of the daemon's environment", async () => {
    const run = [
      "env",
      "cat /proc/self/environ /proc/1/environ",
      "find / -xdev -type s",
      "ls -a /root /var/run /run /run/secrets /var/lib/docker /kaniko",
      "grep -r -i -e canary -e password -e auths --exclude-dir=proc --exclude-dir=sys /",
      "ls /proc",
      "cat /proc/self/mountinfo",
    ].map((command) => `${command} 2>&1 || true`);
    const { username, password, host } = registry;
    const registryAuth = (asked: string) => (asked === host ? { username, password } : null);
    const asked = { run: [...run, "touch out"], build: { image: `${host}/team/base:1` }, environment: { CI: "true" } };
    const { log } = await build(asked, testRun(), { registryAuth });
    const seen = log
      .split("\n")
      .filter((line) => !line.startsWith("$ "))
      .join("\n");
    assert.match(seen, /PATH=/);
    for (const secret of [/canary/, new RegExp(password), /\.sock$/m, /DELIVERD_/, /DOCKER_/])
      assert.doesNotMatch(seen, secret);
    const pids = seen.split("\n").filter((line) => /^\d+$/.test(line));
    assert.ok(pids.length < 10, `it sees the processes ${pids}`);
  });

  it("runs with few capabilities, cannot gain more, and cannot make devices", async () => {
    const run = ["grep -e Cap -e NoNewPrivs /proc/self/status > out", "mknod sda b 8 0 2>> out || true"];
    const { texts } = await build({ run });
    // CHOWN, DAC_OVERRIDE, FOWNER, SETGID, SETUID.
    for (const set of ["CapPrm", "CapEff", "CapBnd"])
      assert.match(texts.out ?? "", new RegExp(`^${set}:\\t0+cb$`, "m"));
    assert.match(texts.out ?? "", /^NoNewPrivs:\t1$/m);
    assert.match(texts.out ?? "", /not permitted/);
  });

  it("leaks its secrets into no container configuration, engine file or process list", async () => {
    const TOKEN = `planted-${process.pid}-canary`;
    const abort = new AbortController();
    const order = filesOrder({ run: ['test "$TOKEN" && echo has it', "sleep 1000"], secrets: { TOKEN } });
    const run = testRun(abort.signal);
    const ended = assert.rejects(filesBuilderOf(yard).build(order, run));
    await until("it sleeps", () => /sleep 1000/.test(run.text()));
    assert.match(run.text(), /^has it$/m);
    const container = yard.engine.docker.getContainer(`deliverd-${order.id}`);
    assert.ok(!JSON.stringify(await container.inspect()).includes(TOKEN));
    assert.ok(!JSON.stringify(await container.top()).includes(TOKEN));
    const written = await container.export();
    for await (const chunk of written) assert.ok(!chunk.includes(TOKEN), "it is in the container's files");
    const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
    for (const pid of pids)
      assert.ok(!(await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).includes(TOKEN), `process ${pid}`);
    const root = yard.engine.socket.replace(/\/s$/, "");
    assert.deepEqual(await filesWith(`${root}/d/containers`, TOKEN), []);
    abort.abort(new Error("seen enough"));
    await ended;
  });

  const leavings: [string, string, RegExp][] = [
    ["a link out of the workspace", "ln -s /etc/passwd out", /^out is a link to \/etc\/passwd, .*outside/],
    ["a link up and out", "mkdir d; ln -s ../../../../../../etc/passwd out", /^out is a link to \/etc\/passwd/],
    ["a link over a link", "ln -s / up; ln -s up/bin/busybox out", /^out is a link to \/bin\/busybox, .*outside/],
    ["a link to nowhere", "ln -s gone out", /^out is a link to a file that does not exist/],
    ["a link in a circle", "ln -s out2 out; ln -s out out2", /^out is a link to a file that does not exist/],
    ["a pipe", "mkfifo out", /^out is not a regular file/],
  ];
  for (const [what, run, said] of leavings) {
    it(`fails if its output is ${what}, and the error names the path`, async () => {
      await assert.rejects(build({ run: [run] }), (error) => {
        assert.ok(error instanceof UserError, String(error));
        assert.equal(error.code, "bad-output");
        assert.match(error.message, said);
        return true;
      });
    });
  }

  it("cannot name an output through a linked folder or through ..", async () => {
    await assert.rejects(build({ run: ["ln -s /bin d"], files: ["d/busybox"] }), { code: "nothing-matches" });
    await assert.rejects(build({ run: ["true"], files: ["../bin/busybox"] }), { code: "nothing-matches" });
    await assert.rejects(build({ run: ["ln -s /proc/1 d"], files: ["d/**"] }), { code: "nothing-matches" });
  });

  it("cannot freeze a file name that could pass for two lines of a listing", async () => {
    const run = ["touch \"$(busybox printf 'a\\nb.txt')\""];
    await assert.rejects(build({ run, files: ["*.txt"] }), { code: "bad-output" });
  });

  it("is refused a sparse file of 10 GB before any of its bytes is copied", async () => {
    const began = Date.now();
    const run = ["dd if=/dev/zero of=out bs=1 count=0 seek=10000000000"];
    await assert.rejects(build({ run }, testRun(), { maxBytes: 1e9 }), (error) => {
      assert.ok(error instanceof UserError && error.code === "outputs-too-large", String(error));
      assert.match(error.message, /out \(10000000000 bytes\)/);
      return true;
    });
    assert.ok(Date.now() - began < 15_000, "it was streamed");
  });

  it("reads no file of the machine through a link in its tree", async () => {
    const openTree = async () => {
      const pack = tar.pack();
      pack.entry({ name: "out", type: "symlink", linkname: "../../../../../../etc/hostname" });
      pack.entry({ name: "d", type: "symlink", linkname: "../../../../../../etc" });
      pack.entry({ name: "d/deliverd-canary" }, "written");
      pack.finalize();
      return pack.pipe(new PassThrough());
    };
    await assert.rejects(build({ run: ["true"], openTree }));
    await assert.rejects(readFile("/etc/deliverd-canary"), { code: "ENOENT" });
  });
});

/** Files below a folder that hold the text. */
async function filesWith(folder: string, text: string): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = `${entry.parentPath}/${entry.name}`;
    if (entry.isFile() && (await readFile(path, "utf8")).includes(text)) found.push(path);
  }
  return found;
}
