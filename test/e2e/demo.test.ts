import assert from "node:assert/strict";
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Engine, startEngine } from "../support/engine/engine.ts";
import { products } from "../support/hosts/products.ts";
import { tempDir, until } from "../support/processes/process.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const nowhere = "unix:///nowhere/docker.sock";

describe("The demo", function () {
  this.timeout(180_000);

  let scratch: { path: string; remove(): Promise<void> };

  beforeEach(async () => {
    scratch = await tempDir();
  });

  afterEach(() => scratch.remove());

  it("delivers a commit on its own engine, and leaves nothing behind", async () => {
    const { code, output } = await run({ DOCKER_HOST: nowhere });
    assert.equal(code, 0, output);
    tellsTheWholeStory(output);
    assert.match(output, /a private one/);
    await leftNothing();
  });

  it("delivers a commit on the machine's engine, and leaves no image there", async () => {
    const engine = await startEngine();
    try {
      const before = await imagesOf(engine);
      for (const time of ["first", "second"]) {
        const { code, output } = await run({ DOCKER_HOST: `unix://${engine.socket}` });
        assert.equal(code, 0, `${time} time: ${output}`);
        tellsTheWholeStory(output);
        assert.ok(output.includes(engine.socket));
      }
      assert.deepEqual(await imagesOf(engine), before);
      await leftNothing();
    } finally {
      await engine.stop();
    }
  });

  for (const { key, title } of products.filter((each) => each.key !== "github" && each.tellsCi)) {
    it(`with --host ${key} delivers a commit from ${title}`, async () => {
      const engine = await startEngine();
      try {
        const { code, output } = await start({ DOCKER_HOST: `unix://${engine.socket}` }, ["--host", key]).ended();
        assert.equal(code, 0, output);
        tellsTheWholeStory(output);
        assert.ok(output.includes(`  ${title} `), output);
        await leftNothing();
      } finally {
        await engine.stop();
      }
    });
  }

  it("with --host says which hosts it has, if it has not that one", async () => {
    const { code, output } = await start({ DOCKER_HOST: nowhere }, ["--host", "sourceforge"]).ended();
    assert.equal(code, 2, output);
    for (const { key } of products) assert.ok(output.includes(key), output);
  });

  it("with --all delivers every kind of artifact to every type of registry, and pulls each back", async function () {
    this.timeout(400_000);
    const engine = await startEngine();
    try {
      const before = await imagesOf(engine);
      const { code, output } = await start({ DOCKER_HOST: `unix://${engine.socket}` }, ["--all"]).ended();
      assert.equal(code, 0, output);
      const told = [...output.matchAll(/\(([a-z-]+)\) +(real|stand-in) /g)].map(
        ([, type, which]) => `${type} ${which}`,
      );
      assert.deepEqual(told.sort(), [
        "ami stand-in",
        "artifactory stand-in",
        "codeartifact stand-in",
        "docker-hub stand-in",
        "ecr stand-in",
        "http real",
        "maven real",
        "npm real",
        "oci real",
        "pypi stand-in",
      ]);
      const kinds = [...output.matchAll(/release +\S+ \(([a-z]+)\) .*sha256:[0-9a-f]{64}/g)].map(([, kind]) => kind);
      assert.deepEqual(kinds, ["image", "npm", "wheel", "jar", "file", "ami"]);
      assert.match(output, /all came back +40 times, each with the digest that was released/);
      assert.deepEqual(await imagesOf(engine), before);
      await leftNothing();
    } finally {
      await engine.stop();
    }
  });

  it("ends all its processes on Ctrl-C, which a terminal sends to all of them at once", async () => {
    const demo = start({ DOCKER_HOST: nowhere });
    await demo.printed("git push");
    process.kill(-(demo.child.pid ?? 0), "SIGINT");
    const { code, output } = await demo.ended();
    assert.equal(code, 130, output);
    assert.match(output, /stopped by SIGINT at "/);
    await leftNothing();
  });

  it("with --keep runs until Ctrl-C, prints where everything is, and delivers a commit of one's own", async () => {
    const demo = start({ DOCKER_HOST: nowhere }, ["--keep"]);
    await demo.printed("Kept running");
    const [, dashboard, token] =
      (await demo.printed(/dashboard +(\S+) .*admin token: ([^)]+)\)[\s\S]*tags\/list/)) ?? [];
    assert.ok(dashboard !== undefined && token !== undefined);
    const page = await fetch(dashboard, { headers: { authorization: `Bearer ${token}` } });
    assert.match(await page.text(), /acme\/hello/);

    const [, commands = ""] = (await demo.printed(/A commit of your own[^\n]*\n((?: +│ [^\n]+\n)+)/)) ?? [];
    await promisify(execFile)("bash", ["-ec", commands.replace(/^ +│ /gm, "")], { env: { PATH: process.env.PATH } });
    const [, own] = (await demo.printed(/git push +refs\/heads\/main, ([0-9a-f]{7})\n/)) ?? [];
    await demo.printed(new RegExp(`release +hello 1\\.2\\.4-2\\.g${own}\\n`));

    demo.child.kill("SIGINT");
    const { code, output } = await demo.ended();
    assert.equal(code, 0, output);
    await leftNothing();
  });

  it("exits with 1 and names the step that failed, and leaves nothing behind", async () => {
    const engine = await startEngine();
    try {
      // No docker-registry is found there.
      const { code, output } = await run({ DOCKER_HOST: `unix://${engine.socket}`, PATH: "/nowhere" });
      assert.equal(code, 1, output);
      assert.match(output, /"Registry" failed: .*docker-registry/);
      await leftNothing();
    } finally {
      await engine.stop();
    }
  });

  function start(env: Record<string, string>, args: string[] = []) {
    const child = spawn(process.execPath, ["--import=tsx", "scripts/demo.ts", ...args], {
      cwd: root,
      env: { PATH: process.env.PATH, TMPDIR: scratch.path, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      // A process group of its own, as a terminal gives to what it starts.
      detached: true,
    });
    return watch(child);
  }

  function run(env: Record<string, string>) {
    return start(env).ended();
  }

  async function leftNothing(): Promise<void> {
    assert.deepEqual(await processesOf(scratch.path), []);
    // tsx keeps what it compiled.
    assert.deepEqual(
      (await readdir(scratch.path)).filter((name) => !name.startsWith("tsx-")),
      [],
    );
  }
});

function watch(child: ChildProcess) {
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const exit = once(child, "close");
  return {
    child,
    async printed(what: string | RegExp): Promise<RegExpMatchArray | null> {
      return until(
        `the demo prints ${what}`,
        () => {
          if (child.exitCode !== null) throw new Error(output);
          return typeof what === "string"
            ? output.includes(what)
              ? ([what] as RegExpMatchArray)
              : null
            : what.exec(output);
        },
        120_000,
      );
    },
    async ended() {
      await exit;
      return { code: child.exitCode, output };
    },
  };
}

function tellsTheWholeStory(output: string): void {
  // Building and publishing may pass between two looks of the log that is followed; what they wrote stays.
  const steps = ["git push", "waiting", "CI is green", "delivered", "docker pull, run", "deliverd verify"];
  const places = steps.map((step) => output.search(new RegExp(`^ *\\d+\\.\\ds  ${step}`, "m")));
  assert.ok(!places.includes(-1), `${steps[places.indexOf(-1)]} is missing: ${output}`);
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
    output,
  );
  assert.match(output, /frozen as sha256:[0-9a-f]{64}[\s\S]*main/);
  assert.match(output, /Hello from acme\/hello 1\.2\.4-1\.g[0-9a-f]{7}/);
  assert.match(output, /commit status +deliverd\/hello success(?:ful)?:/i);
  assert.match(output, /notice +dev\.cdevents\.artifact\.published/);
  assert.match(output, /deliverd verify +\S+\n.*: verified\n[\s\S]*✓ test(?: \([a-z-]+\))?: success(?:ful)? at /i);
  assert.match(output, /one byte flipped [\s\S]*NOT verified\n[\s\S]*\(proof-content-differs\)/);
  assert.match(output, /Done\. Everything that was started has ended\.\n$/);
}

async function imagesOf({ docker }: Engine): Promise<string[]> {
  const images = await docker.listImages();
  return images
    .flatMap((image) => [...(image.RepoTags ?? []), ...(image.RepoDigests ?? [])])
    .filter((name) => /hello|demo-shell/.test(name))
    .sort();
}

/** Every process that was started in the directory, by its command line. */
async function processesOf(directory: string): Promise<string[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")));
  return commands
    .filter((command) => command.includes(`${directory}/`))
    .map((command) => command.replaceAll("\0", " "));
}
