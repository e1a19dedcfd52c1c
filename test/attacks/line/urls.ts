import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { isObject, type Json, type JsonObject } from "../../support/hosts/github/json.ts";
import { image, pipeline, type World } from "../../support/world/world.ts";
import { decided, send } from "./support.ts";

/** Whoever is not to be called: it takes connections, and keeps what comes first on each. */
export interface Listener {
  port: number;
  heard: string[];
  stop(): Promise<void>;
}

/** Whoever has a login to give would give it now. */
const ASKING =
  'HTTP/1.1 401 Unauthorized\r\nwww-authenticate: Basic realm="here"\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}';

export async function startListener(): Promise<Listener> {
  const heard: string[] = [];
  const server = createServer((socket) => {
    const at = heard.push("") - 1;
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      heard[at] += bytes.toString("latin1");
      socket.end(ASKING);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    heard,
    async stop() {
      server.close();
      await once(server, "close");
    },
  };
}

export function foreignUrls(world: () => World, listener: () => Listener): void {
  const url = (path = "") => `http://127.0.0.1:${listener().port}/${path}`;
  afterEach(() => {
    listener().heard.length = 0;
  });

  it("calls no address from any field of a webhook payload", async () => {
    const repo = await world().repo("payloads", { ".deliverd.yml": pipeline([image("payloads")]) });
    const sha = await world().release(repo);
    const told = world().github.hooks.filter(({ payload }) => JSON.stringify(payload).includes("acme/payloads"));
    assert.ok(told.some(({ payload }) => JSON.stringify(payload).includes("clone_url")));
    for (const { event, payload } of told) {
      const pointed = everyText(payload, (text) => (/^(?:https?|git|ssh):|^git@/.test(text) ? url("url") : text));
      assert.notDeepEqual(pointed, payload);
      const payloads = [pointed as JsonObject, ...eachText(payload, url("any"))];
      const answers = await Promise.all(payloads.map((each) => send(world(), { event, payload: each })));
      assert.equal(answers[0]?.status, 202);
      for (const { status } of answers) assert.ok(status === 202 || status === 400, `${status}`);
    }
    for (const [name, at] of [
      [url(), sha],
      ["127.0.0.1/x", sha],
      [`acme/payloads`, "f".repeat(40)],
    ] as const) {
      const body = JSON.stringify({ repo: name, sha: at });
      const headers = { "content-type": "application/json" };
      const { status } = await world().deliverd.fetch("/api/v1/deliveries", { method: "POST", headers, body });
      assert.ok(status < 500, `${name}: ${status}`);
    }
    // All of them have been looked at once a commit that came last was.
    const last = await repo.commit({ "greeting.txt": "Last\n" });
    await repo.push();
    await decided(world(), repo, last);
    assert.deepEqual(listener().heard, []);
  });

  it("calls no address from a pipeline file, or from files that git or an engine might read", async () => {
    const repo = await world().repo("fields", {
      ".gitmodules": `[submodule "sub"]\n\tpath = sub\n\turl = ${url("sub.git")}\n\tupdate = !curl ${url("hook")}\n`,
      ".lfsconfig": `[lfs]\n\turl = ${url("lfs")}\n`,
      ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n",
      "pointer.bin": `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 1\n`,
      ".gitconfig": `[url "${url()}"]\n\tinsteadOf = http\n[core]\n\tfsmonitor = curl ${url("monitor")}\n`,
    });
    await repo.git("update-index", "--add", "--cacheinfo", `160000,${"1".repeat(40)},sub`);
    await repo.git("commit", "--quiet", "--message", "A submodule");
    const here = `127.0.0.1:${listener().port}`;
    const as = (more: object) => image("fields", { publish: [{ to: "local", as: "acme/fields", ...more }] });
    const files = [
      pipeline(
        [
          image("fields", {
            args: { SOURCE: url("arg"), http_proxy: url(), HTTPS_PROXY: url() },
            publish: [{ to: "local", as: "acme/fields", tags: [url("{version}"), "{branch}"] }],
          }),
        ],
        { on: { branches: [url("on"), "**"], tags: [url("tag")] } },
      ),
      pipeline([image("fields")], { ci: { required: [url("check")], apps: ["github-actions"] } }),
      pipeline([image("fields", { paths: [url("**")] })], { ci: { required: ["never"] } }),
      pipeline([image("fields", { dockerfile: url("Dockerfile") })]),
      pipeline([image("fields", { context: url("repo.git") })]),
      pipeline([image("fields", { context: `git@${here}:x` })]),
      pipeline([image("fields", { platforms: [url()] })]),
      pipeline([image(url("name"))]),
      pipeline([as({ to: url("to") })]),
      pipeline([as({ as: url("as") })]),
      pipeline([as({ as: `${here}/acme/fields` })]),
      pipeline([image("fields")], { version: url() }),
      pipeline([image("fields")], { notices: [{ type: "webhook", url: url("notice") }] }),
      pipeline([image("fields")], { registries: { local: { type: "oci", url: url() } } }),
      pipeline([
        { name: "npm", kind: "npm", build: { image: `${here}/x`, run: ["x"] }, files: "*", publish: [{ to: "local" }] },
      ]),
    ];
    const shas: string[] = [];
    for (const [index, text] of files.entries()) {
      await repo.branch(`b${index}`, "main");
      shas.push(
        await repo.commit({ ".deliverd.yml": text.includes("\non:") ? text : `${text}on: { branches: ["**"] }\n` }),
      );
    }
    await repo.push(...files.map((_, index) => `b${index}`));
    const [whole = "", , , ...others] = shas;
    const paths = others.splice(0, 3);
    for (const sha of [whole, ...paths]) await world().github.green(repo.repo, sha);
    await world().status(repo, whole, "fields", "success");
    for (const sha of shas) await decided(world(), repo, sha);
    for (const sha of paths) await world().status(repo, sha, "fields", "failure");
    for (const sha of others) await world().status(repo, sha, null, "failure");
    assert.deepEqual(listener().heard, []);
  });

  it("lets only the engine contact the registry of a Dockerfile's base, once and without a login", async () => {
    const { host, username, password } = world().registry;
    const here = `127.0.0.1:${listener().port}`;
    const repo = await world().repo("bases");
    const shas: string[] = [];
    const dockerfiles = [
      `FROM ${here}/acme/base:1\n`,
      `FROM ${here}/${host}/acme/base:1\n`,
      `ARG BASE=${here}\nFROM \${BASE}/acme/base:1\n`,
      `FROM scratch\nCOPY --from=${here}/acme/base:1 / /\n`,
      `# syntax=${here}/acme/front:1\nFROM scratch\n`,
    ];
    for (const [index, dockerfile] of dockerfiles.entries()) {
      const artifact = image("bases", { publish: [{ to: "local", as: "acme/bases" }] });
      await repo.branch(`b${index}`, "main");
      shas.push(
        await repo.commit({
          Dockerfile: dockerfile,
          ".deliverd.yml": pipeline([artifact], { on: { branches: ["**"] }, ci: "none" }),
        }),
      );
    }
    await repo.push(...dockerfiles.map((_, index) => `b${index}`));
    for (const sha of shas) await world().status(repo, sha, "bases", "failure");
    assert.ok(listener().heard.length > 0, "the engine never asked");
    const secrets = [password, Buffer.from(`${username}:${password}`).toString("base64"), world().github.token];
    for (const heard of listener().heard) {
      assert.doesNotMatch(heard, /^authorization:|^x-registry-auth:/im);
      for (const secret of secrets) assert.equal(heard.includes(secret), false);
    }
  });

  it("follows no redirect of the git host, and sends no token there", async () => {
    const repo = await world().repo("moved", { ".deliverd.yml": pipeline([image("moved")]) });
    const sha = await repo.head();
    await repo.push();
    world().github.fail({
      times: 3,
      path: `/repos/acme/moved/commits/${sha}/check-runs`,
      status: 302,
      headers: { location: url("api") },
    });
    await world().github.green(repo.repo, sha);
    await world().status(repo, sha, "moved", "success", 60_000);
    assert.deepEqual(listener().heard, []);
  });
}

/** Every text of it, changed. */
function everyText(value: Json, change: (text: string) => string): Json {
  if (typeof value === "string") return change(value);
  if (Array.isArray(value)) return value.map((each) => everyText(each, change));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, everyText(each, change)]));
}

/** Copies of which each has one of the texts that a receiver reads replaced. */
function eachText(payload: JsonObject, by: string): JsonObject[] {
  const paths = [
    ["ref"],
    ["sha"],
    ["after"],
    ["repository", "name"],
    ["repository", "full_name"],
    ["repository", "default_branch"],
  ];
  return paths.flatMap(([first = "", second]) => {
    const holder = payload[first];
    if (second === undefined) return first in payload ? [{ ...payload, [first]: by }] : [];
    return isObject(holder) ? [{ ...payload, [first]: { ...holder, [second]: by } }] : [];
  });
}
