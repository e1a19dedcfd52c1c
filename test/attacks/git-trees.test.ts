import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ContextOrder, checkTree, openContext } from "../../src/git/context.ts";
import type { Mirror } from "../../src/git/mirror.ts";
import { never, startWorld, type WorkTree, type World } from "../integration/git/fixture.ts";
import { testRun } from "../support/run.ts";

const ORDER: ContextOrder = { contextDir: ".", dockerfile: "Dockerfile", maxBytes: 1e8, maxEntries: 10_000 };

describe("A hostile tree as a build context", () => {
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
    repo = await world.repo(`t${count}`);
    mirror = world.mirrors.open(`github:${count}`);
  });

  const open = (sha: string) => openContext(mirror, sha, ORDER, testRun());

  const crafted: [
    title: string,
    make: (blob: string, tree: string) => [mode: string, name: string, object: string][],
  ][] = [
    ["a file whose name climbs out", (blob) => [["100644", "../evil", blob]]],
    ["a folder called ..", (_, tree) => [["40000", "..", tree]]],
    ["a .git folder", (_, tree) => [["40000", ".git", tree]]],
    ["a .GIT folder", (_, tree) => [["40000", ".GIT", tree]]],
    ["an absolute name", (blob) => [["100644", "/tmp/evil", blob]]],
    [
      "a link and a folder of one name",
      (blob, tree) => [
        ["120000", "x", blob],
        ["40000", "x", tree],
      ],
    ],
  ];
  for (const [title, make] of crafted) {
    it(`refuses ${title}`, async () => {
      await repo.commit({ Dockerfile: "FROM scratch\n" });
      const blob = await repo.git(["rev-parse", "HEAD:Dockerfile"]);
      const inner = await writeTree(repo, [["100644", "inner", blob]]);
      const sha = await commitTree(repo, await writeTree(repo, [["100644", "Dockerfile", blob], ...make(blob, inner)]));
      await mirror.sync(repo.source, never);
      await assert.rejects(open(sha), { code: "context-bad-name" });
    });
  }

  it("refuses a few objects that stand for billions of files, in little time", async () => {
    await repo.commit({ Dockerfile: "FROM scratch\n" });
    const blob = await repo.git(["rev-parse", "HEAD:Dockerfile"]);
    let [mode, object] = ["100644", blob];
    for (let level = 0; level < 10; level += 1) {
      object = await writeTree(
        repo,
        Array.from("abcdefghij", (name) => [mode, name, object]),
      );
      mode = "40000";
    }
    const sha = await commitTree(
      repo,
      await writeTree(repo, [
        ["100644", "Dockerfile", blob],
        ["40000", "bomb", object],
      ]),
    );
    await mirror.sync(repo.source, never);
    const start = performance.now();
    await assert.rejects(open(sha), { code: "context-too-many-entries" });
    await checkTree(mirror, sha, ORDER);
    assert.ok(performance.now() - start < 10_000);
  });

  it("goes on serving others while it reads a hostile .dockerignore", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 300 }, (_, index) => [`${"a".repeat(60)}/${index}${"a".repeat(60)}`, ""]),
    );
    const sha = await repo.commit({
      Dockerfile: "FROM scratch\n",
      ".dockerignore": `${"*a".repeat(30)}b\n`.repeat(900),
      ...files,
    });
    await mirror.sync(repo.source, never);
    let longest = 0;
    let last = performance.now();
    const beat = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    const stop = AbortSignal.timeout(3_000);
    await openContext(mirror, sha, ORDER, testRun(stop)).then(
      (stream) => stream.destroy(),
      () => {},
    );
    clearInterval(beat);
    assert.ok(longest < 1_500, `the process was held up for ${longest} ms`);
  });
});

/** A tree of exactly these entries, which `git mktree` would refuse. */
async function writeTree(repo: WorkTree, entries: [mode: string, name: string, object: string][]): Promise<string> {
  const file = join(repo.path, ".git", "crafted-tree");
  await writeFile(
    file,
    Buffer.concat(
      entries.flatMap(([mode, name, object]) => [Buffer.from(`${mode} ${name}\0`), Buffer.from(object, "hex")]),
    ),
  );
  return repo.git(["hash-object", "-t", "tree", "-w", "--literally", file]);
}

async function commitTree(repo: WorkTree, tree: string): Promise<string> {
  const sha = await repo.git(["commit-tree", "-m", "Crafted", tree]);
  await repo.git(["update-ref", "refs/heads/main", sha]);
  await repo.push();
  return sha;
}
