import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { type Postgres, startPostgres } from "../support/databases/postgres.ts";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { type FaultyProxy, startFaultyProxy } from "../support/network/faulty-proxy.ts";
import { commandLines } from "../support/processes/command-lines.ts";
import { tempDir, until } from "../support/processes/process.ts";
import { image, pipeline, startWorld, WEBHOOK_SECRET, type World } from "../support/world/world.ts";

const run = promisify(execFile);

describe("A secret of the configuration", function () {
  this.timeout(120_000);
  let postgres: Postgres;
  let proxy: FaultyProxy;
  let world: World;
  let canaries: Record<string, string>;
  /** Command lines of all processes while deliveries ran. */
  const seen = new Set<string>();
  let watching = true;
  let watch: Promise<void>;

  before(async () => {
    postgres = await startPostgres();
    const databaseUrl = new URL(await postgres.newDatabase());
    databaseUrl.password = "database-canary-secret";
    world = await startWorld({
      async config({ registry, second }) {
        proxy = await startFaultyProxy(registry.url);
        const login = { username: registry.username, password: registry.password };
        return {
          databaseUrl: databaseUrl.href,
          registries: {
            local: { type: "oci", url: proxy.url, ...login, default: true },
            second: { type: "oci", url: second.url },
          },
          repos: [{ match: "acme/*", secrets: { NPM_READ: "build-canary-secret" } }],
        };
      },
    });
    canaries = {
      "the host's token": world.github.token,
      "the webhook secret": WEBHOOK_SECRET,
      "the registry's password": world.registry.password,
      "the notice secret": world.sink.secret,
      "the notice secret's key": world.sink.secret.replace("whsec_", ""),
      "the admin token": world.deliverd.adminToken,
      "the database's password": databaseUrl.password,
      "a repo's secret": "build-canary-secret",
    };
    watch = watchProcesses();
  });

  after(async () => {
    watching = false;
    await watch;
    const violations = world?.github.violations;
    await world?.stop();
    await proxy?.stop();
    await postgres?.stop();
    assert.deepEqual(violations, []);
  });

  it("is found by the search that these tests use", () => {
    const token = canaries["the host's token"] ?? "";
    for (const prefix of ["", "x", "xy", "x-access-token:"]) {
      const text = Buffer.from(`${prefix}${token} and more`).toString("base64");
      assert.deepEqual(leaks(`Authorization: Basic ${text}`), ["the host's token"]);
    }
    assert.deepEqual(leaks(encodeURIComponent(token)), ["the host's token"]);
    assert.deepEqual(leaks("nothing"), []);
  });

  it("is in no image, log, answer, page, status, notice or process list of a successful delivery", async () => {
    const repo = await world.repo("good", {
      Dockerfile: [
        "FROM scratch",
        "COPY busybox /bin/busybox",
        'RUN ["/bin/busybox", "sh", "-c", "busybox env | busybox tee /env"]',
        'RUN --mount=type=secret,id=NPM_READ ["/bin/busybox", "sha256sum", "/run/secrets/NPM_READ"]',
        "",
      ].join("\n"),
      ".deliverd.yml": pipeline([
        image("good", {
          secrets: ["NPM_READ"],
          publish: [
            { to: "local", as: "acme/good" },
            { to: "second", as: "acme/good" },
          ],
        }),
      ]),
    });
    const sha = await world.release(repo);
    await until("it is announced", () => world.notices(repo, sha).length > 0);
    const hash = createHash("sha256").update("build-canary-secret").digest("hex");
    assert.match(await world.log(repo, sha), new RegExp(hash), "the step did not get the repo's secret");
    await assertSilent(repo, sha);

    const dir = await tempDir();
    try {
      const { host, username, password } = world.registry;
      const login = ["--src-creds", `${username}:${password}`, "--src-tls-verify=false"];
      await run("skopeo", [
        "--insecure-policy",
        "copy",
        ...login,
        `docker://${host}/acme/good:sha-${sha.slice(0, 7)}`,
        `dir:${dir.path}/image`,
      ]);
      for (const file of await readdir(join(dir.path, "image"))) {
        const bytes = await readFile(join(dir.path, "image", file));
        assert.deepEqual(leaks(bytes[0] === 0x1f ? gunzipSync(bytes) : bytes), [], file);
      }
    } finally {
      await dir.remove();
    }
  });

  it("is masked if the build itself prints it: whole, encoded, or in parts", async () => {
    const password = canaries["the registry's password"] ?? "";
    const half = password.length / 2;
    const prints = [
      `echo plain ${password}`,
      `echo encoded ${Buffer.from(`user:${password}`).toString("base64")}`,
      `printf 'halves '; printf '${password.slice(0, half)}'; busybox sleep 0.4; echo '${password.slice(half)}'`,
      `echo failing with ${password} && false`,
    ].join("; ");
    const repo = await world.repo("blabs", {
      Dockerfile: `FROM scratch\nCOPY busybox /bin/busybox\nCOPY blab.sh /\nRUN ["/bin/busybox", "sh", "/blab.sh"]\n`,
      "blab.sh": `${prints}\n`,
      ".deliverd.yml": pipeline([image("blabs")]),
    });
    const sha = await begin(repo);
    const { description } = await world.status(repo, sha, "blabs", "failure");
    assert.deepEqual(leaks(description ?? ""), []);
    const log = await world.log(repo, sha);
    for (const word of ["plain", "encoded", "halves"]) assert.match(log, new RegExp(`${word} .*\\[secret\\]`), log);
    await assertSilent(repo, sha);
  });

  it("is in no error when host and registry fail", async () => {
    const repo = await world.repo("bad", { ".deliverd.yml": pipeline([image("bad")]) });
    proxy.fault = ({ headers }) => ({
      status: 403,
      body: JSON.stringify({ errors: [{ code: "DENIED", message: `you sent ${headers.authorization}` }] }),
    });
    world.github.fail({ times: 2, status: 500 });
    const sha = await begin(repo);
    await world.status(repo, sha, "bad", "failure", 60_000);
    proxy.fault = () => undefined;
    await assertSilent(repo, sha);
  });

  it("is in no answer to a refused request", async () => {
    const { url, adminToken } = world.deliverd;
    const requests: [string, RequestInit][] = [
      ["/api/v1/deliveries", {}],
      ["/api/v1/deliveries", { headers: { authorization: `Bearer ${adminToken}x` } }],
      ["/api/v1/deliveries?state=nonsense", { headers: { authorization: `Bearer ${adminToken}` } }],
      [
        "/api/v1/deliveries",
        {
          method: "POST",
          body: "{",
          headers: { authorization: `Bearer ${adminToken}`, "content-type": "application/json" },
        },
      ],
      ["/api/v1/releases/none/1.0.0", { headers: { authorization: `Bearer ${adminToken}` } }],
      ["/webhooks/github", { method: "POST", body: "{}", headers: { "content-type": "application/json" } }],
      ["/webhooks/none", { method: "POST", body: "{}" }],
      ["/sign-in", { method: "POST", body: new URLSearchParams({ token: `${adminToken}x` }) }],
    ];
    for (const [path, init] of requests) {
      const answer = await fetch(`${url}${path}`, { redirect: "manual", ...init });
      assert.ok(answer.status >= 400 && answer.status < 500, `${path}: ${answer.status}`);
      assert.deepEqual(leaks(await answer.text()), [], path);
    }
    assert.deepEqual(leaks(world.deliverd.output()), []);
  });

  it("is in no process list and nowhere in the data directory", async () => {
    assert.ok(
      [...seen].some((line) => line.startsWith("git\0")),
      "no git was seen at all",
    );
    const ours = [...seen].filter((line) => !line.startsWith("skopeo"));
    assert.deepEqual(
      ours.flatMap((line) => leaks(line).map((name) => `${name} in ${line.replaceAll("\0", " ")}`)),
      [],
    );
    const files = await readdir(world.deliverd.dataDir, { recursive: true, withFileTypes: true });
    const blobs = join(world.deliverd.dataDir, "store");
    let read = 0;
    for (const file of files) {
      const path = join(file.parentPath, file.name);
      // Frozen layers were looked into above; a commit's own secrets are its author's affair.
      if (!file.isFile() || path.startsWith(blobs) || path.includes("/objects/")) continue;
      read += 1;
      assert.deepEqual(leaks(await readFile(path).catch(() => "")), [], path);
    }
    assert.ok(read > 3);
  });

  async function begin(repo: SampleRepo): Promise<string> {
    const sha = await repo.head();
    await repo.push();
    await world.github.green(repo.repo, sha);
    return sha;
  }

  /** Everything that deliverd shows of a commit, to whomever. */
  async function assertSilent(repo: SampleRepo, sha: string): Promise<void> {
    const { id } = await world.delivery(repo, sha);
    const paths = [
      ...[`/api/v1/deliveries/${id}`, `/api/v1/deliveries/${id}/log`, "/api/v1/deliveries", "/api/v1/releases"],
      ...[`/api/v1/why?repo=acme/${repo.name}&sha=${sha}`, "/", `/deliveries/${id}`, "/sign-in", "/readyz", "/metrics"],
    ];
    for (const path of paths) {
      const answer = await world.deliverd.fetch(path);
      assert.equal(answer.status, 200, path);
      assert.deepEqual(leaks(JSON.stringify([...answer.headers]) + (await answer.text())), [], path);
    }
    assert.deepEqual(leaks(world.deliverd.output()), []);
    assert.deepEqual(leaks(JSON.stringify(world.github.statusesOf(repo.repo, sha))), []);
    assert.deepEqual(leaks(JSON.stringify(world.notices(repo, sha))), []);
    assert.deepEqual(leaks(JSON.stringify(world.github.hooks.map((hook) => hook.answer))), []);
  }

  /** The canaries that a text holds in any form that somebody could read them from. */
  function leaks(content: string | Buffer): string[] {
    const text = typeof content === "string" ? content : content.toString("latin1");
    return Object.entries(canaries)
      .filter(([, secret]) =>
        [secret, encodeURIComponent(secret), ...inBase64(secret)].some((form) => text.includes(form)),
      )
      .map(([name]) => name);
  }

  async function watchProcesses(): Promise<void> {
    while (watching) {
      for (const line of (await commandLines()).values()) seen.add(line);
      await delay(15);
    }
  }
});

/** What base64 of a longer text around the secret surely holds, whatever stands before and after it. */
function inBase64(secret: string): string[] {
  return [0, 1, 2].map((shift) => {
    const encoded = Buffer.from("x".repeat(shift) + secret)
      .toString("base64")
      .replace(/=+$/, "");
    return encoded.slice(shift === 0 ? 0 : shift + 1, -2);
  });
}
