import assert from "node:assert/strict";
import { join } from "node:path";
import { compareCommits } from "../../../src/git/compare.ts";
import { never, useGitHost } from "../../support/hosts/git-host.ts";

describe("A comparison of two commits", () => {
  const scene = useGitHost();
  const compare = (from: string, to: string, { maxCommits = 10, maxFiles = 10 } = {}) =>
    compareCommits(scene.mirror.path, { from, to }, { maxCommits, maxFiles, signal: never });

  it("has the commits of each side and the files that differ, with their lines", async () => {
    const one = await scene.repo.commit({ kept: "1\n", gone: "1\n2\n", binary: Buffer.from([0, 1, 2]) }, "Begin");
    const two = await scene.repo.commit(
      { gone: null, "new file\twith\nodd name": "x\n", kept: "1\n2\n" },
      'Say "hi"\n\nMore.',
    );
    const three = await scene.repo.commit({ binary: Buffer.from([0, 1, 3]) }, "Last");
    await scene.repo.push();
    await scene.mirror.sync(scene.repo.source, never);
    const found = await compare(one, three);
    assert.deepEqual(
      found?.commits.map(({ sha, subject }) => [sha, subject]),
      [
        [three, "Last"],
        [two, 'Say "hi"'],
      ],
    );
    assert.ok(found?.commits.every(({ at, author }) => at > 0 && author.length > 0));
    assert.deepEqual(found?.commitsBack, []);
    assert.deepEqual(
      found?.files.map(({ path, status, added, removed }) => [path, status, added, removed]),
      [
        ["binary", "changed", null, null],
        ["gone", "removed", 0, 2],
        ["kept", "changed", 1, 0],
        ["new file\twith\nodd name", "added", 1, 0],
      ],
    );
    const back = await compare(three, one);
    assert.deepEqual([back?.commits, back?.commitsBack.map(({ sha }) => sha)], [[], [three, two]]);
    assert.deepEqual(await compare(one, one), { commits: [], commitsBack: [], files: [], isCut: false });
    const cut = await compare(one, three, { maxCommits: 1, maxFiles: 2 });
    assert.deepEqual([cut?.commits.length, cut?.files.length, cut?.isCut], [1, 2, true]);
  });

  it("is null without a mirror, or if the mirror lacks a commit", async () => {
    const sha = await scene.repo.commit({ a: "1" });
    await scene.repo.push();
    const nowhere = join(scene.mirror.path, "not-there");
    const limits = { maxCommits: 1, maxFiles: 1, signal: never };
    assert.equal(await compareCommits(nowhere, { from: sha, to: sha }, limits), null);
    await scene.mirror.sync(scene.repo.source, never);
    assert.equal(await compare(sha, "f".repeat(40)), null);
    await assert.rejects(compare(sha, "--output=x"), { code: "bad-sha" });
  });
});
