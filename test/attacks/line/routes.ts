import assert from "node:assert/strict";
import { Agent, request } from "node:http";
import fc from "fast-check";
import { image, pipeline, type World } from "../../support/world/world.ts";

/** What anybody may see: it tells nothing of any repo. */
const OPEN = /^\/(?:healthz|readyz|metrics|sign-in)\/?$/;

export function openDoors(world: () => World): void {
  after(() => agent.destroy());
  it("reveals and changes nothing, however the path is written", async () => {
    const repo = await world().repo("behind-doors", { ".deliverd.yml": pipeline([image("behind-doors")]) });
    const sha = await world().release(repo);
    const { id } = await world().delivery(repo, sha);
    const [release] = await world().releases(repo, sha);
    const paths = [
      ...["/", "/api/v1/deliveries", "/api/v1/releases", `/deliveries/${id}`, `/api/v1/deliveries/${id}`],
      ...[`/api/v1/deliveries/${id}/log`, `/api/v1/deliveries/${id}/retry`, `/api/v1/deliveries/${id}/cancel`],
      ...[`/api/v1/releases/behind-doors/${release?.version}`, "/api/v1/releases/behind-doors/latest/content"],
      `/api/v1/why?repo=acme/behind-doors&sha=${sha}`,
    ];
    const mutation = fc.constantFrom<(path: string) => string>(
      (path) => path,
      (path) => path.replace("/", "//"),
      (path) => path.replaceAll("/", "%2f"),
      (path) => path.replaceAll("/", "\\"),
      (path) => path.replace(/[a-z]/, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
      (path) => path.toUpperCase(),
      (path) => `/sign-in/..${path}`,
      (path) => `/webhooks/github/../..${path}`,
      (path) => `/healthz;${path}`,
      (path) => `${path}/`,
      (path) => `${path}/.`,
      (path) => `${path}%00`,
      (path) => `${path}%2e%2e`,
      (path) => `${path};x=/sign-in`,
      (path) => `${path}?access_token=&token=&_method=GET`,
      (path) => `${path}#/healthz`,
      (path) => `http://127.0.0.1${path}`,
    );
    const header = fc.constantFrom<Record<string, string>>(
      {},
      { authorization: "Bearer " },
      { authorization: "Bearer undefined" },
      { authorization: "Basic YWRtaW46YWRtaW4=" },
      { cookie: "deliverd_session=undefined.undefined" },
      { "x-original-url": "/healthz", "x-rewrite-url": "/healthz" },
      { "x-http-method-override": "GET", "x-forwarded-for": "127.0.0.1", "x-forwarded-host": "127.0.0.1" },
      { host: "localhost", origin: "http://127.0.0.1", "sec-fetch-site": "same-origin" },
    );
    const method = fc.constantFrom("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE");
    const before = await world().deliverd.api(`/api/v1/deliveries/${id}`);
    await fc.assert(
      fc.asyncProperty(
        method,
        fc.constantFrom(...paths),
        fc.array(mutation, { maxLength: 3 }),
        header,
        async (how, path, changes, headers) => {
          const target = changes.reduce((each, change) => change(each), path);
          const { status, text } = await send(world().deliverd.url, how, target, headers);
          const said = `${how} ${target} ${JSON.stringify(headers)}: ${status} ${text.slice(0, 200)}`;
          assert.ok(status < 500, said);
          for (const secret of ["behind-doors", "sha256:", "Sam Sample", "frozen as"]) {
            // The sign-in page bears where to go afterwards, which is what was asked for.
            assert.equal(text.replaceAll(target, "").includes(secret) && !target.includes(secret), false, said);
          }
          if (status === 200 && how !== "OPTIONS") assert.match(target.replace(/[?#].*/, ""), OPEN, said);
          if (status === 202) assert.fail(said);
        },
      ),
      { numRuns: 800, seed: 1 },
    );
    assert.deepEqual(await world().deliverd.api(`/api/v1/deliveries/${id}`), before);
  });
}

const agent = new Agent({ keepAlive: true });

/** The path goes out as it is written. */
function send(url: string, method: string, path: string, headers: Record<string, string>) {
  return new Promise<{ status: number; text: string }>((resolve, reject) => {
    const { hostname: host, port } = new URL(url);
    const asked = request({ agent, host, port, method, path, headers }, async (response) => {
      try {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk);
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() });
      } catch (error) {
        reject(error);
      }
    });
    asked.on("error", reject);
    asked.end();
  });
}
