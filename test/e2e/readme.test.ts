import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { deliverdImage } from "../support/engine/deliverd-image.ts";
import { type Engine, startEngine } from "../support/engine/engine.ts";
import { sampleRepo } from "../support/fixtures/sample-repo.ts";
import { git } from "../support/hosts/git.ts";
import { startGitHub } from "../support/hosts/github/github.ts";
import { lendLoopback } from "../support/network/loopback.ts";
import { freePort, type TempDir, tempDir, until } from "../support/processes/process.ts";
import { startRegistry } from "../support/registries/docker-registry.ts";
import { writeStandInDocker } from "../support/world/stand-in-docker.ts";
import { codeIn, commandsOf } from "../unit/docs/pages.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const network = "deliverd-readme";

/** Commands that are not run here, and who runs them: each would take minutes a second time. */
const RUN_ELSEWHERE: Record<string, string> = {
  "npm run demo -- --keep": "test/e2e/demo.test.ts",
  "npm run demo -- --all": "test/e2e/demo.test.ts",
};

describe("README.md in a fresh clone", function () {
  this.timeout(600_000);

  let dir: TempDir;
  let clone: string;
  let readme: string;
  let engine: Engine;
  const started: (() => Promise<unknown>)[] = [];

  before(async () => {
    dir = await tempDir();
    started.push(() => dir.remove());
    clone = await cloneWorkTree(dir);
    readme = await readFile(join(clone, "README.md"), "utf8");
    engine = await startEngine();
    started.push(() => engine.stop());
  });

  after(async () => {
    for (const end of started.splice(0).reverse()) await end();
  });

  it("has no block of commands that nobody runs", () => {
    assert.deepEqual(
      commandsOf(readme).map(({ heading }) => heading),
      ["Try it", "Run it"],
    );
  });

  it("shows the demo", async () => {
    for (const command of block("Try it")) {
      const file = RUN_ELSEWHERE[command];
      if (file !== undefined) {
        const [option = ""] = /--\w+$/.exec(command) ?? [];
        assert.ok((await readFile(join(root, file), "utf8")).includes(`"${option}"`), `${file} runs ${command}`);
        continue;
      }
      const { stdout } = await bash(command, { DOCKER_HOST: `unix://${engine.socket}` });
      assert.match(stdout, /Hello from acme\/hello 1\.2\.4-1\.g[0-9a-f]{7}[\s\S]*Done\./);
    }
  });

  it("runs deliverd as printed, and what runs delivers a commit", async () => {
    const github = await startGitHub();
    started.push(() => github.close());
    const sample = await sampleRepo(github, { owner: "acme", name: "api" });
    started.push(() => sample.remove());
    const registry = await startRegistry();
    started.push(() => registry.stop());
    const image = await deliverdImage(engine.socket);
    started.push(() => docker("image", "rm", "deliverd"));
    await docker("network", "create", network);
    started.push(() => docker("network", "rm", network));
    const port = await freePort();
    const ready = join(dir.path, "ready");
    const env = { GITHUB_API_URL: github.apiUrl, GITHUB_CLONE_URL: github.cloneUrl };
    await writeStandInDocker(join(dir.path, "bin"), {
      ...{ socket: engine.socket, image, network, port, ready, env, registry: registry.url },
    });
    started.push(() =>
      docker("rm", "--force", "deliverd").finally(() => docker("volume", "rm", "--force", "deliverd")),
    );

    const secret = (await bash(inline(/^openssl rand/))).stdout.trim();
    const running = bash(`set -e\n${block("Run it").join("\n")}`, {
      ...{ GITHUB_TOKEN: github.token, GITHUB_WEBHOOK_SECRET: secret, DELIVERD_REGISTRY_PASSWORD: "not-asked-for" },
    });
    const tooEarly = running.then(
      () => assert.fail("the commands ended before deliverd ran"),
      (error: { stderr: string }) => assert.fail(`${error}\n${error.stderr}`),
    );
    const pid = await Promise.race([until("the container runs", firstProcess), tooEarly]);
    tooEarly.catch(() => {});
    const ports = [github.apiUrl, github.cloneUrl, registry.url].map((url) => Number(new URL(url).port));
    const loopback = await lendLoopback(pid, ports);
    started.push(() => loopback.close());
    await until("deliverd answers", async () => (await fetch(`http://127.0.0.1:${port}/readyz`)).ok);
    await writeFile(ready, "");
    everythingIsOk(await running.then(({ stdout }) => stdout, outputOf));

    const token = (await bash(inline(/^docker exec .*admin-token$/))).stdout.trim();
    const payloadUrl = new URL(inline(/\/webhooks\//));
    github.sendHooksTo(`http://127.0.0.1:${port}${payloadUrl.pathname}`, secret);
    await sample.push();
    const sha = await sample.head();
    await github.green(sample, sha);
    const release = await until("the commit is released", async () => {
      const answer = await fetch(`http://127.0.0.1:${port}/api/v1/releases?sha=${sha}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      return ((await answer.json()) as { items: { digest: string }[] }).items[0];
    });
    await until("success is reported", () => github.lastStatus(sample, sha, "deliverd/api")?.state === "success");
    const manifest = await fetch(`${registry.url}/v2/acme/api/manifests/${release.digest}`, {
      headers: {
        accept: "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json",
      },
    });
    assert.equal(manifest.status, 200);
    assert.deepEqual(github.violations, []);
  });

  /** The commands of a section, without comments, one a line as the shell joins them. */
  function block(heading: string): string[] {
    const found = commandsOf(readme).find((each) => each.heading === heading);
    return (found ?? assert.fail(`README.md has no commands under "${heading}"`)).commands;
  }

  function inline(form: RegExp): string {
    return (
      codeIn(readme.replace(/^```[\s\S]*?^```$/gm, "")).find((code) => form.test(code)) ??
      assert.fail(`README.md has no ${form}`)
    );
  }

  /** Runs commands in the clone, as a person does, with our `docker` before the real one. */
  function bash(commands: string, env: Record<string, string> = {}) {
    const path = `${join(dir.path, "bin")}:${process.env.PATH}`;
    return promisify(execFile)("bash", ["-c", commands], {
      cwd: clone,
      env: { PATH: path, HOME: dir.path, TMPDIR: dir.path, ...env },
      maxBuffer: 2 ** 26,
    });
  }

  /** The pid of the container's first process, once it has one. */
  async function firstProcess(): Promise<number | null> {
    return Number(await docker("inspect", "--format={{.State.Pid}}", "deliverd")) || null;
  }

  async function docker(...args: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)("/usr/bin/docker", [`--host=unix://${engine.socket}`, ...args]);
    return stdout.trim();
  }
});

/** The doctor fails only for what stands in README as an example: nobody answers at deliverd.example.com. */
function everythingIsOk(printed: string): void {
  const checks = printed.split("\n").filter((line) => /^(?:ok|FAIL) /.test(line));
  assert.ok(checks.length >= 7, printed);
  assert.deepEqual(
    checks.filter((line) => line.startsWith("FAIL") && !line.includes("deliverd.example.com")),
    [],
  );
}

function outputOf(error: unknown): string {
  const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
  if (!stdout.includes("ok ")) throw new Error(`${stdout}\n${stderr}`, { cause: error });
  return stdout;
}

/** The last commit, with what the work tree changes, and the packages of this work tree in place of `npm ci`. */
async function cloneWorkTree({ path }: TempDir): Promise<string> {
  const clone = join(path, "deliverd");
  await git(path, ["-c", "protocol.file.allow=always", "clone", "--quiet", root, clone]);
  const changes = await git(root, ["diff", "--binary", "HEAD"]);
  if (changes !== "") {
    const patch = join(path, "changes.patch");
    await writeFile(patch, `${changes}\n`);
    await git(clone, ["apply", patch]);
  }
  // The Dockerfile runs `npm ci` itself: a second time would take another minute.
  await symlink(join(root, "node_modules"), join(clone, "node_modules"));
  return clone;
}
