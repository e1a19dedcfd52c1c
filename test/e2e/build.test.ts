import assert from "node:assert/strict";
import { join } from "node:path";
import type { BuildResult } from "../../src/cli/build/result.ts";
import { deliverd, type Ended } from "../integration/cli/pipeline/support.ts";
import { importShell, shellImage } from "../support/engine/image-builds.ts";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { writeFiles } from "../support/fixtures/work-tree.ts";
import { git } from "../support/hosts/git.ts";
import { type TempDir, tempDir } from "../support/processes/process.ts";
import { image, pipeline, startWorld, type World } from "../support/world/world.ts";

/** A step whose result differs each time that it runs: only the engine's cache makes two builds equal. */
const DOCKERFILE = `FROM scratch
ARG DELIVERD_VERSION
COPY busybox /bin/busybox
RUN ["/bin/busybox", "sh", "-c", "echo $DELIVERD_VERSION > /version; /bin/busybox date > /built-at"]
COPY greeting.txt /
`;

const tool = { name: "tool", kind: "file", files: "tool.bin", publish: [{ to: "files" }] };
const build = { image: shellImage, run: ['echo "$DELIVERD_VERSION $DELIVERD_SHA" > tool.bin'] };

describe("deliverd build", function () {
  this.timeout(120_000);
  let world: World;
  let dir: TempDir;
  let home: string;
  let repo: SampleRepo;

  before(async () => {
    dir = await tempDir();
    home = dir.path;
    world = await startWorld({
      config: async ({ engine, registry }) => {
        await importShell(engine.docker, shellImage);
        const { url, username, password } = registry;
        return { registries: { local: { type: "oci", url, username, password, default: true } } };
      },
    });
    repo = await world.repo("laptop", { Dockerfile: DOCKERFILE, ".deliverd.yml": pipeline([image("laptop")]) });
  });
  after(async () => {
    const violations = world?.github.violations;
    await world?.stop();
    await dir?.remove();
    assert.deepEqual(violations, []);
  });

  const run = (args: string[], cwd: string, env: NodeJS.ProcessEnv = {}): Promise<Ended> =>
    deliverd(["build", ...args], cwd, { HOME: home, ...env });
  const withConfig = () => ["--config", world.deliverd.configFile, "--repo", "acme/laptop"];
  function resultOf({ code, stdout, stderr }: Ended): BuildResult {
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout) as BuildResult;
  }

  it("gives the digest of the server's delivery of the same commit, from a clean checkout of it", async () => {
    const sha = await world.release(repo);
    const [release] = await world.releases(repo, sha);
    const clone = join(home, "clone");
    await git(home, ["clone", "--quiet", repo.directory, clone]);
    const built = await run(["--json", ...withConfig()], clone);
    const { artifacts, ...about } = resultOf(built);
    assert.deepEqual(about, { repo: "github/acme/laptop", sha });
    assert.deepEqual(
      artifacts.map(({ digest, versions, published }) => ({ digest, versions, published })),
      [{ digest: release?.digest, versions: release?.versions, published: [] }],
    );
    assert.match(built.stderr, /Building with BuildKit.*Frozen as sha256:/s);
  });

  it("publishes the immutable names, which the server finds to be its own when it delivers the commit", async () => {
    await repo.commit({ "greeting.txt": "Published from a laptop\n" });
    const { artifacts } = resultOf(await run(["--json", "--publish", ...withConfig()], repo.directory));
    const [{ digest = "", versions: [version = ""] = [], published = [] } = {}] = artifacts;
    assert.deepEqual(
      published.map(({ tag }) => tag).sort(),
      [version, `sha-${(await repo.head()).slice(0, 7)}`].sort(),
    );
    assert.equal(await world.digest("acme/laptop", version), digest);
    assert.notEqual(await world.digest("acme/laptop", "main"), digest);
    const sha = await world.release(repo);
    assert.equal((await world.releases(repo, sha))[0]?.digest, digest);
  });

  it("builds changed files under a version that says so, and publishes only commits", async () => {
    const head = (await repo.head()).slice(0, 7);
    const clone = join(home, "changed");
    await git(home, ["clone", "--quiet", repo.directory, clone]);
    await git(clone, ["config", "core.hooksPath", "/dev/null"]);
    await git(clone, ["remote", "set-url", "origin", "https://github.com/acme/laptop.git"]);
    await writeFiles(clone, { "greeting.txt": "Not committed\n" });
    const { sha, artifacts } = resultOf(await run(["--json", ...withConfig()], clone));
    assert.equal(sha, null);
    const count = await repo.git("rev-list", "--count", "HEAD");
    assert.deepEqual(artifacts[0]?.versions, [`0.0.1-${count}.g${head}.dirty`]);
    assert.deepEqual(artifacts[0]?.names, []);
    const refused = await run(["--publish", ...withConfig()], clone);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /files were changed since HEAD, and only commits are published/);
  });

  it("needs no configuration to build, and none of its registries", async () => {
    const clone = join(home, "alone");
    await git(home, ["clone", "--quiet", repo.directory, clone]);
    await git(clone, ["remote", "set-url", "origin", "https://github.com/acme/laptop.git"]);
    await writeFiles(clone, { ".deliverd.yml": pipeline([image("laptop"), { ...tool, build }]) });
    await git(clone, ["add", "--all"]);
    await git(clone, [
      "-c",
      "user.name=Sam",
      "-c",
      "user.email=s@example.com",
      "commit",
      "--quiet",
      "-m",
      "Add a tool",
    ]);
    const env = { DOCKER_HOST: `unix://${world.engine.socket}` };
    const { artifacts } = resultOf(await run(["--json", "--artifact", "tool"], clone, env));
    assert.deepEqual(
      artifacts.map(({ name, names }) => [name, names.map(({ registry, repository }) => `${registry} ${repository}`)]),
      [["tool", ["files acme/laptop/tool"]]],
    );
    const refused = await run(["--publish"], clone, env);
    assert.deepEqual([refused.code, refused.stdout], [2, ""]);
    assert.match(refused.stderr, /Name the server's configuration with --config/);
    const unknown = await run(["--artifact", "tol"], clone, env);
    assert.equal(unknown.code, 2);
    assert.match(unknown.stderr, /did you mean "tool"\?/);
  });

  it("exits with 1 where a build or the pipeline fails, and says why", async () => {
    const clone = join(home, "broken");
    await git(home, ["clone", "--quiet", repo.directory, clone]);
    await writeFiles(clone, {
      Dockerfile: 'FROM scratch\nCOPY busybox /b\nRUN ["/b", "sh", "-c", "echo no luck; exit 3"]\n',
    });
    const failed = await run(withConfig(), clone);
    assert.equal(failed.code, 1);
    assert.match(failed.stderr, /no luck/);
    await writeFiles(clone, { ".deliverd.yml": "version: 2\n" });
    const bad = await run(withConfig(), clone);
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /^.*\.deliverd\.yml:1: version: found 2; expected 1/m);
  });
});
