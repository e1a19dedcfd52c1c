import assert from "node:assert/strict";
import { type ContextOrder, openContext } from "../../../src/git/context.ts";
import { testRun } from "../../support/fixtures/run.ts";
import type { Files } from "../../support/fixtures/work-tree.ts";
import { never, useGitHost } from "../../support/hosts/git-host.ts";

const ROOT: ContextOrder = { contextDir: ".", dockerfile: "Dockerfile", maxBytes: 1e9, maxEntries: 100_000 };
const pointer = (size: number) =>
  `version https://git-lfs.github.com/spec/v1\noid sha256:${"4d7a".repeat(16)}\nsize ${size}\n`;
const ATTRIBUTES = "# big files\n*.bin filter=lfs diff=lfs merge=lfs -text\n";

describe("What a tree has in place of the real content", () => {
  const scene = useGitHost();

  async function logOf(files: Files, order: Partial<ContextOrder> = {}): Promise<string> {
    const sha = await scene.repo.commit({ Dockerfile: "FROM scratch\n", ...files });
    return logOfCommit(sha, order);
  }

  async function logOfCommit(sha: string, order: Partial<ContextOrder> = {}): Promise<string> {
    await scene.mirror.sync(scene.repo.source, never);
    const run = testRun();
    const stream = await openContext(scene.mirror, sha, { ...ROOT, ...order }, run);
    for await (const _ of stream);
    return run.text();
  }

  it("is named in the log: pointers of Git LFS, the first ones by their paths", async () => {
    const files = Object.fromEntries(Array.from({ length: 7 }, (_, n) => [`assets/${n}.bin`, pointer(n)]));
    const log = await logOf({ ".gitattributes": ATTRIBUTES, ...files, "plain.bin": "x".repeat(130) });
    assert.match(
      log,
      /^7 files are pointers of Git LFS: assets\/0\.bin, .*, assets\/4\.bin and 2 more\. The build gets the pointers,/m,
    );
  });

  it("is no pointer without the attribute, beyond the context, or where .dockerignore leaves it out", async () => {
    assert.doesNotMatch(await logOf({ ".gitattributes": "*.bin -text\n# filter=lfs\n", "a.bin": pointer(1) }), /LFS/);
    const apart: Files = { ".gitattributes": ATTRIBUTES, "a.bin": pointer(1), "api/main.c": "int main;" };
    assert.doesNotMatch(await logOf(apart, { contextDir: "api" }), /LFS/);
    assert.doesNotMatch(await logOf({ ...apart, ".dockerignore": "*.bin\n" }), /LFS/);
    assert.match(await logOf({ ...apart, ".dockerignore": "api\n" }), /^1 file is a pointer of Git LFS: a\.bin\./m);
  });

  it("ends the build if the pipeline says so (lfs-pointers)", async () => {
    await assert.rejects(
      logOf({ "assets/.gitattributes": ATTRIBUTES, "assets/a.bin": pointer(1) }, { refusesLfs: true }),
      {
        name: "UserError",
        code: "lfs-pointers",
        message: /^1 file is a pointer of Git LFS: assets\/a\.bin\. .* lfs: refuse\. /,
      },
    );
  });

  it("is named in the log: submodules", async () => {
    await scene.repo.commit({ Dockerfile: "FROM scratch\n" });
    await scene.repo.git(["update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},lib/sub`]);
    await scene.repo.git(["commit", "--quiet", "-m", "Submodule"]);
    await scene.repo.git(["checkout", "--quiet", "HEAD"]);
    await scene.repo.push();
    const log = await logOfCommit(await scene.repo.git(["rev-parse", "HEAD"]));
    assert.match(log, /^Submodules are empty folders: lib\/sub\.$/m);
  });
});
