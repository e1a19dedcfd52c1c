import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { join, posix } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import tar from "tar-stream";
import type { Installation } from "../../../src/builders/engine.ts";
import { isDockerfileOutside, openContext } from "../../../src/git/context.ts";
import type { Mirror } from "../../../src/git/mirror.ts";
import { orderOf, startYard, type Yard } from "../../support/engine/image-builds.ts";
import { testRun } from "../../support/fixtures/run.ts";
import type { FileContent, Files } from "../../support/fixtures/work-tree.ts";
import { checkout, type GitHost, never, startGitHost, type WorkTree } from "../../support/hosts/git-host.ts";

interface Tree {
  title: string;
  files: Files;
  /** Both from the tree's own folder. */
  context?: string;
  dockerfile?: string;
  /** Built by the classic builder as well, which has a way of its own to leave the Dockerfile out. */
  classic?: true;
}

const COPY = "FROM scratch\nCOPY . /\n";
const some: Files = {
  a: "a\n",
  "b.md": "b\n",
  "src/a": "x\n",
  "src/b.md": "x\n",
  "src/deep/er/c.md": "x\n",
  "src/deep/er/a": "x\n",
  "logs/x.log": "x\n",
};
const ignoring = (text: string, title: string, more: Partial<Tree> = {}): Tree => ({
  title,
  ...more,
  files: { Dockerfile: COPY, ...some, ".dockerignore": text, ...more.files },
});

const trees: Tree[] = [
  { title: "without a .dockerignore", files: { Dockerfile: COPY, ...some } },
  ignoring("Dockerfile\n.dockerignore\n", "with a .dockerignore that excludes itself and the Dockerfile", {
    classic: true,
  }),
  ignoring("Dockerfile\n", "with a .dockerignore that excludes the Dockerfile only", { classic: true }),
  ignoring(".dockerignore\n", "with a .dockerignore that excludes itself only", { classic: true }),
  ignoring("*\n!src\n", "with a .dockerignore that excludes all but a folder", { classic: true }),
  ignoring("**\n!src/deep\n!src/b.md\n", "with a .dockerignore that excludes all but some paths"),
  ignoring(".*\nDocker*\n", "with a .dockerignore that excludes itself and the Dockerfile by patterns", {
    classic: true,
  }),
  ignoring("*\n!src\n!Dockerfile\n", "with a .dockerignore that includes the Dockerfile again"),
  ignoring("src\n!src/deep\n", "with a .dockerignore with an exception below a folder"),
  ignoring("!a\na\n", "with a .dockerignore whose last matching line decides"),
  ignoring("**/*.md\n", "with a .dockerignore with stars for folders"),
  ignoring("src/**/c.md\nsrc/**\n!src/a\n", "with a .dockerignore with stars in the middle and at the end"),
  ignoring("logs/\nsrc/deep/\n", "with a .dockerignore with slashes at the end"),
  ignoring("/a\n/src/a\n", "with a .dockerignore with slashes at the start"),
  ignoring("./a\nsrc/../b.md\nsrc/./deep/er/../er/a\n", "with a .dockerignore with dots in its paths"),
  ignoring(".\n!b.md\n", "with a .dockerignore that excludes the folder ."),
  ignoring("../a\n..\n", "with a .dockerignore with paths that lead out"),
  ignoring("# a\n  # b.md\n\n   \n#src\n a \n", "with a .dockerignore with comments and blanks"),
  ignoring("\uFEFFa\r\nb.md\r\n!a\r\n", "with a .dockerignore with a byte order mark and CRLF"),
  ignoring("[a-c]\nsrc/[^b]\n", "with a .dockerignore with character classes"),
  ignoring("\\!x\n\\[y]\nsrc/\\*\n", "with a .dockerignore with escapes", {
    files: { "!x": "x\n", "[y]": "x\n", "src/*": "x\n", y: "x\n" },
  }),
  ignoring("?\nsrc/*/*/?\n", "with a .dockerignore with question marks"),
  ignoring("**/er\n", "with a .dockerignore that excludes a folder at any depth"),
  ignoring("a b\nünï/*\n-x\n", "with a .dockerignore with blanks, non-ASCII letters and dashes in names", {
    files: { "a b": "x\n", "ünï/日本": "x\n", ünïk: "x\n", "-x": "x\n", "-y": "x\n" },
  }),
  ignoring("b.md\n", "with a .dockerignore that the one beside the Dockerfile replaces", {
    dockerfile: "docker/api",
    files: { "docker/api": COPY, "docker/api.dockerignore": "a\ndocker\n" },
  }),
  ignoring("b.md\n", "with a .dockerignore and a Dockerfile in a folder", {
    dockerfile: "docker/api",
    files: { "docker/api": COPY },
  }),
  ignoring("docker\n", "with a .dockerignore that excludes the Dockerfile's folder", {
    dockerfile: "docker/api",
    files: { "docker/api": COPY },
  }),
  ignoring("x\n", "with a .dockerignore and a Dockerfile of another name", {
    dockerfile: "Containerfile",
    files: { Containerfile: COPY },
  }),
  {
    title: "with a context folder below the Dockerfile",
    classic: true,
    files: { Dockerfile: COPY, "app/a": "x\n", "app/b/c": "x\n", ".dockerignore": "*\n" },
    context: "app",
  },
  {
    title: "with a context folder beside the Dockerfile whose .dockerignore excludes itself",
    classic: true,
    files: { "docker/Dockerfile": COPY, "app/a": "x\n", "app/b/c": "x\n", "app/.dockerignore": "b\n.dockerignore\n" },
    context: "app",
    dockerfile: "docker/Dockerfile",
  },
  {
    title: "with a context folder beside the Dockerfile that has a Dockerfile too",
    classic: true,
    files: { "docker/Dockerfile": COPY, "app/Dockerfile": "no\n", "app/a": "x\n" },
    context: "app",
    dockerfile: "docker/Dockerfile",
  },
  {
    title: "with a context folder beside the Dockerfile and its ignore file",
    files: {
      "docker/Dockerfile": COPY,
      "docker/Dockerfile.dockerignore": "b\n",
      "app/.dockerignore": "a\n",
      "app/a": "x\n",
      "app/b/c": "x\n",
    },
    context: "app",
    dockerfile: "docker/Dockerfile",
  },
  {
    title: "with links, file modes and git attributes",
    classic: true,
    files: {
      Dockerfile: COPY,
      ".dockerignore": "Dockerfile\n.dockerignore\nlinked\n",
      "run.sh": { executable: "#!/bin/sh\n" },
      "to file": { link: "run.sh" },
      "to nowhere": { link: "../../nowhere" },
      "to root": { link: "/etc/passwd" },
      linked: { link: "src" },
      "src/a": "x\n",
      ".gitattributes":
        "hidden export-ignore\nsubst export-subst\n*.bat text eol=crlf\n*.big filter=lfs diff=lfs -text\n",
      hidden: "x\n",
      subst: "$Format:%H$\n",
      "win.bat": "a\nb\n",
      "x.big": `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 5\n`,
      ".gitignore": "built\n",
      empty: "",
      "git/.gitkeep": "",
    },
  },
  {
    title: "with a long file name and a large file",
    classic: true,
    files: {
      Dockerfile: COPY,
      ".dockerignore": "Dockerfile\n",
      [`${"long/".repeat(30)}${"n".repeat(120)}`]: "x\n",
      large: Buffer.alloc(3_000_000, "0123456789"),
      "a-b": "x\n",
      "a/b": "x\n",
      "a.b": "x\n",
    },
  },
];

describe("An image built from git equals `docker build` of a checkout", () => {
  let gitHost: GitHost;
  let yard: Yard;
  let repo: WorkTree;
  let mirror: Mirror;
  let sha: string;
  let folder: string;

  before(async function () {
    this.timeout(60_000);
    [gitHost, yard] = await Promise.all([startGitHost(), startYard()]);
    repo = await gitHost.repo("trees");
    mirror = gitHost.mirrors.open("github:1");
    const placed = trees.flatMap(({ files }, index) =>
      Object.entries(files).map(([path, content]): [string, FileContent] => [`t${index}/${path}`, content]),
    );
    await repo.commit(Object.fromEntries(placed));
    // A submodule is an empty folder in a checkout.
    const link = `160000,${"1".repeat(40)},t${trees.length - 2}/sub`;
    await repo.git(["update-index", "--add", "--cacheinfo", link]);
    await repo.git(["commit", "--quiet", "-m", "Submodule"]);
    await repo.push();
    sha = await repo.git(["rev-parse", "HEAD"]);
    await mirror.sync(repo.source, never);
    folder = join(gitHost.path, "checkout");
    await checkout(repo, sha, folder);
    await rm(join(folder, ".git"), { recursive: true });
  });
  after(async () => {
    await yard?.stop();
    await gitHost?.close();
  });

  for (const installation of ["buildkit", "classic"] as const) {
    for (const [index, tree] of trees.entries()) {
      if (installation === "classic" && tree.classic !== true) continue;
      it(`${tree.title} (${installation})`, async function () {
        this.timeout(60_000);
        const [own, theirs] = await Promise.all([ours(index, installation), dockers(index, installation)]);
        assert.deepEqual(own, theirs);
        assert.ok(own.size > 0);
      });
    }
  }

  /** Both from the root. */
  const pathsOf = (index: number) => {
    const { context = ".", dockerfile = "Dockerfile" } = trees[index] ?? {};
    return { contextDir: posix.join(`t${index}`, context), dockerfile: posix.join(`t${index}`, dockerfile) };
  };

  async function ours(index: number, installation: Installation): Promise<Held> {
    const paths = pathsOf(index);
    const plain = orderOf({ Dockerfile: COPY });
    const run = testRun();
    const frozen = await yard.builder({ installation }).build(
      {
        ...plain,
        artifact: { ...plain.artifact, context: paths.contextDir, dockerfile: paths.dockerfile },
        openContext: () => openContext(mirror, sha, { ...paths, maxBytes: 1e9, maxEntries: 1e5 }, run),
        dockerfileApart: await isDockerfileOutside(mirror, sha, paths),
      },
      run,
    );
    const [, ...layers] = (await yard.store.manifest(frozen.digest)).blobs;
    const archives = layers.map(async ({ digest }) => gunzipSync(await buffer(yard.store.open(digest))));
    return heldBy(await Promise.all(archives));
  }

  async function dockers(index: number, installation: Installation): Promise<Held> {
    const paths = pathsOf(index);
    const tag = `checkout:${installation}-${index}`;
    const context = ["build", "-q", "-t", tag, "-f", join(folder, paths.dockerfile), join(folder, paths.contextDir)];
    // The client of the engine's own version: another may build by a plug-in.
    await promisify(execFile)("/usr/bin/docker", ["-H", `unix://${yard.engine.socket}`, ...context], {
      env: { PATH: process.env.PATH, HOME: folder, DOCKER_BUILDKIT: installation === "buildkit" ? "1" : "0" },
    });
    const saved = new Map<string, Buffer>();
    const image = yard.engine.docker.getImage(tag);
    await eachEntry(await buffer(await image.get()), (name, _, content) => saved.set(name, content));
    await image.remove({ force: true });
    const [manifest] = JSON.parse(String(saved.get("manifest.json"))) as { Layers: string[] }[];
    // From containerd's store, layers come as a registry gets them.
    const plain = (layer: Buffer) => (layer[0] === 0x1f ? gunzipSync(layer) : layer);
    return heldBy((manifest?.Layers ?? []).map((name) => plain(saved.get(name) ?? Buffer.alloc(0))));
  }
});

/** What stands at each path: kind, mode, owner, and content or target. */
type Held = Map<string, string>;

async function heldBy(layers: Buffer[]): Promise<Held> {
  const held: Held = new Map();
  for (const layer of layers) {
    await eachEntry(layer, (name, header, content) => {
      const owner = `${header.type} ${(header.mode ?? 0).toString(8)} ${header.uid}:${header.gid}`;
      // The name that docker's own client makes up for a Dockerfile outside of the context is another each time.
      const text = content.toString("latin1").replace(/^\.dockerfile\.[0-9a-f]+$/m, ".deliverd.dockerfile");
      held.set(name.replace(/\/$/, ""), `${owner} ${header.linkname ?? ""} ${text}`);
    });
  }
  return new Map([...held].sort());
}

async function eachEntry(
  archive: Buffer,
  use: (name: string, header: tar.Header, content: Buffer) => void,
): Promise<void> {
  const extract = Readable.from([archive]).pipe(tar.extract());
  for await (const entry of extract) use(entry.header.name, entry.header, await buffer(entry));
}
