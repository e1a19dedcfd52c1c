import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { join } from "node:path";
import { signed } from "../../support/hosts/github/signed.ts";
import { freePort, type Server, startServer, type TempDir, tempDir } from "../../support/processes/process.ts";
import { makeCertificate } from "../../support/registries/docker-registry.ts";
import { type Deliverd, startDeliverd } from "../../support/world/deliverd.ts";
import { blocksOf, textOf } from "../../unit/docs/pages.ts";

const page = "docs/guides/containers.md";
const host = "deliverd.example.com";
const secret = "s3cret-of-the-webhook";

describe(`The nginx of ${page} in front of deliverd`, function () {
  this.timeout(60_000);
  let dir: TempDir;
  let deliverd: Deliverd;
  let nginx: Server;
  let port: number;
  let authority: string;

  before(async () => {
    dir = await tempDir();
    const hosts = { github: { type: "github", webhookSecret: secret } };
    deliverd = await startDeliverd({ config: { hosts, repos: ["acme/*"], publicUrl: `https://${host}` } });
    authority = (await makeCertificate(dir.path, host)).certificate;
    port = await freePort();
    const [sample, ...others] = blocksOf(textOf(page), "nginx");
    assert.ok(sample !== undefined && others.length === 0);
    // What belongs to the machine, and nothing else, is ours.
    const server = sample
      .replace("listen 443 ssl;", `listen 127.0.0.1:${port} ssl;`)
      .replaceAll("/etc/ssl/deliverd/", `${dir.path}/`)
      .replace("http://127.0.0.1:8080", deliverd.url);
    const temps = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"];
    const config = join(dir.path, "nginx.conf");
    const around = `daemon off; master_process off; pid ${dir.path}/pid; error_log stderr; events {}\n`;
    const paths = temps.map((name) => `${name}_temp_path ${dir.path}/${name};`).join("\n");
    await writeFile(config, `${around}http { access_log off; ${paths}\n${server}\n}`);
    const args = ["-c", config, "-p", dir.path, "-e", "stderr"];
    nginx = await startServer("/usr/sbin/nginx", args, async () => assert.equal((await ask("/healthz")).status, 200));
  });

  after(async () => {
    await nginx?.stop();
    await deliverd?.remove();
    await dir?.remove();
  });

  async function ask(path: string, init: { headers?: Record<string, string>; body?: string } = {}) {
    const where = { host: "127.0.0.1", port, servername: host, ca: authority, path, agent: false };
    const headers = { Host: host, ...init.headers };
    const sent = httpsRequest({ ...where, method: init.body === undefined ? "GET" : "POST", headers });
    sent.end(init.body);
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of answer) chunks.push(chunk);
    return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks).toString() };
  }

  it("passes a signed webhook on, and deliverd accepts it", async () => {
    const { status, body } = await ask(
      "/webhooks/github",
      signed(secret, "ping", { zen: "Keep it logically awesome." }),
    );
    assert.equal(status, 202, body);
  });

  it("passes on a payload of 20 MB, which nginx by itself would refuse", async () => {
    const { status, body } = await ask("/webhooks/github", signed(secret, "ping", { zen: "x".repeat(20_000_000) }));
    assert.equal(status, 202, body);
  });

  it("keeps the metrics inside", async () => {
    assert.equal((await ask("/metrics")).status, 403);
    assert.equal((await deliverd.fetch("/metrics")).status, 200);
  });

  it("gets a cookie that browsers send over HTTPS only", async () => {
    const form = `token=${deliverd.adminToken}`;
    const headers = { "Content-Type": "application/x-www-form-urlencoded", Origin: `https://${host}` };
    const answer = await ask("/sign-in", { headers, body: form });
    assert.match(String(answer.headers["set-cookie"]), /; Secure/i, `${answer.status}: ${answer.body}`);
  });
});
