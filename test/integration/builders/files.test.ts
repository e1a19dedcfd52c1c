import assert from "node:assert/strict";
import { UserError } from "../../../src/delivery/errors.ts";
import { type Asked, buildFiles, sha256 } from "../../support/engine/file-builds.ts";
import { shellImage, startYard, type Yard } from "../../support/engine/image-builds.ts";
import { testRun } from "../../support/fixtures/run.ts";

describe("The builder of files", function () {
  this.timeout(60_000);
  let yard: Yard;
  before(async () => {
    yard = await startYard();
  });
  after(() => yard.stop());
  const build = (asked: Asked, run = testRun()) => buildFiles(yard, asked, run);

  it("freezes what the commands create in the tree of the commit", async () => {
    const built = await build({
      tree: { "src/a.txt": "from the tree" },
      run: ["mkdir dist", 'cat src/a.txt > "dist/made of it.txt"; echo "version $DELIVERD_VERSION"'],
      files: ["dist/*"],
    });
    const file = { name: "made of it.txt", digest: sha256("from the tree"), size: 13 };
    assert.deepEqual(built.files, [file]);
    assert.equal(built.digest, file.digest);
    assert.deepEqual(
      built.bases.map(({ reference }) => reference),
      [shellImage],
    );
    assert.match(built.log, /^\$ mkdir dist$/m);
    assert.match(built.log, /^version 1\.2\.3$/m);
    assert.deepEqual(await yard.engine.docker.listContainers({ all: true }), []);
  });

  it("freezes several files as one content, identified by their listing", async () => {
    const built = await build({ run: ["echo -n b > b.txt; echo -n a > a.txt"], files: ["*.txt"] });
    assert.deepEqual(built.texts, { "a.txt": "a", "b.txt": "b" });
    const lines = [`${sha256("a").slice(7)}  a.txt\n`, `${sha256("b").slice(7)}  b.txt\n`];
    assert.equal(built.digest, sha256(lines.sort().join("")));
    assert.equal(built.size, 2);
  });

  it("runs all commands in one container, so that a later one finds files outside the tree", async () => {
    const run = [
      "echo kept > /tmp/state; sleep 1000 > /dev/null &",
      "cat /tmp/state > out; ps | grep -c '[s]leep' >> out",
    ];
    assert.equal((await build({ run })).texts.out, "kept\n1\n");
  });

  it("passes each command unchanged, and stops at the first that fails", async () => {
    const run = testRun();
    const odd = `echo "it's" 'a "quoted"' \\\\ $((1 + 1)) \`echo x\`\necho second line`;
    const failing = build({ run: [odd, "echo -n unended; false; echo never", "echo never"] }, run);
    await assert.rejects(failing, (error) => {
      assert.ok(error instanceof UserError, String(error));
      assert.equal(error.code, "build-failed");
      assert.equal(error.message, "build step 'echo -n unended; false; echo never' failed with exit code 1\nunended");
      return true;
    });
    assert.match(run.text(), /^it's a "quoted" \\ 2 x\nsecond line$/m);
    assert.doesNotMatch(run.text(), /^never$/m);
  });

  it("passes the pipeline's variables, which deliverd's own variables override", async () => {
    const { texts } = await build({
      build: { env: { NODE_ENV: "production", DELIVERD_VERSION: "9" } },
      run: ['echo "$NODE_ENV $DELIVERD_VERSION" > out'],
    });
    assert.equal(texts.out, "production 1.2.3\n");
  });

  it("passes secrets unchanged, whatever characters they have", async () => {
    const TOKEN = 'it\'s a $HOME of "secrets"\nin two lines\\';
    const { texts, log } = await build({ secrets: { TOKEN }, run: ['echo -n "$TOKEN" > out'] });
    assert.equal(texts.out, TOKEN);
    assert.doesNotMatch(log, /in two lines/);
  });

  it("has no network if the pipeline wants none or the engine has none, and says so", async () => {
    const run = ["ls /sys/class/net > out"];
    const without = await buildFiles(yard, { run, build: { network: false } }, testRun(), { network: "host" });
    assert.equal(without.texts.out, "lo\n");
    assert.doesNotMatch(without.log, /bridge/);
    const bridgeless = await build({ run });
    assert.equal(bridgeless.texts.out, "lo\n");
    assert.match(bridgeless.log, /no bridge network/);
    const host = await buildFiles(yard, { run: ["cat /proc/net/dev > out"] }, testRun(), { network: "host" });
    assert.ok(host.texts.out);
  });

  it("fails if the image is missing or has no shell", async () => {
    await assert.rejects(build({ run: ["true"], build: { image: "127.0.0.1:9/none:1" } }), {
      code: "base-unreachable",
    });
    const { docker } = yard.engine;
    const bare = "127.0.0.1:9/bare:1";
    const answer = await docker.importImage((await import("../../support/engine/image-builds.ts")).treeOf({ a: "" }), {
      repo: "127.0.0.1:9/bare",
      tag: "1",
    });
    for await (const _ of answer);
    await assert.rejects(build({ run: ["true"], build: { image: bare } }), {
      name: "UserError",
      code: "container-refused",
    });
    await docker.getImage(bare).remove();
    assert.deepEqual(await docker.listContainers({ all: true }), []);
  });

  it("shows the last lines of a command with much output, and holds no more of it", async () => {
    const failing = build({ run: ["seq 200000; exit 3"] });
    await assert.rejects(failing, (error) => {
      assert.ok(error instanceof UserError, String(error));
      const lines = error.message.split("\n");
      assert.deepEqual([lines.length, lines[1], lines.at(-1)], [21, "199981", "200000"]);
      return true;
    });
  });
});

describe("A file build with limits", function () {
  this.timeout(60_000);
  let yard: Yard;
  before(async () => {
    yard = await startYard();
  });
  after(() => yard.stop());

  it("is stopped at its memory limit, and the error says so", async () => {
    const limits = { memoryBytes: 32 * 2 ** 20, cpus: null, time: 60_000 };
    const run = ["dd if=/dev/zero of=/dev/null bs=100M count=1"];
    await assert.rejects(buildFiles(yard, { run, limits }), (error) => {
      assert.ok(error instanceof UserError, String(error));
      assert.match(error.message, /exit code 137: .*memory \(over its limit of 32 MiB\)/);
      return true;
    });
  });

  it("is held to its share of the CPUs and to its number of processes", async () => {
    const limits = { memoryBytes: null, cpus: 0.5, time: 60_000 };
    const files = "cpu/cpu.cfs_quota_us cpu.max pids/pids.max pids.max";
    const run = [`for f in ${files}; do cat /sys/fs/cgroup/$f 2>/dev/null || true; done > out`];
    assert.match((await buildFiles(yard, { run, limits })).texts.out ?? "", /^50000( 100000)?\n4096\n$/);
  });

  it("is stopped at its time limit, and its container is removed", async () => {
    const limits = { memoryBytes: null, cpus: null, time: 1_500 };
    await assert.rejects(buildFiles(yard, { run: ["sleep 1000"], limits }), {
      name: "UserError",
      code: "build-timeout",
    });
    assert.deepEqual(await yard.engine.docker.listContainers({ all: true }), []);
  });

  it("is refused if a limit is impossible for a container", async () => {
    const limits = { memoryBytes: 1_000, cpus: null, time: 60_000 };
    await assert.rejects(buildFiles(yard, { run: ["true"], limits }), { name: "UserError", code: "container-refused" });
  });
});
