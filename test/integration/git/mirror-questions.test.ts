import assert from "node:assert/strict";
import { join } from "node:path";
import { never, useGitHost } from "../../support/hosts/git-host.ts";

describe("A query to a git mirror", () => {
  const scene = useGitHost();

  const sync = () => scene.mirror.sync(scene.repo.source, never);

  it("returns a commit", async () => {
    const parent = await scene.repo.commit({ a: "1" });
    const sha = await scene.repo.commit({ a: "2" }, "Ümlaut\n\nand a body");
    await sync();
    const { committedAt, ...rest } = await scene.mirror.commit(sha);
    assert.deepEqual(rest, {
      sha,
      message: "Ümlaut\n\nand a body",
      author: "Ada Lovelace <ada@example.com>",
      parents: [parent],
    });
    assert.ok(Math.abs((committedAt?.getTime() ?? 0) - Date.now()) < 60_000);
  });

  it("reports that a commit is gone, and does not accept an annotated tag's own id as a commit", async () => {
    await scene.repo.commit({ a: "1" });
    await scene.repo.git(["tag", "-a", "v1", "-m", "x"]);
    await scene.repo.push();
    await sync();
    const tag = await scene.repo.git(["rev-parse", "refs/tags/v1"]);
    for (const sha of ["0".repeat(40), tag]) await assert.rejects(scene.mirror.commit(sha), { code: "commit-gone" });
    assert.equal(await scene.mirror.has("0".repeat(40)), false);
    assert.equal(await scene.mirror.isAncestor("0".repeat(40), tag), false);
  });

  it("reads a regular file of a commit, and nothing else", async () => {
    const sha = await scene.repo.commit({
      "a/b.yml": "text: é\n",
      link: { link: "a/b.yml" },
      big: "x".repeat(100),
      "*": "star",
    });
    await sync();
    assert.equal(await scene.mirror.readFile(sha, "a/b.yml", 100), "text: é\n");
    assert.equal(await scene.mirror.readFile(sha, "./a//b.yml", 100), "text: é\n");
    assert.equal(await scene.mirror.readFile(sha, "*", 100), "star");
    assert.equal(await scene.mirror.readFile(sha, "a/none", 100), null);
    assert.equal(await scene.mirror.readFile(sha, "a/b.yml/c", 100), null);
    await assert.rejects(scene.mirror.readFile(sha, "link", 100), {
      code: "path-not-a-file",
      message: /link.*symbolic link/,
    });
    await assert.rejects(scene.mirror.readFile(sha, "a", 100), { code: "path-not-a-file" });
    await assert.rejects(scene.mirror.readFile(sha, "big", 99), { code: "file-too-large", message: /big.*100 bytes/ });
  });

  it("lists the refs that contain a commit, without those that a forced push moved away", async () => {
    const base = await scene.repo.commit({ a: "1" });
    const lost = await scene.repo.commit({ a: "2" });
    await sync();
    assert.deepEqual(await scene.mirror.refsContaining(lost), ["refs/heads/main"]);
    await scene.repo.git(["reset", "--quiet", "--hard", base]);
    const next = await scene.repo.commit({ a: "3" });
    await sync();
    assert.deepEqual(await scene.mirror.refsContaining(lost), []);
    assert.equal(await scene.mirror.isAncestor(lost, next), false);
    assert.equal(await scene.mirror.isAncestor(base, next), true);
    assert.equal(await scene.mirror.isAncestor(next, base), false);
  });

  it("finds the tags on a commit, the tags before it, and their distance", async () => {
    const one = await scene.repo.commit({ a: "1" });
    await scene.repo.git(["tag", "-a", "v1.0.0", "-m", "One"]);
    const two = await scene.repo.commit({ a: "2" });
    const three = await scene.repo.commit({ a: "3" });
    await scene.repo.git(["tag", "v2.0.0"]);
    await scene.repo.push();
    await sync();
    assert.deepEqual(await scene.mirror.tagsOn(one), ["v1.0.0"]);
    assert.deepEqual(await scene.mirror.tagsOn(two), []);
    assert.deepEqual(await scene.mirror.tagsReachable(two), ["v1.0.0"]);
    assert.deepEqual(await scene.mirror.tagsReachable(three), ["v1.0.0", "v2.0.0"]);
    assert.equal(await scene.mirror.count("v1.0.0", three), 2);
    assert.equal(await scene.mirror.count(null, three), 3);
  });

  it("orders commits of a branch by ancestry, whatever their dates say", async () => {
    const early = { GIT_COMMITTER_DATE: "2001-01-01T00:00:00Z" };
    const one = await scene.repo.commit({ a: "1" });
    await scene.repo.git(["commit", "--quiet", "--allow-empty", "-m", "clock wrong"], early);
    const two = await scene.repo.git(["rev-parse", "HEAD"]);
    const three = await scene.repo.commit({ a: "3" });
    await sync();
    const among = new Set([one, three, two, "0".repeat(40)]);
    const places = await scene.mirror.commitsByRef(["refs/heads/main", "refs/heads/none"], among);
    assert.deepEqual([...places], [["refs/heads/main", [three, two, one]]]);
  });

  it("tells if a path changed between a commit and each of its parents", async () => {
    const from = await scene.repo.commit({ "api/a.ts": "1", "web/b.ts": "1", "web/doc.md": "1" });
    const to = await scene.repo.commit({ "web/b.ts": "2" });
    await sync();
    const changed = async (...globs: string[]) => (await scene.mirror.history(to, globs)).get(to)?.parents[0]?.differs;
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
    assert.deepEqual(await scene.mirror.history("0".repeat(40), ["api/**"]), new Map());
    await scene.repo.git(["checkout", "--quiet", "-b", "side", from]);
    const side = await scene.repo.commit({ "api/a.ts": "2" });
    await scene.repo.git(["merge", "--quiet", "--no-edit", to]);
    await scene.repo.push();
    const merge = await scene.repo.git(["rev-parse", "HEAD"]);
    await sync();
    const past = await scene.mirror.history(merge, ["api/**"]);
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
    const one = await scene.repo.commit({ a: "1" });
    const two = await scene.repo.commit({ a: "2" });
    const three = await scene.repo.commit({ a: "3" });
    await sync();
    assert.deepEqual(await scene.mirror.newCommits([one], [three, two]), [three, two]);
    assert.deepEqual(await scene.mirror.newCommits([], [two]), [two, one]);
    assert.deepEqual(await scene.mirror.newCommits(["0".repeat(40), three], [three, "1".repeat(40)]), []);
    assert.deepEqual(await scene.mirror.newCommits([one], []), []);
  });

  it("uses a separate folder for each repo id", () => {
    const paths = ["github:1", "github-1", "GitHub:1", "github/../1", "x".repeat(300)].map(
      (id) => scene.host.mirrors.open(id).path,
    );
    assert.equal(new Set(paths.map((path) => path.toLowerCase())).size, paths.length);
    for (const path of paths) assert.equal(join(path, ".."), join(scene.host.path, "mirrors"));
  });
});
