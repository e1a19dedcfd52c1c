import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { TransientError, UserError } from "../../../src/delivery/errors.ts";
import { orderOf, shellImage, startYard, type Yard } from "../../support/engine/image-builds.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { freePort, type TempDir, tempDir } from "../../support/processes/process.ts";
import { startRegistry, type TestRegistry } from "../../support/registries/docker-registry.ts";

async function failureOf(build: Promise<unknown>): Promise<Error & { code?: string }> {
  const result = await build.then(
    () => new Error("it did not fail"),
    (error: unknown) => error,
  );
  assert.ok(result instanceof Error);
  return result;
}

for (const installation of ["buildkit", "classic"] as const) {
  describe(`A build that fails (${installation})`, function () {
    this.timeout(60_000);
    let yard: Yard;
    let registry: TestRegistry;
    before(async () => {
      yard = await startYard();
      registry = await startRegistry();
    });
    after(async () => {
      await registry.stop();
      await yard.stop();
    });
    const build = (dockerfile: string, run = testRun(), more = {}) =>
      yard.builder({ installation }).build(orderOf({ Dockerfile: dockerfile }, more), run);

    it("is the user's failure, with the failing step, its exit code and its last lines", async () => {
      const run = testRun();
      const error = await failureOf(build(`FROM ${shellImage}\nRUN seq 1 100; echo "no rule"; exit 2\n`, run));
      assert.ok(error instanceof UserError, String(error));
      assert.equal(error.code, "build-failed");
      const [reason, ...tail] = error.message.split("\n");
      assert.equal(reason, `build step 'RUN seq 1 100; echo "no rule"; exit 2' failed with exit code 2 (Dockerfile:2)`);
      assert.equal(tail.length, 20);
      assert.deepEqual([tail[0], tail.at(-1)], ["82", "no rule"]);
      assert.match(run.text(), /^1\n2\n3\n/m);
    });

    it("names the file that a COPY misses, without the engine's own paths", async () => {
      const error = await failureOf(build(`FROM ${shellImage}\nCOPY nowhere.txt /\n`));
      assert.ok(error instanceof UserError, String(error));
      assert.match(
        error.message,
        /^build step 'COPY nowhere.txt \/' failed: .*nowhere\.txt.*(?:not? (?:found|exist)|no such file)/,
      );
    });

    it("names the line of the Dockerfile that is invalid", async () => {
      const error = await failureOf(build(`FROM ${shellImage}\nRUUN true\n`));
      assert.ok(error instanceof UserError, String(error));
      assert.equal(error.code, "dockerfile-invalid");
      assert.match(error.message, /^Dockerfile, line 2 \(RUUN\): unknown instruction: RUUN/);
    });

    it("names a base image that no registry has, and the remedy", async () => {
      const error = await failureOf(build(`FROM ${registry.host}/team/nothing:1\n`));
      assert.ok(error instanceof UserError, String(error));
      assert.equal(error.code, "base-missing");
      assert.match(error.message, /team\/nothing:1 cannot be pulled .*Check the name/s);
    });

    it("is the user's failure if a base is no valid reference", async () => {
      const error = await failureOf(build(`FROM ${registry.host}/127.0.0.1:9/base:1\n`));
      assert.ok(error instanceof UserError, String(error));
      assert.equal(error.code, "dockerfile-invalid");
      assert.match(error.message, /^Dockerfile, line 1 \(FROM\): .*invalid reference format/);
    });

    it("is tried again if the base's registry cannot be reached", async () => {
      const error = await failureOf(build(`FROM 127.0.0.1:${await freePort()}/base:1\n`));
      assert.ok(error instanceof TransientError, String(error));
      assert.equal(error.code, "base-unreachable");
      assert.match(error.message, /connection refused/);
    });

    it("is avoided if a base cannot be pulled but is in the engine, and the log says so", async () => {
      const run = testRun();
      const { bases } = await yard
        .builder({ installation })
        .build(orderOf({ Dockerfile: `FROM ${shellImage}\nRUN true\n` }), run);
      assert.match(run.text(), /Base 127\.0\.0\.1:9\/shell:1 could not be pulled .* using the one that the engine has/);
      assert.match(bases[0]?.digest ?? "", /^sha256:[0-9a-f]{64}$/);
    });

    it("reports what broke the context, not the engine's error", async () => {
      const broken = new UserError("context-too-large", "the tree is too large");
      const openContext = async () => {
        const stream = new PassThrough();
        stream.write(Buffer.alloc(2048, "x"));
        setImmediate(() => stream.destroy(broken));
        return stream;
      };
      const error = await failureOf(build("FROM scratch\n", testRun(), { openContext }));
      assert.equal(error, broken);
    });

    it("because of its time limit is stopped, and names the limit", async () => {
      const limits = { memoryBytes: null, cpus: null, time: 2_000 };
      const started = Date.now();
      const error = await failureOf(build(`FROM ${shellImage}\nRUN sleep 600\n`, testRun(), { limits }));
      assert.ok(error instanceof UserError, String(error));
      assert.equal(error.code, "build-timeout");
      assert.match(error.message, /limit of 2 s/);
      assert.ok(Date.now() - started < 6_000);
    });

    it("keeps only the end of a very long output line", async () => {
      const run = testRun();
      const error = await failureOf(
        build(
          `FROM ${shellImage}\nRUN yes 0123456789 | tr -d '\\n' | dd bs=1000 count=300; echo; exit 4\n`.replace(
            /tr /,
            "busybox tr ",
          ),
          run,
        ),
      );
      assert.match(error.message, /failed with exit code 4/);
      assert.ok(error.message.length < 15_000, String(error.message.length));
      const longest = Math.max(
        ...run
          .text()
          .split("\n")
          .map((line) => line.length),
      );
      assert.ok(longest <= 4_000, String(longest));
    });
  });
}

describe("A build step that the engine cannot start", function () {
  this.timeout(60_000);

  it("is the engine's failure if the step's network is missing (classic)", async () => {
    const yard = await startYard();
    try {
      const builder = yard.builder({ installation: "classic", network: "nowhere" });
      const error = await failureOf(
        builder.build(orderOf({ Dockerfile: `FROM ${shellImage}\nRUN true\n` }), testRun()),
      );
      assert.ok(error instanceof TransientError, String(error));
      assert.equal(error.code, "engine-failed");
      assert.match(error.message, /not the build\. build step 'RUN true': network nowhere not found/);
    } finally {
      await yard.stop();
    }
  });

  describe("because the runtime is broken", () => {
    let dir: TempDir;
    let yard: Yard;
    before(async () => {
      dir = await tempDir();
      const words = "runc run failed: unable to start container process: unable to apply cgroup configuration";
      const script = `#!/bin/sh\ncase "$*" in *create*|*run*) echo "${words}" >&2; exit 1;; esac\nexec /usr/sbin/runc "$@"\n`;
      await writeFile(join(dir.path, "runc"), script, { mode: 0o755 });
      yard = await startYard({ own: true, env: { PATH: `${dir.path}:${process.env.PATH}` } });
    });
    after(async () => {
      await yard.stop();
      await dir.remove();
    });
    for (const installation of ["buildkit", "classic"] as const)
      it(`is the engine's failure, whatever the exit code (${installation})`, async () => {
        const builder = yard.builder({ installation });
        const error = await failureOf(
          builder.build(orderOf({ Dockerfile: `FROM ${shellImage}\nRUN true\n` }), testRun()),
        );
        assert.ok(error instanceof TransientError, String(error));
        assert.equal(error.code, "engine-failed");
        assert.match(error.message, /build step 'RUN true'/);
      });
  });

  for (const installation of ["buildkit", "classic"] as const)
    it(`is the user's failure if the image has no such command (${installation})`, async () => {
      const yard = await startYard();
      try {
        const builder = yard.builder({ installation });
        const dockerfile = `FROM ${shellImage}\nRUN ["/bin/nothing"]\n`;
        const error = await failureOf(builder.build(orderOf({ Dockerfile: dockerfile }), testRun()));
        assert.ok(error instanceof UserError, String(error));
        assert.match(error.message, /build step 'RUN \["\/bin\/nothing"\]' .*no such file or directory/s);
      } finally {
        await yard.stop();
      }
    });
});

describe("A # syntax= line (buildkit)", function () {
  this.timeout(60_000);
  let yard: Yard;
  let registry: TestRegistry;
  before(async () => {
    yard = await startYard();
    registry = await startRegistry();
  });
  after(async () => {
    await registry.stop();
    await yard.stop();
  });
  const build = (frontend: string) =>
    failureOf(
      yard
        .builder({ installation: "buildkit" })
        .build(orderOf({ Dockerfile: `# syntax=${frontend}\nFROM ${shellImage}\n` }), testRun()),
    );

  it("is explained and tried again if its image cannot be fetched", async () => {
    const error = await build("127.0.0.1:9/dockerfile:1");
    assert.ok(error instanceof TransientError, String(error));
    assert.equal(error.code, "frontend-unreachable");
    assert.match(error.message, /"# syntax=127\.0\.0\.1:9\/dockerfile:1": .* remove the line/);
  });

  it("is the user's failure if its image does not exist", async () => {
    const error = await build(`${registry.host}/dockerfile:1`);
    assert.ok(error instanceof UserError, String(error));
    assert.equal(error.code, "frontend-missing");
  });
});
