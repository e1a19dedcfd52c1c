import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { basename } from "node:path";
import { stringify } from "yaml";
import { buildCompanionImages } from "../support/engine/companion-images.ts";
import { base, image, runCommand, useContainers } from "../support/engine/containers.ts";
import { type SampleRepo, sampleRepo } from "../support/fixtures/sample-repo.ts";
import { type GitHubStandIn, startGitHub } from "../support/hosts/github/github.ts";
import { signed } from "../support/hosts/github/signed.ts";
import { freePort, until } from "../support/processes/process.ts";
import { startRegistry } from "../support/registries/docker-registry.ts";
import { blocksOf, textOf } from "../unit/docs/pages.ts";

const adminToken = randomBytes(16).toString("hex");
const webhookSecret = randomBytes(16).toString("hex");

interface Released {
  digest: string;
  locations: { pull: string }[];
}

describe("The container image", function () {
  this.timeout(600_000);

  const containers = useContainers();
  const { checkHealth, configFolder, docker, endLater, lend, startContainer } = containers;
  let github: GitHubStandIn;
  let sample: SampleRepo;

  beforeEach(async () => {
    github = await startGitHub();
    endLater(() => github.close());
    sample = await sampleRepo(github, { owner: "acme", name: "api" });
    endLater(() => sample.remove());
  });

  it("is a complete installation with one docker run, on a read-only root, with a file written for another place", async () => {
    const registry = await startRegistry();
    endLater(() => registry.stop());
    const [port, intake] = [await freePort(), await freePort()];
    const file = {
      // Where a laptop has it. The image's environment goes before.
      ...{ port: 1, dataDir: "data", docker: { intake: { listen: "127.0.0.1:1", advertise: "127.0.0.1:1" } } },
      hosts: {
        github: {
          ...{ type: "github", apiUrl: github.apiUrl, cloneUrl: github.cloneUrl },
          ...{ token: `\${GITHUB_TOKEN}`, webhookSecret: `\${file:/config/webhook-secret}` },
        },
      },
      registries: { local: { type: "oci", url: registry.url, publicUrl: "https://registry.example.com" } },
      repos: ["acme/*"],
    };
    const config = await configFolder({ "deliverd.yml": stringify(file), "webhook-secret": `${webhookSecret}\n` });
    await startContainer(
      "deliverd-run",
      ["--read-only", `--volume=${config}:/config:ro`],
      {
        DELIVERD_CONFIG: "/config/deliverd.yml",
        DELIVERD_INTAKE_ADVERTISE: `127.0.0.1:${intake}`,
        ...{ DELIVERD_ADMIN_TOKEN: adminToken, GITHUB_TOKEN: github.token },
      },
      [`--publish=127.0.0.1:${port}:8080`, `--publish=127.0.0.1:${intake}:5055`],
    );
    await lend("deliverd-run", [github.apiUrl, github.cloneUrl, registry.url]);

    const { digest, locations } = await deliverOne("deliverd-run", port);

    assert.equal(await digestOfMain(registry.url), digest);
    assert.equal(locations[0]?.pull, `docker pull registry.example.com/acme/api@${digest}`);
    assert.equal(await checkHealth("deliverd-run"), "deliverd start answers on port 8080");
    const processes = await docker("top", "deliverd-run", "-eo", "pid,uid,args");
    const [daemon] = processes.split("\n").filter((line) => line.includes("deliverd start") && !line.includes("tini"));
    assert.match(daemon ?? processes, /^\s*\d+\s+1000\s/);
    // Of node_modules, the image has only what the bundle does not hold.
    const { dependencies } = JSON.parse(textOf("package.json")) as { dependencies: Record<string, string> };
    const external = Object.keys(dependencies).filter((name) => /^(?:libsql|dockerode|@aws-sdk\/.*)$/.test(name));
    const imports = `for (const name of ${JSON.stringify(external)}) await import(name);`;
    await docker("exec", "deliverd-run", "node", "--input-type=module", "--eval", imports);
    // The backup that docs/guides/operations.md tells.
    const backup = ["sqlite3", "/data/ledger.db", ".backup /data/ledger.copy"];
    await docker("exec", "--user=deliverd", "deliverd-run", ...backup);
  });

  it("starts with the sample file of README.md, and its intake is the one of the image", async () => {
    const samples = blocksOf(textOf("README.md"), "yaml").filter((text) => text.startsWith("# deliverd.yml\n"));
    assert.equal(samples.length, 1);
    const config = await configFolder({ "deliverd.yml": samples[0] ?? "" });
    const names = [...(samples[0] ?? "").matchAll(/\$\{(\w+)\}/g)].map(([, name = ""]) => [
      name,
      "whsec_c2VjcmV0c2VjcmV0",
    ]);
    await startContainer(
      "deliverd-sample",
      [`--volume=${config}/deliverd.yml:/deliverd.yml`],
      { DELIVERD_CONFIG: "/deliverd.yml", ...Object.fromEntries(names) },
      [],
    );
    const said = await until("it works", async () => {
      const lines = await docker("logs", "deliverd-sample");
      return /"message":"working".*/.exec(lines)?.[0];
    });
    assert.match(said, /"intake":"127.0.0.1:5055"/);
  });

  it("runs commands of docker exec as the daemon's user, and says how to open a file that this user may not read", async () => {
    const config = await configFolder({ "deliverd.yml": "" }, 0o600);
    const run = [
      "run",
      "--rm",
      "--network=none",
      `--volume=${config}/deliverd.yml:/d.yml`,
      image,
      "--config=/d.yml",
      "doctor",
    ];
    await assert.rejects(docker(...run), (error: Error & { code?: number; stderr?: string }) => {
      assert.equal(error.code, 2);
      assert.match(
        error.stderr ?? "",
        /\/d\.yml: .* mode 0600 and belongs to the user 0, and deliverd runs as the user 1000\./,
      );
      assert.match(error.stderr ?? "", /Run `chown 1000 <file>`/);
      return true;
    });
  });

  it("starts together with Redis, a registry and HTTPS by one docker compose up", async () => {
    await buildCompanionImages(containers.socket(), image, base);
    const standIns = ["stand-in/redis", "stand-in/registry", "stand-in/caddy"];
    endLater(() => docker("image", "rm", "--force", ...standIns));
    const [port, intake, https] = [await freePort(), await freePort(), await freePort()];
    const env = {
      ...process.env,
      ...settings(),
      DOCKER_HOST: `unix://${containers.socket()}`,
      DOCKER_SOCKET: containers.socket(),
      ...{ REDIS_IMAGE: "stand-in/redis", REGISTRY_IMAGE: "stand-in/registry", CADDY_IMAGE: "stand-in/caddy" },
      ...{ PORT: `${port}`, INTAKE_PORT: `${intake}`, HTTPS_PORT: `${https}`, HTTP_PORT: `${await freePort()}` },
      ...{ DELIVERD_PUBLIC_URL: "https://deliverd.test", CADDY_TLS: "tls internal" },
      DELIVERD_CONFIG_DIR: await configFolder({ "webhook-secret": webhookSecret }),
      ...{ GITHUB_WEBHOOK_SECRET: "", GITHUB_WEBHOOK_SECRET_FILE: "/config/webhook-secret" },
    };
    const [command, ...first] = await composeCommand(["docker-compose.yml", "deploy/compose/tls.yml"], env);
    const compose = (...args: string[]) => runCommand(command, [...first, "--project-name=deliverd", ...args], env);
    endLater(() => compose("down", "--volumes"));
    await compose("up", "--detach", "--no-build");
    const container = await compose("ps", "--quiet", "deliverd");
    await lend(container, [github.apiUrl, github.cloneUrl]);

    const { digest, locations } = await deliverOne(container, port);

    assert.equal(await digestOfMain("http://127.0.0.1:5000"), digest);
    assert.equal(locations[0]?.pull, `docker pull 127.0.0.1:5000/acme/api@${digest}`);
    await docker("pull", `127.0.0.1:5000/acme/api@${digest}`);
    endLater(() => docker("image", "rm", "--force", `127.0.0.1:5000/acme/api@${digest}`));

    // Nobody reaches the public URL here, and the command needs no option.
    const listed = await docker("exec", container, "deliverd", "releases", "--json");
    assert.ok(listed.includes(digest), listed);

    const authority = await until("Caddy has its authority", () =>
      compose("exec", "-T", "caddy", "cat", "/data/caddy/pki/authorities/local/root.crt"),
    );
    assert.equal(await sendPing({ port: https, host: "deliverd.test", authority }), 202);

    await assertWorkerIsHealthy("deliverd_default");
  });

  /** A worker of its own beside the others: the image's health check knows its port, and it has no admin token. */
  async function assertWorkerIsHealthy(network: string) {
    const worker = { ...settings(), DELIVERD_REDIS_URL: "redis://redis:6379" };
    await startContainer("deliverd-worker", [], worker, [], { network, command: ["worker"] });
    const line = await until("the worker answers", () => checkHealth("deliverd-worker").catch(() => null));
    assert.equal(line, "deliverd worker answers on port 8081");
    assert.doesNotMatch(await docker("logs", "deliverd-worker"), /admin token/);
  }

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

  /** `docker compose` with the files, where it is installed; else the older command, which Debian 12 has. */
  async function composeCommand(files: string[], env: NodeJS.ProcessEnv): Promise<[string, ...string[]]> {
    const found = await docker("compose", "version").catch(() => null);
    if (found !== null) return ["/usr/bin/docker", "compose", ...files.map((file) => `--file=${file}`)];
    const flat = files.map((file) => [basename(file), withoutNesting(textOf(file), env)]);
    const folder = await configFolder(Object.fromEntries(flat));
    return ["docker-compose", "--project-directory=.", ...flat.map(([name]) => `--file=${folder}/${name}`)];
  }

  /** Compose v1 does not understand a variable in the default of another: `${A:-${B:-c}}`. */
  function withoutNesting(text: string, env: NodeJS.ProcessEnv): string {
    const nested = /\$\{([A-Z_]+):-([^{}]*\$\{[^{}]*\}[^{}]*)\}/g;
    return text.replace(nested, (_, name: string, otherwise: string) => env[name] || otherwise);
  }

  /** A ping as GitHub sends it, over TLS. @returns the status of the answer */
  async function sendPing(to: { port: number; host: string; authority: string }): Promise<number> {
    const { headers, body } = signed(webhookSecret, "ping", { zen: "Design for failure.", hook_id: 1 });
    const where = { host: "127.0.0.1", port: to.port, servername: to.host, ca: to.authority, path: "/webhooks/github" };
    const sent = httpsRequest({ ...where, method: "POST", headers: { Host: to.host, ...headers }, agent: false });
    sent.end(body);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    answer.resume();
    return answer.statusCode ?? 0;
  }

  /** Pushes a commit, lets its CI pass, and waits for its release. */
  async function deliverOne(container: string, port: number): Promise<Released> {
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
        async () => (await ask<{ items: Released[] }>(releases)).items[0],
        120_000,
      );
      await until("success is reported", () => github.lastStatus(sample, sha, "deliverd/api")?.state === "success");
      assert.deepEqual(github.violations, []);
      return release;
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
});
