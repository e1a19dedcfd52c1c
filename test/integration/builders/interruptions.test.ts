import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { connectEngine } from "../../../src/builders/engine.ts";
import { TransientError, UserError } from "../../../src/delivery/errors.ts";
import { orderOf, shellImage, startYard, type Yard } from "../../support/engine/image-builds.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { tempDir, until } from "../../support/processes/process.ts";

const exec = promisify(execFile);

/** Processes whose arguments are these, in whatever container. */
async function running(...args: string[]): Promise<number> {
  const wanted = `${args.join("\0")}\0`;
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line === wanted).length;
}

let seconds = 70_000 + (process.pid % 1000) * 10;

for (const installation of ["buildkit", "classic"] as const) {
  describe(`An interrupted image build (${installation})`, function () {
    this.timeout(60_000);
    let yard: Yard;
    before(async () => {
      yard = await startYard();
    });
    after(() => yard.stop());

    it("is stopped within seconds: no process runs on, and no container is left", async () => {
      const name = String(seconds++);
      const abort = new AbortController();
      const cancelled = new Error("cancelled by a person");
      const build = yard
        .builder({ installation })
        .build(orderOf({ Dockerfile: `FROM ${shellImage}\nRUN sleep ${name}\n` }), testRun(abort.signal));
      const ended = assert.rejects(build, (error) => error === cancelled);
      await until("the step runs", async () => (await running("sleep", name)) > 0);
      abort.abort(cancelled);
      await ended;
      await until("the step is gone", async () => (await running("sleep", name)) === 0, 5_000);
      await until("its container is gone", async () => {
        return (await yard.engine.docker.listContainers({ all: true })).length === 0;
      });
    });

    it("does not start if it was cancelled before", async () => {
      const run = testRun(AbortSignal.abort(new Error("too late")));
      const build = yard.builder({ installation }).build(orderOf({ Dockerfile: "FROM scratch\n" }), run);
      await assert.rejects(build, /too late/);
      assert.equal(run.text(), "");
    });

    it("does not wait for an engine that hangs", async () => {
      const dir = await tempDir();
      const socket = join(dir.path, "s");
      const hung = createServer(() => {});
      hung.listen(socket);
      await once(hung, "listening");
      try {
        const builder = yard.builder({ installation, docker: connectEngine({ socket, env: {} }) });
        const limits = { memoryBytes: null, cpus: null, time: 100 };
        const build = builder.build(orderOf({ Dockerfile: "FROM scratch\n" }, { limits }), testRun());
        await assert.rejects(build, { code: "build-timeout" });
      } finally {
        hung.close();
        hung.closeAllConnections();
        await dir.remove();
      }
    });

    for (const signal of ["SIGKILL", "SIGTERM"] as const) {
      it(`is an infrastructure failure if the engine ends by ${signal}`, async () => {
        const own = await startYard({ own: true });
        const name = String(seconds++);
        try {
          const build = own
            .builder({ installation })
            .build(orderOf({ Dockerfile: `FROM ${shellImage}\nRUN sleep ${name}\n` }), testRun());
          const ended = build.then(
            () => assert.fail("it did not fail"),
            (error: unknown) => error,
          );
          await until("the step runs", async () => (await running("sleep", name)) > 0);
          process.kill(own.engine.pid ?? 0, signal);
          const error = await ended;
          assert.ok(error instanceof TransientError, String(error));
          assert.equal(error.code, "engine-gone");
        } finally {
          await own.stop();
        }
        const root = dirname(own.engine.socket);
        assert.equal(await running("sleep", name), 0);
        assert.ok(!(await readFile("/proc/self/mountinfo", "utf8")).includes(root), "a mount is left");
        await assert.rejects(stat(root), { code: "ENOENT" });
      });
    }

    it("is the user's failure if a step exits with 137 by itself", async () => {
      const build = yard
        .builder({ installation })
        .build(orderOf({ Dockerfile: `FROM ${shellImage}\nRUN exit 137\n` }), testRun());
      await assert.rejects(
        build,
        (error) => error instanceof UserError && /exit code 137: .*memory/.test(error.message),
      );
    });

    it("does not occur in 40 builds, 4 at a time, that stream a commit from git archive", async () => {
      const repo = await commit({ Dockerfile: `FROM ${shellImage}\nCOPY . /app\n`, "a.txt": "a", "b.txt": "b" });
      try {
        const builder = yard.builder({ installation });
        const dockerfile = await readFile(join(repo.path, "Dockerfile"), "utf8");
        const archive = async () => spawn("git", ["-C", repo.path, "archive", "HEAD"]).stdout;
        const digests = await Promise.all(
          [0, 1, 2, 3].map(async () => {
            const made: string[] = [];
            for (let index = 0; index < 10; index++) {
              const order = orderOf({ Dockerfile: dockerfile }, { openContext: archive });
              made.push((await builder.build(order, testRun())).digest);
            }
            return made;
          }),
        );
        assert.equal(digests.flat().length, 40);
      } finally {
        await repo.remove();
      }
    }).timeout(180_000);
  });
}

async function commit(files: Record<string, string>): Promise<{ path: string; remove(): Promise<void> }> {
  const dir = await tempDir();
  const git = (...args: string[]) =>
    exec("git", ["-C", dir.path, "-c", "user.name=t", "-c", "user.email=t@example.com", ...args]);
  await git("init", "--quiet");
  for (const [name, text] of Object.entries(files)) await writeFile(join(dir.path, name), text);
  await git("add", ".");
  await git("commit", "--quiet", "-m", "all");
  return dir;
}

describe("An image build with limits", function () {
  this.timeout(60_000);
  let yard: Yard;
  before(async () => {
    yard = await startYard();
  });
  after(() => yard.stop());
  const limits = { memoryBytes: 32 * 2 ** 20, cpus: 0.5, time: 60_000 };
  // Holds 100 MB in memory.
  const hungry = `FROM ${shellImage}\nRUN dd if=/dev/zero of=/dev/null bs=100M count=1\n`;

  it("uses the classic builder, which enforces the memory limit", async () => {
    const run = testRun();
    await assert.rejects(yard.builder().build(orderOf({ Dockerfile: hungry }, { limits }), run), (error) => {
      assert.ok(error instanceof UserError, String(error));
      assert.match(error.message, /exit code 137: it was killed, most likely for memory \(over its limit of 32 MiB\)/);
      return true;
    });
    assert.match(run.text(), /^Building with the classic builder/);
  });

  it("is held to its share of the CPUs", async () => {
    const run = testRun();
    const dockerfile = `FROM ${shellImage}\nRUN cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null || true\n`;
    await yard.builder().build(orderOf({ Dockerfile: dockerfile }, { limits }), run);
    assert.match(run.text(), /^50000( 100000)?$/m);
  });

  it("warns if BuildKit is configured, which ignores limits", async () => {
    const run = testRun();
    await yard.builder({ installation: "buildkit" }).build(orderOf({ Dockerfile: hungry }, { limits }), run);
    assert.match(run.text(), /builder ignores the memory and CPU limits/);
  });
});
