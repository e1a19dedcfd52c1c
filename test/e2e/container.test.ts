import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { importStandInBase } from "../support/engine/base-image.ts";
import { buildCompanionImages } from "../support/engine/companion-images.ts";
import { type Engine, startEngine } from "../support/engine/engine.ts";
import { type SampleRepo, sampleRepo } from "../support/fixtures/sample-repo.ts";
import { type GitHubStandIn, startGitHub } from "../support/hosts/github/github.ts";
import { lendLoopback } from "../support/network/loopback.ts";
import { freePort, until } from "../support/processes/process.ts";
import { startRegistry } from "../support/registries/docker-registry.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const base = "stand-in/node:24-bookworm-slim";
const image = "deliverd";
const adminToken = randomBytes(16).toString("hex");
const webhookSecret = randomBytes(16).toString("hex");

describe("The container image", function () {
  this.timeout(600_000);

  let engine: Engine;
  let github: GitHubStandIn;
  let sample: SampleRepo;
  /** What a test started, to be ended in the other order. */
  const started: (() => Promise<unknown>)[] = [];

  before(async () => {
    engine = await startEngine();
    await importStandInBase(engine.socket, base);
    await docker("build", "--network=host", `--build-arg=NODE_IMAGE=${base}`, `--tag=${image}`, root);
  });

  after(async () => {
    await docker("image", "rm", "--force", image, base);
    await engine.stop();
  });

  beforeEach(async () => {
    github = await startGitHub();
    started.push(() => github.close());
    sample = await sampleRepo(github, { owner: "acme", name: "api" });
    started.push(() => sample.remove());
  });

  afterEach(async () => {
    for (const end of started.splice(0).reverse()) await end();
  });

  it("is a complete installation with one docker run, and drops root rights", async () => {
    const registry = await startRegistry();
    started.push(() => registry.stop());
    const [port, intake] = [await freePort(), await freePort()];
    await docker("network", "create", "deliverd-run");
    started.push(() => docker("network", "rm", "deliverd-run"));
    const environment = {
      ...settings(),
      DELIVERD_INTAKE_ADVERTISE: `127.0.0.1:${intake}`,
      DELIVERD_REGISTRY: registry.url,
    };
    await docker(
      ...["run", "--detach", "--name=deliverd-run", "--network=deliverd-run"],
      ...[`--volume=${engine.socket}:/var/run/docker.sock`],
      ...[`--publish=127.0.0.1:${port}:8080`, `--publish=127.0.0.1:${intake}:5055`],
      ...Object.entries(environment).map(([name, value]) => `--env=${name}=${value}`),
      image,
    );
    started.push(() => docker("rm", "--force", "--volumes", "deliverd-run"));
    await lend("deliverd-run", [github.apiUrl, github.cloneUrl, registry.url]);

    const digest = await deliverOne("deliverd-run", port);

    assert.equal(await digestOfMain(registry.url), digest);
    await assertHealthy("deliverd-run");
    const processes = await docker("top", "deliverd-run", "-eo", "pid,uid,args");
    const [daemon] = processes.split("\n").filter((line) => line.includes("deliverd start") && !line.includes("tini"));
    assert.match(daemon ?? processes, /^\s*\d+\s+1000\s/);
  });

  it("starts together with Redis and a registry by one docker-compose up", async () => {
    await buildCompanionImages(engine.socket, image);
    started.push(() => docker("image", "rm", "--force", "stand-in/redis", "stand-in/registry"));
    const port = await freePort();
    const env = {
      ...process.env,
      ...settings(),
      DOCKER_HOST: `unix://${engine.socket}`,
      DOCKER_SOCKET: engine.socket,
      REDIS_IMAGE: "stand-in/redis",
      REGISTRY_IMAGE: "stand-in/registry",
      PORT: `${port}`,
    };
    const compose = (...args: string[]) => run("docker-compose", ["--project-name=deliverd", ...args], env);
    started.push(() => compose("down", "--volumes"));
    await compose("up", "--detach", "--no-build");
    const container = await compose("ps", "--quiet", "deliverd");
    await lend(container, [github.apiUrl, github.cloneUrl]);

    const digest = await deliverOne(container, port);

    assert.equal(await digestOfMain("http://127.0.0.1:5000"), digest);
  });

  function settings() {
    return {
      DELIVERD_REPOS: "acme/*",
      DELIVERD_ADMIN_TOKEN: adminToken,
      GITHUB_TOKEN: github.token,
      GITHUB_WEBHOOK_SECRET: webhookSecret,
      GITHUB_API_URL: github.apiUrl,
      GITHUB_CLONE_URL: github.cloneUrl,
    };
  }

  /** Lets the container reach our stand-ins under their own addresses. */
  async function lend(container: string, urls: string[]) {
    const pid = Number(await docker("inspect", "--format={{.State.Pid}}", container));
    const ports = urls.map((url) => Number(new URL(url).port));
    const loopback = await lendLoopback(pid, ports);
    started.push(() => loopback.close());
  }

  /** Pushes a commit, lets its CI pass, and waits for its release. Gives the digest. */
  async function deliverOne(container: string, port: number): Promise<string> {
    const url = `http://127.0.0.1:${port}`;
    try {
      await until("the daemon is ready", () => ask(`${url}/readyz`), 60_000);
      github.sendHooksTo(`${url}/webhooks/github`, webhookSecret);
      await sample.push();
      const sha = await sample.head();
      await github.green(sample, sha);
      const releases = `${url}/api/v1/releases?sha=${sha}`;
      const release = await until(
        "the commit is released",
        async () => (await ask<{ items: { digest: string }[] }>(releases)).items[0],
        120_000,
      );
      await until("success is reported", () => github.lastStatus(sample, sha, "deliverd/api")?.state === "success");
      assert.deepEqual(github.violations, []);
      return release.digest;
    } catch (cause) {
      throw new Error(`Not delivered. The container said:\n${await docker("logs", container)}`, { cause });
    }
  }

  async function ask<T>(url: string): Promise<T> {
    const answer = await fetch(url, { headers: { authorization: `Bearer ${adminToken}` } });
    assert.equal(answer.status, 200, `${url}: ${await answer.clone().text()}`);
    return (await answer.json()) as T;
  }

  /** The moving name of the sample's branch, read from the registry itself. */
  function digestOfMain(registry: string): Promise<string> {
    return until("the branch's name stands in the registry", async () => {
      const accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";
      const answer = await fetch(`${registry}/v2/acme/api/manifests/main`, { method: "HEAD", headers: { accept } });
      return answer.headers.get("docker-content-digest");
    });
  }

  /** Asks as HEALTHCHECK does, without waiting for its next turn. */
  async function assertHealthy(container: string) {
    const check = await docker("inspect", "--format={{json .Config.Healthcheck.Test}}", container);
    const [, ...command]: string[] = JSON.parse(check);
    await docker("exec", container, ...command);
  }

  function docker(...args: string[]): Promise<string> {
    return run("/usr/bin/docker", [`--host=unix://${engine.socket}`, ...args]);
  }

  async function run(command: string, args: string[], env: NodeJS.ProcessEnv = process.env): Promise<string> {
    const { stdout, stderr } = await promisify(execFile)(command, args, { cwd: root, env, maxBuffer: 2 ** 26 });
    return (args.includes("logs") ? stdout + stderr : stdout).trim();
  }
});
