import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { ReleaseView } from "../../src/delivery/release-view.ts";
import { importShell, shellImage } from "../support/engine/image-builds.ts";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { tempDir, until } from "../support/processes/process.ts";
import { startNginx } from "../support/registries/files/nginx.ts";
import { type FileServer, LOGIN } from "../support/registries/files/server.ts";
import { startVerdaccio } from "../support/registries/files/verdaccio.ts";
import { BIN } from "../support/world/deliverd.ts";
import { image, pipeline, startWorld, type World } from "../support/world/world.ts";

const run = promisify(execFile);

const PACKAGE = [
  "mkdir -p package",
  `echo "{\\"name\\":\\"@acme/$NAME\\",\\"version\\":\\"$DELIVERD_VERSION\\"}" > package/package.json`,
  "tar -cf - package | /bin/busybox gzip > package.tgz",
];
const TOOL = ['echo "the tool of $NAME" > tool.bin', "echo notes > NOTICE"];

/** An image, an npm package for two registries, and a tool of two files. */
function artifacts(name: string): Record<string, unknown>[] {
  const build = { image: shellImage, env: { NAME: name } };
  const npm = { name: `${name}-npm`, kind: "npm", build: { ...build, run: PACKAGE }, files: "*.tgz" };
  const tool = { name: `${name}-tool`, kind: "file", build: { ...build, run: TOOL }, files: ["tool.bin", "NOTICE"] };
  return [
    image(name),
    { ...npm, publish: [{ to: "npm" }, { to: "files" }] },
    { ...tool, publish: [{ to: "files", as: "tools/{repo}" }] },
  ];
}

describe("One commit with an image, an npm package and plain files", function () {
  this.timeout(180_000);
  let npm: FileServer & { token: string };
  let files: FileServer;
  let world: World;
  let dir: { path: string; remove(): Promise<void> };

  before(async () => {
    [npm, files, dir] = await Promise.all([startVerdaccio(), startNginx("basic"), tempDir()]);
    world = await startWorld({
      config: async ({ engine, registry }) => {
        await importShell(engine.docker, shellImage);
        const { url, username, password } = registry;
        return {
          registries: {
            local: { type: "oci", url, username, password, default: true },
            npm: { type: "npm", url: npm.url, token: npm.token },
            files: { type: "http", url: `${files.url}/artifacts`, ...LOGIN },
          },
        };
      },
    });
  });
  after(async () => {
    const violations = world?.github.violations;
    await world?.stop();
    await npm?.stop();
    await files?.stop();
    await dir?.remove();
    assert.deepEqual(violations, []);
  });

  /** By its artifact's ending, and its version. */
  async function release(repo: SampleRepo, sha: string, ending: string, version?: string): Promise<ReleaseView> {
    const all = (await world.releases(repo, sha)).filter((each) => each.artifact === `${repo.name}${ending}`);
    const found = version === undefined ? all[0] : all.find((each) => each.versions.includes(version));
    assert.ok(found, `${repo.name}${ending} ${version}`);
    return found;
  }
  async function success(repo: SampleRepo, sha: string): Promise<void> {
    for (const ending of ["", "-npm", "-tool"]) await world.status(repo, sha, `${repo.name}${ending}`, "success");
  }
  async function begin(name: string): Promise<{ repo: SampleRepo; sha: string }> {
    const repo = await world.repo(name, { ".deliverd.yml": pipeline(artifacts(name)) });
    const sha = await repo.head();
    await repo.push();
    await world.github.green(repo.repo, sha);
    return { repo, sha };
  }
  /** As a user of the registry has it, by npm itself. */
  async function packed(name: string, version: string): Promise<string> {
    const home = join(dir.path, `npm-${name}-${version}`);
    await run("mkdir", [home]);
    await writeFile(join(home, ".npmrc"), `registry=${npm.url}\n`);
    const env = { PATH: process.env.PATH, HOME: home, npm_config_update_notifier: "false" };
    await run("npm", ["pack", `@acme/${name}@${version}`], { cwd: home, env });
    const [file = ""] = (await readdir(home)).filter((each) => each.endsWith(".tgz"));
    return digestOf(await readFile(join(home, file)));
  }
  async function curled(path: string): Promise<Buffer> {
    const login = ["-u", `${LOGIN.username}:${LOGIN.password}`];
    const args = ["-fsS", ...login, `${files.url}/artifacts/${path}`];
    return (await run("curl", args, { encoding: "buffer" })).stdout;
  }
  async function pulled(release: string, ...more: string[]): Promise<{ files: string[]; digest: string }> {
    const env = {
      PATH: process.env.PATH,
      DELIVERD_SERVER: world.deliverd.url,
      DELIVERD_TOKEN: world.deliverd.adminToken,
    };
    const to = join(dir.path, release.replace("@", "-"), more.join(""));
    const { stdout } = await run(process.execPath, [BIN, "pull", release, "-o", to, "--json", ...more], { env });
    return JSON.parse(stdout);
  }

  it("is published to three registries, announced under each ecosystem's name, and pulled back unchanged", async () => {
    const { repo, sha } = await begin("all");
    await success(repo, sha);
    const { version, digest } = await release(repo, sha, "-npm");
    assert.match(version, /^0\.0\.1-\d+\.g[0-9a-f]{7}$/);
    assert.equal(await packed("all", version), digest);
    assert.equal(digestOf(await curled(`acme/all/all-npm/${version}/package.tgz`)), digest);
    assert.equal((await curled(`tools/all/all-tool/${version}/tool.bin`)).toString(), "the tool of all\n");
    const sidecar = JSON.parse((await curled(`tools/all/all-tool/${version}/deliverd.json`)).toString());
    assert.equal(sidecar.metadata["org.opencontainers.image.revision"], sha);
    assert.equal(await world.digest("acme/all", version), (await release(repo, sha, "")).digest);

    const tool = await release(repo, sha, "-tool");
    assert.deepEqual(
      tool.files.map(({ name }) => name),
      ["NOTICE", "tool.bin"],
    );
    for (const [artifact, from] of [
      ["all-npm", "npm"],
      ["all-npm", "files"],
      ["all-tool", "files"],
      ["all", "local"],
    ] as const) {
      const back = await pulled(`${artifact}@${version}`, "--from", from);
      assert.equal(back.digest, (await release(repo, sha, artifact.slice("all".length))).digest);
      assert.equal(back.files.length, artifact === "all-tool" ? 2 : 1);
    }

    await until("three notices", () => world.notices(repo, sha).length === 3);
    const subjects = world.notices(repo, sha).map(({ event }) => String(event.subject).split("?")[0]);
    assert.deepEqual(
      subjects.sort(),
      [
        `pkg:generic/acme/all/all-tool@${version}`,
        `pkg:npm/%40acme/all@${version}`,
        `pkg:oci/all@${(await release(repo, sha, "")).digest}`,
      ].sort(),
    );
  });

  it("is built again under a version tag only if its bytes contain the version", async () => {
    const { repo, sha } = await begin("tagged");
    await success(repo, sha);
    const { version } = await release(repo, sha, "-npm");
    await repo.tag("v1.2.0");
    await repo.push("v1.2.0");
    await until(
      "all of it is 1.2.0 too",
      async () => {
        const all = await world.releases(repo, sha);
        return all.filter((each) => each.versions.includes("1.2.0")).length === 3;
      },
      60_000,
    );

    const [first, second] = [await release(repo, sha, "-npm", version), await release(repo, sha, "-npm", "1.2.0")];
    assert.notEqual(first.digest, second.digest);
    assert.deepEqual([first.versions, second.versions], [[version], ["1.2.0"]]);
    assert.deepEqual([await packed("tagged", version), await packed("tagged", "1.2.0")], [first.digest, second.digest]);
    for (const ending of ["", "-tool"])
      assert.deepEqual((await release(repo, sha, ending)).versions, [version, "1.2.0"]);
    assert.deepEqual(
      await curled("tools/tagged/tagged-tool/1.2.0/tool.bin"),
      await curled(`tools/tagged/tagged-tool/${version}/tool.bin`),
    );
    assert.equal(await world.digest("acme/tagged", "1.2.0"), await world.digest("acme/tagged", version));
    const log = await world.log(repo, sha);
    assert.deepEqual([times(log, "tagged-npm: frozen as"), times(log, "tagged-tool: frozen as")], [2, 1]);
    assert.equal((await pulled("tagged-npm@latest")).digest, second.digest);
  });

  it("continues after a SIGKILL between two names without a second build or publication", async () => {
    await world.deliverd.kill();
    // Two are the image's. The third stands then, as one of the package's two, and nobody has noted it.
    await world.deliverd.restart({ env: { DELIVERD_FAILPOINTS: "release.named:3" } });
    const { repo, sha } = await begin("killed");
    await world.deliverd.ended();
    assert.equal(world.deliverd.endedBy(), "SIGKILL");
    await world.deliverd.restart();
    await success(repo, sha);
    const { version, digest, locations } = await release(repo, sha, "-npm");
    assert.equal(await packed("killed", version), digest);
    assert.deepEqual(locations.map(({ registry }) => registry).sort(), ["files", "npm"]);
    const log = await world.log(repo, sha);
    for (const ending of ["", "-npm", "-tool"]) {
      assert.equal(times(log, `killed${ending}: frozen as`), 1, `${ending}\n${log}`);
    }
    assert.equal(times(log, "— attempt"), 2);
    const held = (await npm.holds()).filter((path) => path.includes("killed") && path.endsWith(".tgz"));
    assert.equal(held.length, 1);
  });
});

function digestOf(bytes: Buffer): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function times(text: string, what: string): number {
  return text.split(what).length - 1;
}
