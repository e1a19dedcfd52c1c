import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { lstat, readdir, readFile, readlink } from "node:fs/promises";
import { basename, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import tar from "tar-stream";
import { UserError } from "../../../src/delivery/errors.ts";
import { type ContextOrder, checkBuildPaths, isDockerfileOutside, openContext } from "../../../src/git/context.ts";
import type { BuildPaths } from "../../../src/git/tree.ts";
import { testRun } from "../../support/fixtures/run.ts";
import type { Files } from "../../support/fixtures/work-tree.ts";
import { checkout, never, useGitHost } from "../../support/hosts/git-host.ts";
import { until } from "../../support/processes/process.ts";

const ROOT: ContextOrder = { contextDir: ".", dockerfile: "Dockerfile", maxBytes: 1e9, maxEntries: 100_000 };

describe("A build context", () => {
  const scene = useGitHost();

  /** Commits the files with a Dockerfile and syncs. */
  const commit = async (files: Files) => {
    const sha = await scene.repo.commit({ Dockerfile: "FROM scratch\n", ...files });
    await scene.mirror.sync(scene.repo.source, never);
    return sha;
  };
  const open = (sha: string, order: Partial<ContextOrder> = {}) =>
    openContext(scene.mirror, sha, { ...ROOT, ...order }, testRun());
  const names = async (sha: string, order: Partial<ContextOrder> = {}) =>
    [...(await unpack(await open(sha, order))).keys()].sort();

  describe("equals a checkout on Linux, byte for byte and mode for mode", () => {
    const tricky: Files = {
      ".gitattributes":
        "[attr]hidden export-ignore\nDockerfile export-ignore\nsecret hidden\ngone/ export-ignore\nversion.txt export-subst\n" +
        "*.bat text eol=crlf\n*.id ident\n*.utf16 text working-tree-encoding=UTF-16LE\n",
      secret: "here all the same\n",
      "gone/file": "here\n",
      "version.txt": "$Format:%H$\n",
      "run.sh": { executable: "#!/bin/sh\n" },
      "win.bat": "one\ntwo\n",
      "deep/win.bat": "one\ntwo\n",
      "crlf.txt": "one\r\ntwo\r\n",
      "x.id": "$Id$\n",
      "in link": { link: "run.sh" },
      "out link": { link: "/etc/passwd" },
      dangling: { link: "../../nowhere" },
      "ünïcode/日本語.txt": "é\n",
      "spaces and 'quotes\"/a b": "x",
      empty: "",
      [`${"long/".repeat(40)}${"name".repeat(30)}`]: "far down\n",
      "deep/.gitattributes": "inner export-ignore export-subst\n",
      "deep/inner": "$Format:%H$\n",
    };

    for (const [title, order, files] of [
      ["if git packs it", {}, {}],
      ["if deliverd packs it for an ignore file", {}, { ".dockerignore": "nothing-of-this-name\nempty\n" }],
      ["if deliverd packs it for a folder", { contextDir: "deep" }, {}],
    ] as const) {
      it(title, async () => {
        const sha = await commit({ ...tricky, ...files });
        const directory = join(scene.host.path, `checkout-${basename(scene.repo.path)}`);
        await checkout(scene.repo, sha, directory);
        const wanted = await onDisk(join(directory, "contextDir" in order ? order.contextDir : "."));
        if (".dockerignore" in files) wanted.delete("empty");
        assert.deepEqual(new Map([...(await unpack(await open(sha, order)))].sort()), new Map([...wanted].sort()));
      });
    }

    it("with an empty folder where a submodule is", async () => {
      await scene.repo.commit({ a: "1" });
      await scene.repo.git(["update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},lib/sub`]);
      await scene.repo.git(["commit", "--quiet", "-m", "Submodule"]);
      await scene.repo.git(["checkout", "--quiet", "HEAD"]);
      const sha = await scene.repo.git(["rev-parse", "HEAD"]);
      await scene.repo.push();
      await scene.mirror.sync(scene.repo.source, never);
      await assert.rejects(open(sha), { code: "dockerfile-missing" });
      assert.deepEqual(await names(sha, { dockerfile: "a" }), ["a", "lib", "lib/sub"]);
    });
  });

  describe("applies .dockerignore", () => {
    it("to itself and the Dockerfile too, and reports if the Dockerfile is left out", async () => {
      const sha = await commit({ ".dockerignore": "*\n!b\n", a: "1", "b/c": "1", "b/api": "FROM scratch\n" });
      assert.deepEqual(await names(sha), ["b", "b/api", "b/c"]);
      const apart = (paths: Partial<BuildPaths>) => isDockerfileOutside(scene.mirror, sha, { ...ROOT, ...paths });
      assert.equal(await apart({}), true);
      assert.equal(await apart({ dockerfile: "b/api" }), false);
      assert.equal(await apart({ contextDir: "b", dockerfile: "b/api" }), false);
      assert.equal(await apart({ contextDir: "b" }), true);
    });

    it("with stars below an excluded folder, as newer versions of Docker do", async () => {
      const files = { "src/deep/a.md": "1", "src/deep/b": "1", "c.md": "1" };
      const sha = await commit({ ".dockerignore": "**\n!src/**/*.md\n", ...files });
      assert.deepEqual(await names(sha), ["src", "src/deep", "src/deep/a.md"]);
    });

    it("and keeps the parent folders of an exception, and folders that become empty", async () => {
      const sha = await commit({
        ".dockerignore": "src\n!src/keep/*.ts\nlogs/*\n",
        "src/a": "1",
        "src/keep/b.ts": "1",
        "src/keep/c": "1",
        "logs/x": "1",
      });
      assert.deepEqual(await names(sha), [".dockerignore", "Dockerfile", "logs", "src", "src/keep", "src/keep/b.ts"]);
    });

    it("unless an ignore file beside the Dockerfile takes precedence", async () => {
      const sha = await commit({
        ".dockerignore": "*\n",
        "docker/api": "FROM scratch\n",
        "docker/api.dockerignore": "b\n",
        a: "1",
        b: "1",
      });
      assert.deepEqual(await names(sha, { dockerfile: "docker/api" }), [
        ".dockerignore",
        "Dockerfile",
        "a",
        "docker",
        "docker/api",
        "docker/api.dockerignore",
      ]);
    });

    it("of the context's own folder, with paths relative to that folder", async () => {
      const sha = await commit({
        ".dockerignore": "*\n",
        "api/.dockerignore": "/node_modules\n",
        "api/node_modules/x": "1",
        "api/src/node_modules": "1",
      });
      assert.deepEqual(await names(sha, { contextDir: "api" }), [".dockerignore", "src", "src/node_modules"]);
    });

    it("and fails if it is invalid, naming the line", async () => {
      const sha = await commit({ ".dockerignore": "ok\na[b\n" });
      await assert.rejects(open(sha), { code: "dockerignore-pattern", message: /\.dockerignore, line 2.*a\[b/ });
    });

    it("before it counts the size against the limit", async () => {
      const sha = await commit({ ".dockerignore": "big\n", big: "x".repeat(100_000) });
      assert.deepEqual(await names(sha, { maxBytes: 50_000 }), [".dockerignore", "Dockerfile"]);
    });
  });

  describe("is refused at the early check and when it is opened", () => {
    const refused = async (sha: string, order: Partial<ContextOrder>, code: string, text: RegExp) => {
      const expected = (error: unknown) => {
        assert.ok(error instanceof UserError, String(error));
        assert.equal(error.code, code);
        assert.match(error.message, text);
        return true;
      };
      await assert.rejects(checkBuildPaths(scene.mirror, sha, { ...ROOT, ...order }), expected);
      await assert.rejects(open(sha, order), expected);
    };

    it("if there is no Dockerfile", async () => {
      const sha = await commit({ folder: { link: "x" }, "a/b": "1" });
      await refused(
        sha,
        { dockerfile: "docker/Dockerfile" },
        "dockerfile-missing",
        new RegExp(`docker/Dockerfile.*${sha}`),
      );
      await refused(sha, { dockerfile: "a" }, "dockerfile-missing", /directory/);
    });

    it("if its folder does not exist", async () => {
      const sha = await commit({ "a/b": "1" });
      await refused(sha, { contextDir: "c" }, "context-missing", /no c in/);
      await refused(sha, { contextDir: "a/b" }, "context-missing", /regular file/);
    });

    it("if a symbolic link is on the path", async () => {
      const sha = await commit({ etc: { link: "/etc" }, Linked: { link: "Dockerfile" }, "a/up": { link: ".." } });
      await refused(sha, { dockerfile: "Linked" }, "path-is-a-symlink", /Linked/);
      await refused(sha, { dockerfile: "etc/passwd" }, "path-is-a-symlink", /etc.*for etc\/passwd/);
      await refused(sha, { contextDir: "a/up" }, "path-is-a-symlink", /a\/up/);
    });

    it("if a path leads out of the repository", async () => {
      const sha = await commit({});
      for (const path of ["../x", "/etc", "a/../../x", ""]) {
        await refused(sha, { dockerfile: path }, "bad-path", /inside the repository/);
        await refused(sha, { contextDir: path }, "bad-path", /inside the repository/);
      }
    });

    it("but not if its folder and Dockerfile exist", async () => {
      const sha = await commit({ "api/Dockerfile": "FROM scratch\n" });
      await checkBuildPaths(scene.mirror, sha, { contextDir: "./api/", dockerfile: "api//Dockerfile" });
    });
  });

  describe("is limited in size", () => {
    it("by bytes, and the error names the largest file", async () => {
      const sha = await commit({ small: "x", large: "x".repeat(100_000) });
      await assert.rejects(open(sha, { maxBytes: 90_000 }), {
        code: "context-too-large",
        message: /large \(100000 bytes\).*\.dockerignore/,
      });
    });

    it("by bytes of the checkout, even if the tree is smaller", async () => {
      const sha = await commit({ ".gitattributes": "*.bat text eol=crlf\n", "x.bat": "\n".repeat(50_000) });
      const stream = await open(sha, { maxBytes: 60_000 });
      await assert.rejects(unpack(stream), { code: "context-too-large" });
    });

    it("by the number of entries", async () => {
      const sha = await commit({ a: "1", b: "1" });
      await assert.rejects(open(sha, { maxEntries: 2 }), {
        code: "context-too-many-entries",
        message: /more than the 2 files/,
      });
      assert.deepEqual(await names(sha, { maxEntries: 3 }), ["Dockerfile", "a", "b"]);
    });
  });

  describe("is never truncated without an error", () => {
    for (const [title, files] of [
      ["packed by git", {}],
      ["packed by deliverd", { ".dockerignore": "none\n*.md\n", "x.md": "" }],
    ] as const) {
      it(`if git dies in the middle (${title})`, async () => {
        const sha = await commit({ ...files, ...noise(4) });
        const stream = await open(sha);
        const pid = await until("git archive runs", () => childRunning("archive", sha));
        process.kill(pid, "SIGKILL");
        await assert.rejects(unpack(stream), { code: "context-broken" });
      });

      it(`if the run is aborted, which also ends git (${title})`, async () => {
        const sha = await commit({ ...files, ...noise(4) });
        const stop = new AbortController();
        const stream = await openContext(scene.mirror, sha, ROOT, testRun(stop.signal));
        const pid = await until("git archive runs", () => childRunning("archive", sha));
        stop.abort(new Error("cancelled"));
        await assert.rejects(unpack(stream), /cancelled/);
        await until("git is gone", async () => (await childRunning("archive", sha)) !== pid);
      });

      it(`if its reader leaves, which also ends git (${title})`, async () => {
        const sha = await commit({ ...files, ...noise(4) });
        const stream = await open(sha);
        await until("git archive runs", () => childRunning("archive", sha));
        stream.destroy();
        await until("git is gone", async () => (await childRunning("archive", sha)) === null);
      });
    }
  });
});

/** Files of a megabyte that git cannot make small: more than all buffers on the way hold. */
function noise(files: number): Record<string, Buffer> {
  return Object.fromEntries(Array.from({ length: files }, (_, index) => [`noise-${index}`, randomBytes(1_000_000)]));
}

/** The pid of our own child `git <verb> … <sha>`. */
async function childRunning(verb: string, sha: string): Promise<number | null> {
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const line = await readFile(`/proc/${pid}/cmdline`, "latin1").catch(() => "");
    if (line.startsWith(`git\0${verb}\0`) && line.includes(sha)) return Number(pid);
  }
  return null;
}

type Unpacked = Map<string, { mode: string; content: string }>;

async function unpack(stream: Readable): Promise<Unpacked> {
  const found: Unpacked = new Map();
  const extract = tar.extract();
  const read = async () => {
    for await (const entry of extract) {
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      const { name, type, mode, linkname } = entry.header;
      const content = type === "symlink" ? linkname : Buffer.concat(chunks).toString("latin1");
      found.set(name.replace(/\/$/, ""), { mode: `${type} ${mode.toString(8)}`, content });
    }
  };
  await Promise.all([pipeline(stream, extract), read()]);
  return found;
}

async function onDisk(root: string): Promise<Unpacked> {
  const found: Unpacked = new Map();
  for (const name of await readdir(root, { recursive: true })) {
    if (name === ".git" || name.startsWith(".git/")) continue;
    const path = join(root, name);
    const stat = await lstat(path);
    const mode = (stat.mode & 0o777).toString(8);
    if (stat.isSymbolicLink()) found.set(name, { mode: "symlink 777", content: await readlink(path) });
    else if (stat.isDirectory()) found.set(name, { mode: `directory ${mode}`, content: "" });
    else found.set(name, { mode: `file ${mode}`, content: await readFile(path, "latin1") });
  }
  return found;
}
