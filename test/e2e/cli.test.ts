import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse, stringify } from "yaml";
import { startIntake } from "../../src/store/intake.ts";
import { Store } from "../../src/store/store.ts";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { freePort, startServer, tempDir, until } from "../support/processes/process.ts";
import { BIN } from "../support/world/deliverd.ts";
import { image, pipeline, slowDockerfile, startWorld, WEBHOOK_SECRET, type World } from "../support/world/world.ts";

const run = promisify(execFile);

interface Ended {
  code: number | string;
  stdout: string;
  stderr: string;
}

describe("The command line", function () {
  this.timeout(90_000);
  let world: World;
  let dir: { path: string; remove(): Promise<void> };
  let repo: SampleRepo;
  let sha: string;
  let id: string;
  let version: string;
  let digest: string;

  before(async () => {
    world = await startWorld();
    dir = await tempDir();
    repo = await world.repo("api", { ".deliverd.yml": pipeline([image("api")]) });
    sha = await world.release(repo);
    ({ id } = await world.delivery(repo, sha));
    const [release] = await world.releases(repo, sha);
    version = release?.version ?? "";
    digest = release?.digest ?? "";
  });

  after(async () => {
    const violations = world?.github.violations;
    await world?.stop();
    await dir?.remove();
    assert.deepEqual(violations, []);
  });

  /** As a person calls it who has told it the server and the token once. */
  function cli(...args: string[]): Promise<Ended> {
    return call(args, { DELIVERD_SERVER: world.deliverd.url, DELIVERD_TOKEN: world.deliverd.adminToken });
  }

  it("why: prints the state, the reason and the whole history of a commit, as text and as JSON", async () => {
    const text = await cli("why", `acme/api@${sha}`);
    assert.equal(text.code, 0, text.stderr);
    assert.match(text.stdout, new RegExp(`^github/acme/api@${sha}: delivered\nreleased ${version}\n`));
    for (const word of ["hint", "decision", "attempt", "status", "notice"])
      assert.match(text.stdout, new RegExp(`Z  ${word} `));
    const why = json<{ state: string; repo: string }>(await cli("why", "--json", `github/acme/api@${sha}`));
    assert.deepEqual([why.state, why.repo], ["delivered", "github/acme/api"]);
  });

  it("why: exits with 3 for an unknown commit, and with 2 for an argument that names no commit", async () => {
    const unknown = await cli("why", `acme/api@${"0".repeat(40)}`, "--json");
    assert.equal(unknown.code, 3);
    assert.equal(json<{ state: string }>({ ...unknown, code: 0 }).state, "unknown");
    assert.equal((await cli("why", `acme/nothing@${sha}`)).code, 3);
    const malformed = await cli("why", "acme/api");
    assert.deepEqual([malformed.code, malformed.stderr.trim()], [2, '"acme/api" does not have the form <repo>@<sha>']);
  });

  it("deliveries: lists all, or those that match the filters", async () => {
    const all = await cli("deliveries");
    assert.match(
      all.stdout,
      new RegExp(`^${id}  delivered  github/acme/api  ${sha.slice(0, 7)}  released ${version}$`, "m"),
    );
    const only = async (...filter: string[]) =>
      json<{ items: { id: string }[] }>(await cli("deliveries", "--json", ...filter)).items.map((each) => each.id);
    assert.deepEqual(await only("--repo", "acme/api", "--sha", sha, "--state", "delivered"), [id]);
    assert.deepEqual(await only("--state", "failed"), []);
    assert.deepEqual(await only("--repo", "acme/nothing"), []);
    assert.equal((await cli("deliveries", "--state", "nonsense")).code, 2);
  });

  it("releases: lists all, or those that match the filters", async () => {
    const all = await cli("releases");
    assert.match(all.stdout, new RegExp(`^api  ${version}  github/acme/api  ${digest}  `, "m"));
    const only = async (...filter: string[]) =>
      json<{ items: { digest: string }[] }>(await cli("releases", "--json", ...filter)).items.map(
        (each) => each.digest,
      );
    assert.deepEqual(await only("--repo", "acme/api", "--artifact", "api", "--sha", sha, "--branch", "main"), [digest]);
    assert.deepEqual(await only("--branch", "other"), []);
    assert.deepEqual(await only("--artifact", "other"), []);
    assert.equal((await cli("releases", "--limit", "none")).code, 2);
  });

  it("logs: prints a log, follows one to its end, and exits with 3 if there is none", async () => {
    const text = await cli("logs", id);
    assert.equal(text.code, 0);
    assert.equal(text.stdout, await world.log(repo, sha));
    assert.equal(json<{ log: string }>(await cli("logs", id, "--json")).log, text.stdout);
    assert.equal((await cli("logs", "nosuchthing0")).code, 3);

    const slow = await world.repo("slow", {
      Dockerfile: slowDockerfile(3.5),
      ".deliverd.yml": pipeline([image("slow")]),
    });
    const head = await slow.head();
    await slow.push();
    await world.github.green(slow.repo, head);
    await until("it builds", async () => /Building with/.test(await world.log(slow, head).catch(() => "")));
    const building = await world.delivery(slow, head);
    const follower = spawn(process.execPath, [BIN, "logs", "--follow", building.id, "--server", world.deliverd.url], {
      env: { PATH: process.env.PATH, DELIVERD_TOKEN: world.deliverd.adminToken },
      stdio: ["ignore", "pipe", "inherit"],
    });
    let followed = "";
    let live = false;
    follower.stdout.on("data", (chunk: Buffer) => {
      followed += chunk.toString();
      live ||= !followed.includes("released ");
    });
    const [code] = await once(follower, "close");
    assert.equal(code, 0);
    assert.ok(live, "nothing came before the end");
    assert.equal(followed, await world.log(slow, head));
  });

  it("pull: downloads a complete release by version or by latest, as skopeo would", async () => {
    const to = join(dir.path, "pulled");
    const pulled = json<{ file: string; digest: string; version: string }>(
      await cli("pull", `api@${version}`, "-o", to, "--json"),
    );
    assert.deepEqual([pulled.digest, pulled.version], [digest, version]);
    assert.deepEqual(await readdir(to), [`api-${version}.tar`]);

    const { host, username, password } = world.registry;
    const copy = join(dir.path, "copy");
    const login = ["--src-creds", `${username}:${password}`, "--src-tls-verify=false"];
    await run("skopeo", ["--insecure-policy", "copy", ...login, `docker://${host}/acme/api@${digest}`, `dir:${copy}`]);
    const layout = join(dir.path, "layout");
    await run("mkdir", [layout]);
    await run("tar", ["-xf", pulled.file, "-C", layout]);
    const blobs = await readdir(join(layout, "blobs", "sha256"));
    const copied = (await readdir(copy)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    assert.deepEqual(blobs.sort(), [...copied, digest.slice("sha256:".length)].sort());
    for (const blob of copied) {
      assert.deepEqual(await readFile(join(layout, "blobs", "sha256", blob)), await readFile(join(copy, blob)), blob);
    }
    const index = JSON.parse(await readFile(join(layout, "index.json"), "utf8"));
    assert.equal(index.manifests[0].digest, digest);

    const latest = await cli("pull", "api@latest", "-o", join(dir.path, "latest"), "--repo", "acme/api");
    assert.deepEqual(
      [latest.code, latest.stdout],
      [0, `${join(dir.path, "latest", `api-${version}.tar`)} (${digest})\n`],
    );
    assert.deepEqual(await readFile(join(dir.path, "latest", `api-${version}.tar`)), await readFile(pulled.file));
    assert.equal((await cli("pull", "api@9.9.9", "-o", dir.path)).code, 3);
    assert.equal((await cli("pull", "nothing@latest", "-o", dir.path)).code, 3);
    assert.equal((await cli("pull", "api")).code, 2);
  });

  it("pull --layout: writes an OCI layout that skopeo reads, and changes no other program's layout", async () => {
    const to = join(dir.path, "as-layout");
    const pulled = json<{ file: string; digest: string }>(
      await cli("pull", `api@${version}`, "-o", to, "--layout", "--json"),
    );
    assert.deepEqual([pulled.file, pulled.digest], [to, digest]);
    assert.deepEqual((await readdir(to)).sort(), ["blobs", "index.json", "oci-layout"]);
    const read = await run("skopeo", ["inspect", "--format", "{{.Digest}}", `oci:${to}`]);
    assert.equal(read.stdout.trim(), digest);
    assert.equal((await cli("pull", `api@${version}`, "-o", to, "--layout")).code, 0);

    const other = join(dir.path, "other-layout");
    await run("sh", ["-c", `mkdir ${other} && echo '{"manifests":[]}' > ${other}/index.json`]);
    const refused = await cli("pull", `api@${version}`, "-o", other, "--layout");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /is the layout of another image: choose another folder with -o/);
    assert.deepEqual(await readdir(other), ["index.json"]);
    assert.equal((await cli("pull", `api@${version}`, "-o", other, "--layout", "--load")).code, 2);
  });

  it("pull --load: loads the image into the engine, which then runs it", async () => {
    const to = join(dir.path, "loaded");
    const env = { DELIVERD_SERVER: world.deliverd.url, DELIVERD_TOKEN: world.deliverd.adminToken };
    const load = (socket: string) =>
      call(["pull", `api@${version}`, "-o", to, "--load", "--json"], { ...env, DOCKER_HOST: `unix://${socket}` });
    const silent = await load(join(dir.path, "no-engine"));
    assert.equal(silent.code, 1);
    assert.match(
      silent.stderr,
      /^the Docker Engine does not answer at unix:\/\/\S+no-engine: .*Start it, or set DOCKER_HOST to where it listens\.$/m,
    );
    await assert.rejects(readdir(to), /ENOENT/);

    const { docker, socket } = world.engine;
    const { loaded, files } = json<{ loaded: { image: string; id: string }; files: string[] }>(await load(socket));
    const image = docker.getImage(`api:${version}`);
    try {
      const { host, username, password } = world.registry;
      const login = ["--creds", `${username}:${password}`, "--tls-verify=false"];
      const { stdout } = await run("skopeo", ["inspect", "--raw", ...login, `docker://${host}/acme/api@${digest}`]);
      const config = JSON.parse(stdout).config.digest;
      assert.deepEqual([loaded, files], [{ image: `api:${version}`, id: config }, []]);
      assert.equal((await image.inspect()).Id, config);
      assert.deepEqual(await readdir(to), []);
      const container = await docker.createContainer({
        Image: loaded.image,
        Cmd: ["/bin/busybox", "true"],
        NetworkDisabled: true,
      });
      try {
        await container.start();
        assert.equal((await container.wait()).StatusCode, 0);
      } finally {
        await container.remove({ force: true });
      }
    } finally {
      await image.remove({ force: true });
    }
  });

  it("pull: uses an API that serves content in ranges too", async () => {
    const path = `/api/v1/releases/api/${version}/content`;
    const whole = Buffer.from(await (await world.deliverd.fetch(path)).arrayBuffer());
    const part = async (range: string) => {
      const answer = await world.deliverd.fetch(path, { headers: { range } });
      return {
        status: answer.status,
        told: answer.headers.get("content-range"),
        bytes: Buffer.from(await answer.arrayBuffer()),
      };
    };
    const { length } = whole;
    for (const [range, from, to] of [
      ["bytes=0-99", 0, 100],
      ["bytes=1000-", 1000, length],
      ["bytes=-512", length - 512, length],
      [`bytes=${length - 1}-${length + 50}`, length - 1, length],
    ] as const) {
      const { status, told, bytes } = await part(range);
      assert.deepEqual([status, told], [206, `bytes ${from}-${to - 1}/${length}`], range);
      assert.ok(bytes.equals(whole.subarray(from, to)), range);
    }
    const beyond = await part(`bytes=${length}-`);
    assert.deepEqual([beyond.status, beyond.told], [416, `bytes */${length}`]);
  });

  it("retry and cancel: exit with 1 if they are impossible, and with 3 for unknown deliveries", async () => {
    for (const command of ["retry", "cancel"]) {
      const conflict = await cli(command, id);
      assert.equal(conflict.code, 1);
      assert.match(conflict.stderr, /delivered cannot be (retried|cancelled)/);
      assert.equal((await cli(command, "nosuchthing0")).code, 3);
    }
    const waiting = await world.repo("waiting", { ".deliverd.yml": pipeline([image("waiting")]) });
    const head = await waiting.head();
    await waiting.push();
    await world.status(waiting, head, "waiting", "pending");
    const { id: own } = await world.delivery(waiting, head);
    const cancelled = await cli("cancel", own);
    assert.deepEqual([cancelled.code, cancelled.stdout], [0, `${own} cancelled: cancelled by a person\n`]);
    assert.equal(json<{ state: string }>(await cli("retry", own, "--json")).state, "queued");
  });

  it("--server: names the server to ask; an error says if it does not answer or refuses the token", async () => {
    const { url, adminToken } = world.deliverd;
    assert.equal((await call(["deliveries", "--server", url], { DELIVERD_TOKEN: adminToken })).code, 0);
    assert.equal(
      (
        await call(["deliveries", "--server", `${url}/`], {
          DELIVERD_TOKEN: adminToken,
          DELIVERD_SERVER: "http://127.0.0.1:1",
        })
      ).code,
      0,
    );
    const silent = await call(["deliveries", "--server", "http://127.0.0.1:1"], { DELIVERD_TOKEN: adminToken });
    assert.equal(silent.code, 1);
    assert.match(silent.stderr, /^http:\/\/127\.0\.0\.1:1 does not answer: .*--server or DELIVERD_SERVER/);
    for (const env of [{}, { DELIVERD_TOKEN: "wrong" }]) {
      const refused = await call(["deliveries", "--server", url], env);
      assert.equal(refused.code, 2);
      assert.match(refused.stderr, /DELIVERD_TOKEN/);
    }
  });

  it("exits with 2 for a wrong command, option or argument, and with 0 for help and version", async () => {
    for (const args of [["nonsense"], ["deliveries", "--nonsense"], ["why"], ["logs"], ["pull"]]) {
      const ended = await cli(...args);
      assert.equal(ended.code, 2, args.join(" "));
      assert.notEqual(ended.stderr, "");
    }
    const help = await cli("--help");
    assert.equal(help.code, 0);
    for (const name of "start receiver worker doctor why deliveries logs retry cancel releases pull".split(" ")) {
      assert.match(help.stdout, new RegExp(`^  ${name}\\b`, "m"));
    }
    assert.match((await cli("--version")).stdout, /^\d+\.\d+\.\d+\n$/);
  });

  it("doctor: checks everything in the configuration, with --config in any place or by DELIVERD_CONFIG", async () => {
    const { configFile } = world.deliverd;
    for (const [args, env] of [
      [["doctor", "--config", configFile], {}],
      [["--config", configFile, "doctor"], {}],
      [["doctor"], { DELIVERD_CONFIG: configFile }],
    ] as const) {
      const ended = await call([...args], env);
      assert.equal(ended.code, 0, ended.stdout + ended.stderr);
      assert.match(ended.stdout, /^ok {4}registry local: /m);
      assert.match(ended.stdout, /^ok {4}engine: Docker /m);
    }
    const noticePart = `notices[0] (${new URL(world.sink.url).origin}/…)`;
    const found = json<{ part: string; ok: boolean; text: string }[]>(
      await call(["doctor", "--json", "--config", configFile], {}),
    );
    assert.ok(found.every(({ ok }) => ok));
    assert.deepEqual(
      found.map(({ part }) => part),
      [
        ...["data directory", "disk", "ledger", "redis", "proof key", "engine", "intake", "publicUrl"],
        ...["host github", "webhooks github", "registry local", "registry second", noticePart],
      ],
    );
    const textOf = (part: string) => found.find((each) => each.part === part)?.text ?? "";
    assert.match(textOf("disk"), /^\d+\.\d GB are free$/);
    assert.match(textOf("intake"), /^the engine reaches 127\.0\.0\.1:\d+$/);
    assert.match(textOf("engine"), /^Docker \d+\.\d+\.\d+.*, API 1\.\d+, on linux\//);
    assert.match(textOf("publicUrl"), /leads to this deliverd/);
    assert.equal(textOf("host github"), "takes the token; it shows acme/*");
    assert.match(textOf("webhooks github"), /^(\d+) of \1 repos ha(s its webhook|ve their webhook)$/);
    assert.equal(textOf(noticePart), "can be reached: it answers 405 to OPTIONS");
    const tests = () => world.sink.notices.filter(({ event }) => event.type === "dev.deliverd.test");
    assert.deepEqual(tests(), []);
    const tested = await call(["doctor", "--test-notices", "--config", configFile], {});
    assert.match(tested.stdout, /^ok {4}notices\[0\] .*: took the test event \(dev\.deliverd\.test\)$/m);
    assert.deepEqual([tests().length, world.sink.refused], [1, []]);
  });

  it("doctor: exits with 1, and says what to do about each part that fails", async () => {
    const { configFile } = world.deliverd;
    const config = parse(await readFile(configFile, "utf8"));
    const blocked = join(dir.path, "blocked");
    await writeFile(blocked, "a file");
    const broken = {
      ...config,
      dataDir: join(blocked, "data"),
      redisUrl: "redis://:redis-canary@127.0.0.1:1",
      docker: { socket: join(dir.path, "no-engine") },
      hosts: { github: { ...config.hosts.github, token: "ghs_wrong" } },
      registries: {
        local: { ...config.registries.local, password: "wrong-canary" },
        gone: { type: "oci", url: "http://127.0.0.1:1" },
      },
    };
    const diagnose = async (name: string, what: unknown) => {
      const file = join(dir.path, `${name}.yml`);
      await writeFile(file, stringify(what));
      const ended = await call(["doctor", "--config", file], {});
      const failed = [...ended.stdout.matchAll(/^fail {2}([^:]+): (.+)$/gm)].map(([, part = "", text = ""]) => [
        part,
        text,
      ]);
      return { ...ended, failed: new Map(failed as [string, string][]) };
    };
    const all = await diagnose("broken", broken);
    assert.deepEqual([all.code, all.stderr], [1, "6 of 8 checks failed\n"], all.stdout);
    for (const [part, said] of [
      ["data directory", /is a file, or below a file.* Set dataDir/],
      ["redis", /ECONNREFUSED.*Check redisUrl/],
      ["engine", /ENOENT.*Start Docker, or set docker\.socket/],
      ["host github", /refuses the token.* Set hosts\.github\.token to a valid one\.$/],
      ["registry local", /registries\.local/],
      ["registry gone", /Check that it runs and can be reached/],
    ] as const) {
      assert.match(all.failed.get(part) ?? "", said, all.stdout);
    }
    // One cause is one failure.
    assert.deepEqual([all.failed.has("disk"), all.failed.has("intake")], [false, false]);
    assert.match(all.stdout, /^Not checked, because data directory failed: disk, ledger, proof key, intake\.$/m);
    assert.match(all.stdout, /^Not checked, because host github failed: webhooks github\.$/m);
    assert.doesNotMatch(all.stdout, /canary|ghs_wrong/);

    const unreachable = { listen: "127.0.0.1:0", advertise: "127.0.0.1:1" };
    const elsewhere = await diagnose("elsewhere", {
      ...config,
      docker: { ...config.docker, intake: unreachable },
      repos: ["acme/*", "acme/nothing", "nobody/*"],
    });
    assert.deepEqual([...elsewhere.failed.keys()], ["intake", "host github"], elsewhere.stdout);
    assert.match(
      elsewhere.failed.get("intake") ?? "",
      /^the engine cannot reach 127\.0\.0\.1:1: .*docker\.intake\.advertise/,
    );
    assert.match(
      elsewhere.failed.get("host github") ?? "",
      /^it shows no repo of acme\/nothing, nobody\/\*\. Let the token/,
    );
  });

  it("doctor: recognises the intake of a running deliverd, and reports any other program on that port", async () => {
    const config = parse(await readFile(world.deliverd.configFile, "utf8"));
    const running = await startIntake({ store: new Store(join(dir.path, "store")), listen: "127.0.0.1:0" });
    try {
      for (const [listen, ok, said] of [
        [running.host, true, new RegExp(`^the engine reaches ${running.host}$`)],
        [world.second.host, false, /cannot listen on .*Name a free host:port/],
      ] as const) {
        const file = join(dir.path, "intake.yml");
        await writeFile(
          file,
          stringify({ ...config, docker: { ...config.docker, intake: { listen, advertise: listen } } }),
        );
        const { stdout, stderr } = await call(["doctor", "--json", "--config", file], {});
        assert.ok(stdout !== "", stderr);
        const found = (JSON.parse(stdout) as { part: string; ok: boolean; text: string }[]).find(
          ({ part }) => part === "intake",
        );
        assert.equal(found?.ok, ok, found?.text);
        assert.match(found?.text ?? "", said);
      }
    } finally {
      await running.stop();
    }
  });

  it("exits with 2 for a missing or invalid configuration, and names file, line and key", async () => {
    for (const command of ["start", "receiver", "worker", "doctor"]) {
      const missing = await call([command, "--config", join(dir.path, "none.yml")], {});
      assert.equal(missing.code, 2, command);
      assert.match(missing.stderr, /none\.yml: the configuration file cannot be read \(ENOENT\)/);
    }
    const bad = join(dir.path, "bad.yml");
    await run("sh", ["-c", `printf 'prot: 8080\\nrepos: [acme/*]\\n' > ${bad}`]);
    const ended = await call(["start", "--config", bad], {});
    assert.equal(ended.code, 2);
    assert.match(ended.stderr, /bad\.yml:1: prot: .*port/);
    const bare = await call(["start"], {});
    assert.equal(bare.code, 2);
    assert.match(bare.stderr, /GITHUB_WEBHOOK_SECRET/);
  });

  it("start: runs with settings from the environment alone", async () => {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const other = await world.repo("environment", {
      ".deliverd.yml": pipeline([image("environment", { publish: [{ to: "default", as: "acme/environment" }] })]),
    });
    const server = await startServer(process.execPath, [BIN, "start"], () => fetch(`${url}/healthz`), {
      env: {
        PATH: process.env.PATH,
        ...{ GITHUB_TOKEN: world.github.token, GITHUB_WEBHOOK_SECRET: WEBHOOK_SECRET },
        ...{ GITHUB_API_URL: world.github.apiUrl, GITHUB_CLONE_URL: world.github.cloneUrl },
        DELIVERD_REGISTRY: world.registry.url,
        DELIVERD_REGISTRY_USERNAME: world.registry.username,
        DELIVERD_REGISTRY_PASSWORD: world.registry.password,
        ...{
          DELIVERD_REPOS: "acme/environment, acme/else",
          DELIVERD_DATA_DIR: join(dir.path, "data"),
          DELIVERD_PUBLIC_URL: url,
        },
        ...{ PORT: String(port), DOCKER_HOST: `unix://${world.engine.socket}` },
      },
    });
    try {
      world.github.sendHooksTo(`${url}/webhooks/github`, WEBHOOK_SECRET);
      const head = await world.release(other);
      const token = (await readFile(join(dir.path, "data", "admin-token"), "utf8")).trim();
      assert.ok(server.output().includes(join(dir.path, "data", "admin-token")));
      assert.equal(server.output().includes(token), false);
      // On the server's own machine the token need not be typed.
      const env = { DELIVERD_DATA_DIR: join(dir.path, "data"), PORT: String(port) };
      const { items } = json<{ items: { sha: string }[] }>(await call(["releases", "--json"], env));
      assert.deepEqual(
        items.map((each) => each.sha),
        [head],
      );
    } finally {
      world.github.sendHooksTo(`${world.deliverd.url}/webhooks/github`, WEBHOOK_SECRET);
      await server.stop();
    }
  });
});

function call(args: string[], env: Record<string, string>): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, ...args], { env: { PATH: process.env.PATH, ...env } }, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, stdout, stderr });
    });
  });
}

function json<T>(ended: Ended): T {
  assert.equal(ended.code, 0, ended.stderr);
  return JSON.parse(ended.stdout);
}
