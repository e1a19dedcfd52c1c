// Runs with a real buildkitd on the PATH, or under DELIVERD_TEST_BUILDKITD: `npm run test:peers`.
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import type { BuildOrder } from "../../src/builders/builder.ts";
import { connectBuildKit } from "../../src/builders/buildkit/address.ts";
import { askWorkers } from "../../src/builders/buildkit/workers.ts";
import { type BuildKitYard, startBuildKitYard } from "../support/engine/buildkit-yard.ts";
import { type BuildKitDaemon, startBuildKit } from "../support/engine/buildkitd.ts";
import { orderOf, readFrozen } from "../support/engine/image-builds.ts";
import { artifactPlan } from "../support/fixtures/plans.ts";
import { testRun } from "../support/fixtures/run.ts";
import { freePort, until } from "../support/processes/process.ts";

const platform = `linux/${process.arch === "x64" ? "amd64" : process.arch}`;

describe("Images built by a buildkitd", function () {
  this.timeout(120_000);
  let daemon: BuildKitDaemon;
  let yard: BuildKitYard;
  before(async () => {
    daemon = await startBuildKit();
    yard = await startBuildKitYard(daemon.address);
  });
  after(async () => {
    await yard?.stop();
    await daemon?.stop();
  });
  const build = (order: BuildOrder, run = testRun()) => yard.builder().build(order, run);
  const from = (...lines: string[]) => [`FROM ${yard.shell}`, ...lines, ""].join("\n");

  it("are frozen as BuildKit pushed them, with labels, arguments, target and the digests of their bases", async () => {
    const run = testRun();
    const dockerfile = [
      `FROM ${yard.shell} AS made`,
      "ARG DELIVERD_VERSION",
      'RUN echo "it is $DELIVERD_VERSION" | tee /version',
      "FROM made AS release",
      'CMD ["release"]',
      "FROM made AS test",
      "RUN exit 3",
    ].join("\n");
    const order = orderOf(
      { Dockerfile: dockerfile },
      {
        artifact: artifactPlan({ target: "release" }),
        args: { DELIVERD_VERSION: "1.2.3", NOT_DECLARED: "x" },
        labels: { "dev.deliverd.delivery": "d1", team: "payments" },
      },
    );
    const frozen = await build(order, run);
    assert.equal(frozen.mediaType, "application/vnd.oci.image.manifest.v1+json");
    const { config } = await readFrozen(yard.store, frozen.digest);
    assert.deepEqual([config.Labels, config.Cmd], [order.labels, ["release"]]);
    assert.match(run.text(), /^it is 1\.2\.3$/m);
    assert.deepEqual(
      frozen.bases.map(({ reference }) => reference),
      [yard.shell],
    );
    assert.equal(run.text().split("FROM 127").length, 2, "a step is named once");
  });

  it("are one index for several platforms, frozen with all its manifests", async () => {
    const dockerfile = "FROM scratch\nARG TARGETARCH\nLABEL arch=$TARGETARCH\nCOPY a /a\n";
    const artifact = artifactPlan({ platforms: ["linux/arm64", "linux/amd64"] });
    const frozen = await build(orderOf({ Dockerfile: dockerfile, a: "a" }, { artifact }));
    assert.equal(frozen.mediaType, "application/vnd.oci.image.index.v1+json");
    const { children } = await yard.store.manifest(frozen.digest);
    const architectures = await Promise.all(
      children.map(async ({ digest }) => (await readFrozen(yard.store, digest)).config.Labels.arch),
    );
    assert.deepEqual(architectures.sort(), ["amd64", "arm64"]);
  });

  it("get a large context, and one whose Dockerfile is no part of it", async () => {
    const content = randomBytes(5e6).toString("hex");
    const hash = createHash("sha256").update(content).digest("hex");
    const files = { Dockerfile: from("COPY large /large", "RUN busybox sha256sum /large"), large: content };
    for (const dockerfileApart of [false, true]) {
      const run = testRun();
      await build(orderOf(files, { dockerfileApart, artifact: artifactPlan({ cache: false }) }), run);
      assert.match(run.text(), new RegExp(hash));
    }
  });

  it("get their secrets", async () => {
    const run = testRun();
    const mount = "--mount=type=secret,id=NPM_TOKEN";
    await build(
      orderOf(
        { Dockerfile: from(`RUN ${mount} busybox sha256sum < /run/secrets/NPM_TOKEN`) },
        { secrets: { NPM_TOKEN: "s3cret" }, artifact: artifactPlan({ secrets: ["NPM_TOKEN"] }) },
      ),
      run,
    );
    assert.match(run.text(), new RegExp(createHash("sha256").update("s3cret").digest("hex")));
  });

  it("that fail are the user's failure, with the step, its exit code and its last lines", async () => {
    await assert.rejects(build(orderOf({ Dockerfile: from("RUN seq 1 100; exit 2") })), {
      name: "UserError",
      code: "build-failed",
      message: /^build step 'RUN seq 1 100; exit 2' failed with exit code 2 \(Dockerfile:2\)\n81\n(?:\d+\n){18}100$/,
    });
    await assert.rejects(build(orderOf({ Dockerfile: from("COPY nowhere /") })), {
      name: "UserError",
      message: /COPY nowhere/,
    });
    // BuildKit's error quotes the whole file.
    const large = from(...Array.from({ length: 2000 }, (_, n) => `# ${n} ${"x".repeat(60)}`), "RUN exit 7");
    await assert.rejects(build(orderOf({ Dockerfile: large })), { name: "UserError", message: /exit code 7/ });
  });

  it("name a base that no registry has, and one whose registry does not answer", async () => {
    const missing = yard.shell.replace("shell", "none");
    await assert.rejects(build(orderOf({ Dockerfile: `FROM ${missing}\n` })), {
      name: "UserError",
      code: "base-missing",
    });
    await assert.rejects(build(orderOf({ Dockerfile: `FROM 127.0.0.1:${await freePort()}/base:1\n` })), {
      name: "TransientError",
      code: "base-unreachable",
    });
  });

  it("get a private base with the login of its host, which no other host is shown", async () => {
    const order = () => orderOf({ Dockerfile: `FROM ${yard.privateShell}\nCOPY --from=${yard.shell} /bin/sh /sh\n` });
    const host = yard.privateShell.split("/")[0];
    const asked: string[] = [];
    const registryAuth = (name: string) => {
      asked.push(name);
      return name === host ? yard.login : null;
    };
    await yard.builder({ registryAuth }).build(order(), testRun());
    assert.ok(asked.includes(host ?? ""), String(asked));
    await assert.rejects(build(order()), { name: "UserError", code: "base-missing", message: /configure a login/ });
  });

  it("that are cancelled stop at once, and leave no process of a step", async () => {
    const stop = new AbortController();
    const run = testRun(stop.signal);
    const building = build(orderOf({ Dockerfile: from("RUN echo begun; exec sleep 86399") }), run);
    building.catch(() => {});
    await until("the step runs", () => run.text().includes("begun"));
    await until("it sleeps", async () => (await sleeping()).length === 1);
    stop.abort(new Error("cancelled by a person"));
    await assert.rejects(building, /cancelled by a person/);
    await until("the step's process is gone", async () => (await sleeping()).length === 0);
  });

  it("over the limit of the intake are refused, and one whose intake is not reached is tried again", async () => {
    const order = () => orderOf({ Dockerfile: from("RUN dd if=/dev/urandom of=/x bs=1000000 count=3") });
    await assert.rejects(yard.builder({ maxBytes: 1e6 }).build(order(), testRun()), { code: "image-too-large" });
    const port = await freePort();
    const intake = {
      grant: (...given: Parameters<typeof yard.intake.grant>) => ({
        ...yard.intake.grant(...given),
        host: `127.0.0.1:${port}`,
      }),
    };
    await assert.rejects(yard.builder({ intake }).build(order(), testRun()), {
      name: "TransientError",
      code: "freeze-failed",
      message: /docker\.intake/,
    });
  });

  it("report what broke the context", async () => {
    const broken = new Error("the tree is too large");
    const openContext = () => Promise.reject(broken);
    await assert.rejects(build(orderOf({ Dockerfile: from("COPY . /") }, { openContext })), broken);
  });
});

describe("A buildkitd", function () {
  this.timeout(120_000);

  it("is reached over TCP, if both sides show a certificate", async () => {
    const daemon = await startBuildKit({ tls: true });
    try {
      const yard = await startBuildKitYard(daemon.address);
      try {
        const run = testRun();
        await yard.builder().build(orderOf({ Dockerfile: `FROM ${yard.shell}\nRUN echo hello\n` }), run);
        assert.match(run.text(), /^hello$/m);
        const stranger = { ...daemon.address, tls: null };
        await assert.rejects(async () => askWorkers((await connectBuildKit(stranger)).client));
      } finally {
        await yard.stop();
      }
    } finally {
      await daemon.stop();
    }
  });

  it("says its platforms, and that it exports images", async () => {
    const daemon = await startBuildKit();
    const buildkit = await connectBuildKit(daemon.address);
    const facts = await askWorkers(buildkit.client);
    assert.equal(facts.platforms[0], platform);
    assert.equal(facts.exportsImages, true);
    buildkit.close();
    await daemon.stop();
  });

  it("that dies during a build makes it fail for the time being", async () => {
    const daemon = await startBuildKit();
    const yard = await startBuildKitYard(daemon.address);
    const run = testRun();
    const building = yard
      .builder()
      .build(orderOf({ Dockerfile: `FROM ${yard.shell}\nRUN echo begun; sleep 600\n` }), run);
    building.catch(() => {});
    await until("the step runs", () => run.text().includes("begun"));
    process.kill(daemon.pid, "SIGKILL");
    await assert.rejects(building, { name: "TransientError", code: "engine-gone" });
    await assert.rejects(yard.builder().build(orderOf({ Dockerfile: `FROM ${yard.shell}\n` }), testRun()), {
      name: "TransientError",
      code: "engine-gone",
    });
    await yard.stop();
    await daemon.stop();
  });
});

async function sleeping(): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return commands.filter((command) => command === "sleep\u000086399\0");
}
