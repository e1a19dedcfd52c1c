import assert from "node:assert/strict";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { removeBuildLeftovers } from "../../../src/builders/engine/leftovers.ts";
import { connectEngine } from "../../../src/builders/engine.ts";
import { TransientError } from "../../../src/delivery/errors.ts";
import { buildFiles, filesBuilderOf, filesOrder } from "../../support/engine/file-builds.ts";
import { startYard, type Yard } from "../../support/engine/image-builds.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { tempDir, until } from "../../support/processes/process.ts";

/** Processes whose arguments are these, in whatever container. */
async function running(...args: string[]): Promise<number> {
  const wanted = `${args.join("\0")}\0`;
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return lines.filter((line) => line === wanted).length;
}

let seconds = 80_000 + (process.pid % 1000) * 10;
const containersOf = (yard: Yard) => yard.engine.docker.listContainers({ all: true });

describe("An interrupted file build", function () {
  this.timeout(60_000);
  let yard: Yard;
  let givenUp: Promise<void>;
  before(async () => {
    yard = await startYard();
    // It takes its time, and others need not wait for it.
    givenUp = buildOnHungEngine(yard);
  });
  after(() => yard.stop());

  it("is stopped completely by a cancel: no process runs on, and no container is left", async () => {
    const name = String(seconds++);
    const abort = new AbortController();
    const cancelled = new Error("cancelled by a person");
    const build = buildFiles(yard, { run: [`sleep ${name} & sleep ${name}`] }, testRun(abort.signal));
    const ended = assert.rejects(build, (error) => error === cancelled);
    await until("the command runs", async () => (await running("sleep", name)) === 2);
    abort.abort(cancelled);
    await ended;
    assert.deepEqual(await containersOf(yard), []);
    assert.equal(await running("sleep", name), 0);
  });

  it("does not start if it was cancelled before", async () => {
    const run = testRun(AbortSignal.abort(new Error("too late")));
    await assert.rejects(buildFiles(yard, { run: ["true"] }, run), /too late/);
    assert.equal(run.text(), "");
  });

  it("is the user's failure if it exits with 137 by itself", async () => {
    await assert.rejects(buildFiles(yard, { run: ["exit 137"] }), { name: "UserError", code: "build-failed" });
  });

  it("ends by itself when its worker dies, and the sweep removes what is left", async () => {
    const name = String(seconds++);
    const proxy = await startProxy((client) => {
      const engine = connect(yard.engine.socket);
      for (const [one, other] of [
        [client, engine],
        [engine, client],
      ] as const)
        one
          .on("error", () => {})
          .on("close", () => other.destroy())
          .pipe(other);
    });
    const order = filesOrder({ run: [`sleep ${name}`] });
    const docker = connectEngine({ socket: proxy.socket, env: {} });
    const build = filesBuilderOf(yard, { docker }).build(order, testRun());
    const ended = assert.rejects(build, { code: "engine-gone" });
    await until("the command runs", async () => (await running("sleep", name)) > 0);
    // As the kernel does for a process that is killed.
    await proxy.stop();
    await ended;
    await until("it is gone", async () => (await running("sleep", name)) === 0);
    await until("its container has ended", async () => (await containersOf(yard))[0]?.State === "exited");
    assert.deepEqual(await removeBuildLeftovers(yard.engine.docker, async () => false), []);
    const asked: string[] = [];
    const isDead = async (id: string) => asked.push(id) > 0;
    assert.deepEqual(await removeBuildLeftovers(yard.engine.docker, isDead), [`deliverd-${order.id}`]);
    assert.deepEqual(asked, [order.id]);
    assert.deepEqual(await containersOf(yard), []);
  });

  for (const signal of ["SIGKILL", "SIGTERM"] as const) {
    it(`is an infrastructure failure if the engine ends by ${signal}`, async () => {
      const own = await startYard({ own: true });
      const name = String(seconds++);
      try {
        const ended = buildFiles(own, { run: [`sleep ${name}`] }).then(
          () => assert.fail("it did not fail"),
          (error: unknown) => error,
        );
        await until("the command runs", async () => (await running("sleep", name)) > 0);
        process.kill(own.engine.pid ?? 0, signal);
        const error = await ended;
        assert.ok(error instanceof TransientError, String(error));
        assert.equal(error.code, "engine-gone");
      } finally {
        await own.stop();
      }
      assert.equal(await running("sleep", name), 0);
    });
  }

  it("does not wait for an engine that hangs", async () => {
    await givenUp;
  });
});

async function buildOnHungEngine(yard: Yard): Promise<void> {
  const hung = await startProxy(() => {});
  try {
    const limits = { memoryBytes: null, cpus: null, time: 100 };
    const docker = connectEngine({ socket: hung.socket, env: {} });
    const build = buildFiles(yard, { run: ["true"], limits }, testRun(), { docker });
    await assert.rejects(build, { code: "build-timeout" });
  } finally {
    await hung.stop();
  }
}

/** Stands where an engine is expected. */
async function startProxy(take: (client: Socket) => void): Promise<{ socket: string; stop(): Promise<void> }> {
  const dir = await tempDir();
  const clients = new Set<Socket>();
  const server = createServer((client) => {
    clients.add(client);
    take(client);
  });
  const socket = join(dir.path, "s");
  server.listen(socket);
  await once(server, "listening");
  return {
    socket,
    async stop() {
      server.close();
      for (const client of clients) client.destroy();
      await dir.remove();
    },
  };
}
