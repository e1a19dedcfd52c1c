import assert from "node:assert/strict";
import { createPublicUrlProbe, publicUrlChecks } from "../../../../src/cli/doctor/public-url.ts";
import type { ServerConfig } from "../../../../src/config/server.ts";
import type { Host } from "../../../../src/hosts/host.ts";
import { openHosts } from "../../../../src/hosts/index.ts";
import { noTools } from "../../../support/hosts/no-tools.ts";
import {
  type Asked,
  json,
  type ScriptedServer,
  startScriptedServer,
} from "../../../support/network/scripted-server.ts";
import { freePort } from "../../../support/processes/process.ts";
import { serverFile } from "../../config/server-file.ts";

describe("The doctor's check of publicUrl", () => {
  const { load } = serverFile();
  const servers: ScriptedServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });

  async function served(answer: Parameters<typeof startScriptedServer>[0]): Promise<ScriptedServer> {
    const server = await startScriptedServer(answer);
    servers.push(server);
    return server;
  }
  const settings = "type: github, webhookSecret: s3cret-of-this";
  const configFor = (publicUrl: string, port: number, cloneUrl = "http://127.0.0.1:1") =>
    load(
      `publicUrl: ${publicUrl}\nport: ${port}\nhosts: { github: { ${settings}, cloneUrl: "${cloneUrl}" } }\nrepos: [acme/*]\n`,
    );
  /** @returns what it says, and whether this deliverd answers there */
  async function ask(config: ServerConfig, given?: Map<string, Host>) {
    const hosts = given ?? (await openHosts(config.hosts, noTools));
    const { leadsHere, results } = await createPublicUrlProbe(config, hosts)();
    return { leadsHere, said: results.map(({ state, text }) => `${state} ${text}`).join("\n") };
  }
  /** As deliverd answers with this secret. */
  async function deliverd(secret: string) {
    const { hosts } = await load(`hosts: { github: { type: github, webhookSecret: ${secret} } }\nrepos: [acme/*]\n`);
    const host = (await openHosts(hosts, noTools)).get("github");
    return served(async ({ url, headers, body }: Asked, response) => {
      if (url === "/healthz") return json(response, 200, { status: "ok" });
      const read = await host?.readHints({ headers, body: Buffer.from(body) }).catch(() => null);
      return json(response, read ? 202 : 401, {});
    });
  }
  const portOf = ({ url }: ScriptedServer) => Number(new URL(url).port);

  it("finds this deliverd by /healthz and a signed webhook that says nothing", async () => {
    const server = await deliverd("s3cret-of-this");
    const { leadsHere, said } = await ask(await configFor(server.url, portOf(server)));
    assert.equal(leadsHere, true);
    assert.match(
      said,
      /^ok http:\/\/127\.0\.0\.1:\d+ leads to this deliverd, from this machine: it answers \/healthz and/,
    );
    assert.doesNotMatch(JSON.stringify(server.asked), /s3cret/);
  });

  it("fails if another deliverd answers there", async () => {
    const server = await deliverd("s3cret-of-another");
    const { leadsHere, said } = await ask(await configFor(server.url, portOf(server)));
    assert.deepEqual(
      [leadsHere, /^fail another deliverd answers at .* another secret for hosts\.github$/.test(said)],
      [false, true],
    );
  });

  it("fails if webhooks do not come through", async () => {
    const server = await served(({ url }, response) =>
      json(response, url === "/healthz" ? 200 : 403, { status: "ok" }),
    );
    assert.match(
      (await ask(await configFor(server.url, portOf(server)))).said,
      /^fail .*\/webhooks\/github answers 403/,
    );
  });

  it("fails if something else stands there, or if it redirects", async () => {
    const other = await served((_asked, response) => json(response, 200, { welcome: true }));
    assert.match(
      (await ask(await configFor(other.url, 1))).said,
      /^fail .*\/healthz answers 200, but not as deliverd does$/,
    );
    const moved = await served((_asked, response) =>
      json(response, 301, {}, { location: "https://www.example.com/x" }),
    );
    assert.match(
      (await ask(await configFor(moved.url, 1))).said,
      /^fail .* redirects to https:\/\/www\.example\.com, and hosts/,
    );
  });

  it("only warns if nobody answers and deliverd does not run here, and fails if it runs", async () => {
    const gone = `http://127.0.0.1:${await freePort()}`;
    const asleep = await ask(await configFor(gone, await freePort()));
    assert.match(asleep.said, /^warn .*ECONNREFUSED.*; no deliverd listens on port \d+ of this machine$/);
    const running = await deliverd("s3cret-of-this");
    assert.match(
      (await ask(await configFor(gone, portOf(running)))).said,
      /^fail .*\/healthz gives no answer: .*ECONNREFUSED/,
    );
    const proxy = await served((_asked, response) => json(response, 502, {}));
    assert.match(
      (await ask(await configFor(proxy.url, await freePort()))).said,
      /^warn .*\/healthz answers 502; no deliverd/,
    );
  });

  it("warns if only this machine can reach it, while a git host is elsewhere", async () => {
    const server = await deliverd("s3cret-of-this");
    const config = await configFor(server.url, portOf(server), "https://github.com");
    const hosts = await openHosts(config.hosts, noTools);
    const [check] = publicUrlChecks(config, hosts, createPublicUrlProbe(config, hosts));
    const results = await check?.run();
    assert.ok(Array.isArray(results));
    assert.match(
      results.map(({ state, text }) => `${state} ${text}`).join(),
      /^warn only this machine can reach .*hosts\.github/,
    );
  });
});
