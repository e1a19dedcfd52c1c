import assert from "node:assert/strict";
import { chown, mkdir, readdir, utimes } from "node:fs/promises";
import { join } from "node:path";
import { openWorkingTree, type WorkingTree } from "../../../src/git/working-tree.ts";
import { writeFiles } from "../../support/fixtures/work-tree.ts";
import { git, initBare } from "../../support/hosts/git.ts";
import { type TempDir, tempDir } from "../../support/processes/process.ts";

const AUTHOR = ["-c", "user.name=Sam", "-c", "user.email=sam@example.com"];

describe("the working tree of a checkout as a commit", () => {
  let dir: TempDir;
  let opened: WorkingTree[];

  beforeEach(async () => {
    dir = await tempDir();
    opened = [];
  });
  afterEach(async () => {
    for (const tree of opened) await tree.close();
    await dir.remove();
  });

  async function checkout(path: string, ...options: string[]): Promise<string> {
    const root = join(dir.path, path);
    await git(dir.path, ["init", "--quiet", "--template=", "--initial-branch=main", ...options, root]);
    await writeFiles(root, { "a.txt": "one\n" });
    await commit(root);
    return root;
  }
  async function commit(root: string): Promise<string> {
    await git(root, ["add", "--all"]);
    await git(root, [...AUTHOR, "commit", "--quiet", "--message", "Change"]);
    return git(root, ["rev-parse", "HEAD"]);
  }
  async function open(path: string, options?: { tagsChanges: boolean }): Promise<WorkingTree> {
    const tree = await openWorkingTree(path, options);
    opened.push(tree);
    return tree;
  }

  it("is HEAD itself where nothing was changed", async () => {
    const root = await checkout("plain");
    await git(root, ["tag", "v1.0.0"]);
    const { sha, mirror } = await open(root, { tagsChanges: true });
    assert.equal(sha, await git(root, ["rev-parse", "HEAD"]));
    assert.deepEqual(await mirror.refsContaining(sha), ["refs/heads/main", "refs/tags/v1.0.0"]);
    assert.deepEqual(await mirror.tagsOn(sha), ["v1.0.0"]);
  });

  it("is the same commit on HEAD for the same changed files, with a version that says so", async () => {
    const root = await checkout("changed");
    await git(root, ["tag", "v1.0.0"]);
    const head = await git(root, ["rev-parse", "HEAD"]);
    await writeFiles(root, { "a.txt": "two\n", "b/new.txt": "new\n" });
    const first = await open(root, { tagsChanges: true });
    assert.notEqual(first.sha, head);
    assert.deepEqual((await first.mirror.commit(first.sha)).parents, [head]);
    assert.equal(await first.mirror.readFile(first.sha, "a.txt", 100), "two\n");
    assert.equal(await first.mirror.readFile(first.sha, "b/new.txt", 100), "new\n");
    assert.deepEqual(await first.mirror.tagsOn(first.sha), [`v1.0.1-0.g${head.slice(0, 7)}.dirty`]);
    const second = await open(root);
    assert.equal(second.sha, first.sha);
    assert.deepEqual(await second.mirror.tagsOn(second.sha), []);
    assert.deepEqual(await git(root, ["tag"]), "v1.0.0");
  });

  it("has a change of the same length in the same second, which git finds only by reading the file", async () => {
    const root = await checkout("racy");
    await git(root, ["config", "core.trustctime", "false"]);
    const file = join(root, "a.txt");
    const second = 1_700_000_000;
    await utimes(file, second, second);
    await git(root, ["update-index", "--refresh"]);
    await writeFiles(root, { "a.txt": "two\n", "b.txt": "new\n" });
    await utimes(file, second, second);
    await utimes(join(root, ".git", "index"), second, second);
    const { sha, mirror } = await open(root);
    assert.equal(await mirror.readFile(sha, "a.txt", 100), "two\n");
  });

  it("has the branches of the remote as the host has them, and the own one as it will be pushed", async () => {
    const remote = join(dir.path, "remote.git");
    await initBare(remote, "main");
    const root = await checkout("cloned");
    await git(root, ["remote", "add", "origin", remote]);
    await git(root, ["push", "--quiet", "origin", "HEAD:main", "HEAD:release/1"]);
    await git(root, ["branch", "only-here"]);
    await git(root, ["checkout", "--quiet", "-b", "topic"]);
    await writeFiles(root, { "a.txt": "two\n" });
    const sha = await commit(root);
    const { mirror, checkout: known } = await open(root);
    assert.deepEqual([...(await mirror.refs()).keys()].sort(), [
      "refs/heads/main",
      "refs/heads/release/1",
      "refs/heads/topic",
    ]);
    assert.deepEqual(await mirror.refsContaining(sha), ["refs/heads/topic"]);
    assert.equal(known?.remote?.url, remote);
  });

  it("is read in a linked worktree, a shallow clone, and a repository of SHA-256 ids", async () => {
    const root = await checkout("whole");
    await writeFiles(root, { "a.txt": "two\n" });
    const sha = await commit(root);
    const linked = join(dir.path, "linked");
    await git(root, ["worktree", "add", "--quiet", "--detach", linked]);
    const shallow = join(dir.path, "shallow");
    await git(dir.path, ["clone", "--quiet", "--depth=1", `file://${root}`, shallow]);
    for (const path of [linked, shallow]) {
      const tree = await open(path);
      assert.deepEqual([tree.sha, await tree.mirror.readFile(sha, "a.txt", 100)], [sha, "two\n"]);
      assert.equal(await tree.mirror.count(null, sha), path === shallow ? 1 : 2);
      assert.equal(tree.checkout?.shallow !== null, path === shallow);
    }
    const { sha: long, mirror } = await open(await checkout("long", "--object-format=sha256"));
    assert.equal(long.length, 64);
    assert.equal(await mirror.readFile(long, "a.txt", 100), "one\n");
  });

  describe("says what is wrong and what to do, without the hints of git, with", () => {
    const refused = (path: string, message: RegExp) =>
      assert.rejects(openWorkingTree(path), { name: "ConfigError", code: "checkout-unreadable", message });

    it("a folder that is not there, or that is a file", async () => {
      const nowhere = join(dir.path, "nowhere");
      await refused(nowhere, /nowhere: there is no such folder\. Name a folder of the checkout\.$/);
      await writeFiles(dir.path, { "a-file": "" });
      await refused(join(dir.path, "a-file"), /a-file is a file\. Name the folder of the checkout that it is in\.$/);
    });

    it("a bare repository", async () => {
      const bare = join(dir.path, "bare.git");
      await initBare(bare, "main");
      await refused(bare, /bare\.git: it is a bare repository, without files\. Name a checkout\.$/);
    });

    it("a repository without a commit inside", async () => {
      await writeFiles(dir.path, { "outer/Dockerfile": "", "outer/inner/a": "" });
      await git(join(dir.path, "outer/inner"), ["init", "--quiet"]);
      await refused(join(dir.path, "outer"), /: inner\/ is a git repository without a commit\. Commit there, or list/);
    });

    it("a checkout of another user, which git does not read", async () => {
      const root = await checkout("theirs");
      await chown(root, 65_534, 65_534);
      await chown(join(root, ".git"), 65_534, 65_534);
      const message = /: it belongs to another user, .*: git config --global --add safe\.directory \S+theirs$/;
      await refused(root, message);
    });
  });

  it("leaves nothing behind once it is closed, nor where the folder cannot be read", async () => {
    const usual = process.env.TMPDIR;
    const tmp = join(dir.path, "tmp");
    await mkdir(tmp);
    process.env.TMPDIR = tmp;
    try {
      const tree = await openWorkingTree(await checkout("closed"));
      assert.equal((await readdir(tmp)).length, 1);
      await tree.close();
      const bare = join(dir.path, "bare.git");
      await initBare(bare, "main");
      await assert.rejects(openWorkingTree(bare), { name: "ConfigError", code: "checkout-unreadable" });
      assert.deepEqual(await readdir(tmp), []);
    } finally {
      if (usual === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = usual;
    }
  });
});
