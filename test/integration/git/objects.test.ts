import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { ObjectReader } from "../../../src/git/object-reader.ts";
import { useGitHost } from "../../support/hosts/git-host.ts";
import { until } from "../../support/processes/process.ts";

describe("Objects of a repository, read through one git process", () => {
  const scene = useGitHost();
  let objects: ObjectReader;
  let stopped: AbortController;
  let starts = 0;

  beforeEach(async () => {
    stopped = new AbortController();
    starts = 0;
    objects = new ObjectReader(async () => {
      starts += 1;
      return { gitDir: scene.repo.bare, signals: [stopped.signal], timeLimit: 10_000 };
    });
  });
  afterEach(() => objects.close());

  it("are complete, however large, and each answers its own query", async () => {
    const large = Buffer.alloc(3_000_000, "line\n");
    const sha = await scene.repo.commit({ large, "empty.txt": "" });
    const [tree, commit, none, blob, empty] = await Promise.all([
      objects.head(`${sha}^{tree}`),
      objects.read(sha),
      objects.read("0".repeat(40)),
      objects.read(`${sha}:large`),
      objects.read(`${sha}:empty.txt`),
    ]);
    assert.equal(tree?.type, "tree");
    assert.match(commit?.bytes.toString() ?? "", /^tree [0-9a-f]{40}\n/);
    assert.equal(none, null);
    assert.ok(blob?.bytes.equals(large));
    assert.equal(empty?.bytes.length, 0);
    assert.equal(starts, 1);
  });

  it("are found if they come while git runs, and after a repack", async () => {
    const first = await scene.repo.commit({ a: "1" });
    assert.ok(await objects.head(first));
    const second = await scene.repo.commit({ a: "2" });
    assert.ok(await objects.head(second));
    await scene.repo.git(["--git-dir", scene.repo.bare, "gc", "--quiet", "--prune=now"]);
    const third = await scene.repo.commit({ a: "3" });
    for (const sha of [first, second, third]) assert.ok((await objects.read(sha))?.bytes.length);
    assert.equal(starts, 1);
  });

  it("are read through a new git process after the old one died, whose query fails", async () => {
    const sha = await scene.repo.commit({ a: "1" });
    assert.ok(await objects.head(sha));
    for (const pid of gitsOf(scene.repo.bare)) process.kill(pid, "SIGKILL");
    await until("a new git process answers", () => objects.head(sha).catch(() => null));
    assert.equal(starts, 2);
  });

  it("leave no git process behind when queries end or the mirror closes", async () => {
    const sha = await scene.repo.commit({ a: "1" });
    await objects.head(sha);
    assert.equal(gitsOf(scene.repo.bare).length, 1);
    await until("git is gone", async () => gitsOf(scene.repo.bare).length === 0);
    await objects.head(sha);
    stopped.abort(new Error("over"));
    await until("git is gone", async () => gitsOf(scene.repo.bare).length === 0);
  });

  it("fail with a clear error in a folder that is no repository", async () => {
    await rm(scene.repo.bare, { recursive: true });
    await assert.rejects(objects.head("0".repeat(40)), /not a git repository/);
  });

  function gitsOf(directory: string): number[] {
    const found = execFileSync("sh", [
      "-c",
      'grep -alz -- "^GIT_DIR=$0" /proc/[0-9]*/environ 2>/dev/null || true',
      directory,
    ]);
    return found
      .toString()
      .split("\n")
      .filter(Boolean)
      .map((path) => Number(path.split("/")[2]));
  }
});
