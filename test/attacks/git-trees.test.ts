import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";
import { type ContextOrder, checkBuildPaths, openContext } from "../../src/git/context.ts";
import { buildFiles } from "../support/engine/file-builds.ts";
import { orderOf, shellImage, startYard } from "../support/engine/image-builds.ts";
import { testRun } from "../support/fixtures/run.ts";
import { never, useGitHost, type WorkTree } from "../support/hosts/git-host.ts";

const ORDER: ContextOrder = { contextDir: ".", dockerfile: "Dockerfile", maxBytes: 1e8, maxEntries: 10_000 };

describe("A hostile tree as a build context", () => {
  const scene = useGitHost();

  const open = (sha: string) => openContext(scene.mirror, sha, ORDER, testRun());

  const crafted: [
    title: string,
    make: (blob: string, tree: string) => [mode: string, name: string, object: string][],
  ][] = [
    ["a file name that leads out with ..", (blob) => [["100644", "../evil", blob]]],
    ["a folder called ..", (_, tree) => [["40000", "..", tree]]],
    ["a .git folder", (_, tree) => [["40000", ".git", tree]]],
    ["a .GIT folder", (_, tree) => [["40000", ".GIT", tree]]],
    ["an absolute name", (blob) => [["100644", "/tmp/evil", blob]]],
    [
      "a link and a folder with the same name",
      (blob, tree) => [
        ["120000", "x", blob],
        ["40000", "x", tree],
      ],
    ],
  ];
  for (const [title, make] of crafted) {
    it(`is refused if it holds ${title}`, async () => {
      await scene.repo.commit({ Dockerfile: "FROM scratch\n" });
      const blob = await scene.repo.git(["rev-parse", "HEAD:Dockerfile"]);
      const inner = await writeTree(scene.repo, [["100644", "inner", blob]]);
      const sha = await commitTree(
        scene.repo,
        await writeTree(scene.repo, [["100644", "Dockerfile", blob], ...make(blob, inner)]),
      );
      await scene.mirror.sync(scene.repo.source, never);
      await assert.rejects(open(sha), { code: "context-bad-name" });
    });
  }

  describe("with file names of arbitrary bytes", () => {
    // Each character is one byte.
    const names = [
      ...[
        "\xff",
        "\xfe",
        "\xc3",
        "\xc3\x28",
        "\xed\xa0\x80",
        "\xef\xbf\xbd",
        "gr\xc3\xbc\xc3\x9fe",
        "\xf0\x9f\x98\x80\xff",
      ],
      ...[
        "line\nbreak",
        "tab\tin",
        "back\\slash",
        "-rf",
        "end ",
        " begin",
        "C:x",
        ":(top)",
        "*",
        "[a",
        "~",
        "$(x)",
        "'\"",
      ],
      ...["Case", "case", "CASE", "x".repeat(255), "\xff".repeat(255), "\xfe".repeat(101)],
    ];
    let sha: string;

    beforeEach(async () => {
      await scene.repo.commit({ Dockerfile: "FROM scratch\n", ".dockerignore": "in/~\n" });
      const blob = await scene.repo.git(["rev-parse", "HEAD:Dockerfile"]);
      const ignore = await scene.repo.git(["rev-parse", "HEAD:.dockerignore"]);
      const inner = await writeTree(
        scene.repo,
        names.toSorted().map((name) => ["100644", name, blob]),
      );
      const deep = await writeTree(scene.repo, [["40000", "\xfe".repeat(200), inner]]);
      const root = await writeTree(scene.repo, [
        ["100644", ".dockerignore", ignore],
        ["100644", "Dockerfile", blob],
        ["40000", "in", inner],
        ["40000", "\xff\xfd", deep],
        ["40000", "\xff\xfe", inner],
      ]);
      sha = await commitTree(scene.repo, root);
      await scene.mirror.sync(scene.repo.source, never);
    });

    for (const [title, order, top, ignored] of [
      ["if git packs it", { dockerfile: null }, ["\xff\xfd/", "\xff\xfe/", "in/"], null],
      ["if deliverd packs it for an ignore file", {}, ["\xff\xfd/", "\xff\xfe/", "in/"], "in/~"],
      ["if deliverd packs it for a folder", { dockerfile: null, contextDir: "in" }, [""], null],
    ] as const) {
      it(`delivers every name to the build, ${title}`, async () => {
        const unpacked = await listUnpacked(
          await openContext(scene.mirror, sha, { ...ORDER, ...order }, testRun()),
          scene.host.path,
        );
        for (const folder of top) {
          const inside = folder === "\xff\xfd/" ? `${folder}${"\xfe".repeat(200)}/` : folder;
          const found = unpacked.filter((path) => path.startsWith(inside)).map((path) => path.slice(inside.length));
          assert.deepEqual(
            found.filter((path) => path !== "").sort(),
            names.filter((name) => `${folder}${name}` !== ignored).sort(),
          );
        }
      });
    }

    it("finds a file by its name, and tells two names apart that differ in one byte", async () => {
      for (const name of ["gr\u00fc\u00dfe", "Case", "\uFFFD"])
        assert.equal((await scene.mirror.entry(sha, `in/${name}`))?.kind, "regular file");
      const seen = new Set<string>();
      for await (const [path] of scene.mirror.tree(sha, never)) seen.add(path);
      assert.equal(seen.size, 2 + 3 + 1 + 3 * names.length);
    });

    it("is refused above the size limit", async () => {
      await assert.rejects(openContext(scene.mirror, sha, { ...ORDER, maxBytes: 1000 }, testRun()), {
        code: "context-too-large",
      });
    });
  });

  it("reaches file builds and image builds with every name unchanged", async function () {
    this.timeout(120_000);
    const names = ["\xff", "\xfe", "line\nbreak", "back\\slash"];
    for (const name of names) await writeFile(Buffer.from(`${scene.repo.path}/${name}`, "latin1"), "");
    const say = '(for name in *; do echo "$name"; done) | /bin/busybox od -An -v -tx1';
    const dockerfile = `FROM ${shellImage}\nCOPY . /in\nRUN cd /in && ${say}\n`;
    const sha = await scene.repo.commit({ Dockerfile: dockerfile, ".dockerignore": "ignored\n", ignored: "" });
    await scene.mirror.sync(scene.repo.source, never);
    const expected = (all: string[]) => Buffer.from(all.map((name) => `${name}\n`).join(""), "latin1").toString("hex");
    const hex = (text: string) => text.replace(/[^0-9a-f]/g, "");
    const yard = await startYard();
    try {
      const openTree = () => openContext(scene.mirror, sha, { ...ORDER, dockerfile: null }, testRun());
      const { texts } = await buildFiles(yard, { run: [`${say} > /tmp/out`, "cp /tmp/out out"], openTree });
      assert.equal(
        hex(texts.out ?? ""),
        expected(["Dockerfile", "back\\slash", "ignored", "line\nbreak", "\xfe", "\xff"]),
      );
      const run = testRun();
      const order = orderOf(
        { Dockerfile: dockerfile },
        { openContext: () => openContext(scene.mirror, sha, ORDER, run) },
      );
      await yard.builder().build(order, run);
      const [, said = ""] = /od -An -v -tx1\n([0-9a-f \n]+)\n/.exec(run.text()) ?? [];
      assert.equal(hex(said), expected(["Dockerfile", "back\\slash", "line\nbreak", "\xfe", "\xff"]));
    } finally {
      await yard.stop();
    }
  });

  it("may come from a repo with refs that are not UTF-8, which are left out", async () => {
    const sha = await scene.repo.commit({ Dockerfile: "FROM scratch\n" });
    const packed = ["heads/\xff", "heads/\xfe", "heads/main", "tags/v1\xff"].map((name) => `${sha} refs/${name}\n`);
    await writeFile(
      join(scene.repo.bare, "packed-refs"),
      Buffer.from(`# pack-refs with: sorted \n${packed.sort().join("")}`, "latin1"),
    );
    await scene.mirror.sync(scene.repo.source, never);
    assert.deepEqual([...(await scene.mirror.refs()).keys()], ["refs/heads/main"]);
    assert.deepEqual(await scene.mirror.refsContaining(sha), ["refs/heads/main"]);
    const refs = [...(await scene.mirror.refs()).keys()];
    const places = await scene.mirror.commitsByRef(refs, new Set([sha]));
    for (const ref of refs) assert.deepEqual(places.get(ref), [sha]);
    assert.equal(await scene.mirror.count(null, sha), 1);
  });

  it("is refused quickly if a few objects stand for billions of files", async () => {
    await scene.repo.commit({ Dockerfile: "FROM scratch\n" });
    const blob = await scene.repo.git(["rev-parse", "HEAD:Dockerfile"]);
    let [mode, object] = ["100644", blob];
    for (let level = 0; level < 10; level += 1) {
      object = await writeTree(
        scene.repo,
        Array.from("abcdefghij", (name) => [mode, name, object]),
      );
      mode = "40000";
    }
    const sha = await commitTree(
      scene.repo,
      await writeTree(scene.repo, [
        ["100644", "Dockerfile", blob],
        ["40000", "bomb", object],
      ]),
    );
    await scene.mirror.sync(scene.repo.source, never);
    const start = performance.now();
    await assert.rejects(open(sha), { code: "context-too-many-entries" });
    await checkBuildPaths(scene.mirror, sha, ORDER);
    assert.ok(performance.now() - start < 10_000);
  });

  it("never blocks the process with a hostile .dockerignore", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 300 }, (_, index) => [`${"a".repeat(60)}/${index}${"a".repeat(60)}`, ""]),
    );
    const sha = await scene.repo.commit({
      Dockerfile: "FROM scratch\n",
      ".dockerignore": `${"*a".repeat(30)}b\n`.repeat(900),
      ...files,
    });
    await scene.mirror.sync(scene.repo.source, never);
    let longest = 0;
    let last = performance.now();
    const beat = setInterval(() => {
      longest = Math.max(longest, performance.now() - last);
      last = performance.now();
    }, 5);
    const stop = AbortSignal.timeout(3_000);
    await openContext(scene.mirror, sha, ORDER, testRun(stop)).then(
      (stream) => stream.destroy(),
      () => {},
    );
    clearInterval(beat);
    assert.ok(longest < 1_500, `the process was held up for ${longest} ms`);
  });
});

/** The paths that GNU tar makes of the stream, each byte a character. */
async function listUnpacked(stream: Readable, dir: string): Promise<string[]> {
  const into = await mkdtemp(join(dir, "unpacked-"));
  const child = execFile("tar", ["-x", "-C", into]);
  const ended = once(child, "exit");
  if (child.stdin !== null) await pipeline(stream, child.stdin);
  assert.equal((await ended)[0], 0);
  const { stdout } = await promisify(execFile)("find", [".", "-mindepth", "1", "-printf", "%P\\0"], {
    cwd: into,
    encoding: "latin1",
    env: { ...process.env, LC_ALL: "C" },
  });
  return stdout.split("\0").slice(0, -1);
}

/** A tree of exactly these entries, which `git mktree` would refuse. */
async function writeTree(repo: WorkTree, entries: [mode: string, name: string, object: string][]): Promise<string> {
  const file = join(repo.path, ".git", "crafted-tree");
  await writeFile(
    file,
    Buffer.concat(
      entries.flatMap(([mode, name, object]) => [
        Buffer.from(`${mode} ${name}\0`, "latin1"),
        Buffer.from(object, "hex"),
      ]),
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
