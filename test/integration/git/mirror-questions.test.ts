import assert from "node:assert/strict";
import { join } from "node:path";
import type { Mirror } from "../../../src/git/mirror.ts";
import { never, startWorld, type WorkTree, type World } from "./fixture.ts";

describe("A mirror that is asked", () => {
  let world: World;
  let repo: WorkTree;
  let mirror: Mirror;
  let count = 0;

  before(async () => {
    world = await startWorld();
  });
  after(() => world.close());
  beforeEach(async () => {
    count += 1;
    repo = await world.repo(`q${count}`);
    mirror = world.mirrors.open(`github:${count}`);
  });

  const sync = () => mirror.sync(repo.source, never);

  it("tells a commit", async () => {
    const parent = await repo.commit({ a: "1" });
    const sha = await repo.commit({ a: "2" }, "Ümlaut\n\nand a body");
    await sync();
    const { committedAt, ...rest } = await mirror.commit(sha);
    assert.deepEqual(rest, {
      sha,
      message: "Ümlaut\n\nand a body",
      author: "Ada Lovelace <ada@example.com>",
      parents: [parent],
    });
    assert.ok(Math.abs((committedAt?.getTime() ?? 0) - Date.now()) < 60_000);
  });

  it("says that a commit is gone, and takes an annotated tag's own id for none", async () => {
    await repo.commit({ a: "1" });
    await repo.git(["tag", "-a", "v1", "-m", "x"]);
    await repo.push();
    await sync();
    const tag = await repo.git(["rev-parse", "refs/tags/v1"]);
    for (const sha of ["0".repeat(40), tag]) await assert.rejects(mirror.commit(sha), { code: "commit-gone" });
    assert.equal(await mirror.has("0".repeat(40)), false);
    assert.equal(await mirror.isAncestor("0".repeat(40), tag), false);
  });

  it("reads a regular file of a commit, and nothing else", async () => {
    const sha = await repo.commit({
      "a/b.yml": "text: é\n",
      link: { link: "a/b.yml" },
      big: "x".repeat(100),
      "*": "star",
    });
    await sync();
    assert.equal(await mirror.readFile(sha, "a/b.yml", 100), "text: é\n");
    assert.equal(await mirror.readFile(sha, "./a//b.yml", 100), "text: é\n");
    assert.equal(await mirror.readFile(sha, "*", 100), "star");
    assert.equal(await mirror.readFile(sha, "a/none", 100), null);
    assert.equal(await mirror.readFile(sha, "a/b.yml/c", 100), null);
    await assert.rejects(mirror.readFile(sha, "link", 100), {
      code: "path-not-a-file",
      message: /link.*symbolic link/,
    });
    await assert.rejects(mirror.readFile(sha, "a", 100), { code: "path-not-a-file" });
    await assert.rejects(mirror.readFile(sha, "big", 99), { code: "file-too-large", message: /big.*100 bytes/ });
  });

  it("knows which refs hold a commit, and that a forced push takes it out of them", async () => {
    const base = await repo.commit({ a: "1" });
    const lost = await repo.commit({ a: "2" });
    await sync();
    assert.deepEqual(await mirror.refsContaining(lost), ["refs/heads/main"]);
    await repo.git(["reset", "--quiet", "--hard", base]);
    const next = await repo.commit({ a: "3" });
    await sync();
    assert.deepEqual(await mirror.refsContaining(lost), []);
    assert.equal(await mirror.isAncestor(lost, next), false);
    assert.equal(await mirror.isAncestor(base, next), true);
    assert.equal(await mirror.isAncestor(next, base), false);
  });

  it("knows the tags on a commit, those before it, and how far they are", async () => {
    const one = await repo.commit({ a: "1" });
    await repo.git(["tag", "-a", "v1.0.0", "-m", "One"]);
    const two = await repo.commit({ a: "2" });
    const three = await repo.commit({ a: "3" });
    await repo.git(["tag", "v2.0.0"]);
    await repo.push();
    await sync();
    assert.deepEqual(await mirror.tagsOn(one), ["v1.0.0"]);
    assert.deepEqual(await mirror.tagsOn(two), []);
    assert.deepEqual(await mirror.tagsReachable(two), ["v1.0.0"]);
    assert.deepEqual(await mirror.tagsReachable(three), ["v1.0.0", "v2.0.0"]);
    assert.equal(await mirror.count("v1.0.0", three), 2);
    assert.equal(await mirror.count(null, three), 3);
  });

  it("orders commits of a branch by descent, whatever their clocks say", async () => {
    const early = { GIT_COMMITTER_DATE: "2001-01-01T00:00:00Z" };
    const one = await repo.commit({ a: "1" });
    await repo.git(["commit", "--quiet", "--allow-empty", "-m", "clock wrong"], early);
    const two = await repo.git(["rev-parse", "HEAD"]);
    const three = await repo.commit({ a: "3" });
    await sync();
    const among = new Set([one, three, two, "0".repeat(40)]);
    const places = await mirror.commitsByRef(["refs/heads/main", "refs/heads/none"], among);
    assert.deepEqual([...places], [["refs/heads/main", [three, two, one]]]);
  });

  it("knows whether a path changed between a commit and each of its parents", async () => {
    const from = await repo.commit({ "api/a.ts": "1", "web/b.ts": "1", "web/doc.md": "1" });
    const to = await repo.commit({ "web/b.ts": "2" });
    await sync();
    const changed = async (...globs: string[]) => (await mirror.history(to, globs)).get(to)?.parents[0]?.differs;
    assert.deepEqual(
      [
        await changed("web/**"),
        await changed("api/**"),
        await changed("**/*.ts"),
        await changed("*.ts"),
        await changed("web"),
      ],
      [true, false, true, false, true],
    );
    assert.equal(await changed("web/**", "!**/*.ts"), false);
    assert.deepEqual(await mirror.history("0".repeat(40), ["api/**"]), new Map());
    await repo.git(["checkout", "--quiet", "-b", "side", from]);
    const side = await repo.commit({ "api/a.ts": "2" });
    await repo.git(["merge", "--quiet", "--no-edit", to]);
    await repo.push();
    const merge = await repo.git(["rev-parse", "HEAD"]);
    await sync();
    const past = await mirror.history(merge, ["api/**"]);
    assert.deepEqual(
      [merge, side, to].map((sha) => past.get(sha)?.parents),
      [
        [
          { sha: side, differs: false },
          { sha: to, differs: true },
        ],
        [{ sha: from, differs: true }],
        [{ sha: from, differs: false }],
      ],
    );
    await assert.rejects(changed("{api,web}/**"), { code: "bad-glob" });
  });

  it("lists the commits that no known ref reached before", async () => {
    const one = await repo.commit({ a: "1" });
    const two = await repo.commit({ a: "2" });
    const three = await repo.commit({ a: "3" });
    await sync();
    assert.deepEqual(await mirror.newCommits([one], [three, two]), [three, two]);
    assert.deepEqual(await mirror.newCommits([], [two]), [two, one]);
    assert.deepEqual(await mirror.newCommits(["0".repeat(40), three], [three, "1".repeat(40)]), []);
    assert.deepEqual(await mirror.newCommits([one], []), []);
  });

  it("stands under a name of its own for every repo id", () => {
    const paths = ["github:1", "github-1", "GitHub:1", "github/../1", "x".repeat(300)].map(
      (id) => world.mirrors.open(id).path,
    );
    assert.equal(new Set(paths.map((path) => path.toLowerCase())).size, paths.length);
    for (const path of paths) assert.equal(join(path, ".."), join(world.path, "mirrors"));
  });
});
