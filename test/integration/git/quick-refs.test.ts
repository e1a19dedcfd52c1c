import assert from "node:assert/strict";
import { once, setMaxListeners } from "node:events";
import { appendFile } from "node:fs/promises";
import { createServer } from "node:net";
import { basename, join } from "node:path";
import { isRef } from "../../../src/git/arguments.ts";
import { QuickRefs } from "../../../src/git/quick-refs.ts";
import { git } from "../../support/hosts/git.ts";
import { never, remakeAsSha256, remakeServedAsSha256, useGitHost } from "../../support/hosts/git-host.ts";
import { startGitServer } from "../../support/hosts/git-server.ts";
import type { Fault, Passed } from "../../support/network/faulty-proxy.ts";
import { freePort, until } from "../../support/processes/process.ts";

const LIST = "application/x-git-upload-pack-result";
const NETWORK = ["http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];
const TRUST = [
  "GIT_SSL_CAINFO",
  "GIT_SSL_CAPATH",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "NODE_EXTRA_CA_CERTS",
  "NODE_TLS_REJECT_UNAUTHORIZED",
];

describe("Listing refs over HTTP without git", () => {
  const scene = useGitHost();
  let quick: QuickRefs;
  let now: number;
  const environment = { ...process.env };

  beforeEach(async () => {
    for (const name of [...NETWORK, ...TRUST]) delete process.env[name];
    now = 0;
    quick = new QuickRefs({ now: () => now, idleTimeout: 3_600_000 });
  });
  afterEach(() => {
    for (const name of [...NETWORK, ...TRUST])
      if (environment[name] === undefined) delete process.env[name];
      else process.env[name] = environment[name];
  });

  const ask = () => quick.ask(scene.repo.source, [never]);
  const seen = () => scene.host.proxy.passed.map(({ method }) => method).join(" ");
  const isOurs = ({ headers }: Passed) => headers["user-agent"] === "git/deliverd";

  describe("gives the same as git ls-remote", () => {
    const sameAsGit = async () => {
      const refs = await ask();
      assert.deepEqual(refs, listOf(await git("/", ["ls-remote", "--symref", scene.repo.source.url])));
      return refs;
    };

    it("for branches, annotated tags, light tags, and names that look like other syntax", async () => {
      const sha = await scene.repo.commit({ a: "1" });
      const names = ["release/1.x", "HEAD", "@", "ünïcode/名", "a#b%20c&d=e", "refs/heads/x", "\u009b31m", "-x"];
      for (const name of names) await scene.repo.git(["update-ref", `refs/heads/${name}`, sha]);
      await scene.repo.git(["tag", "light"]);
      await scene.repo.git(["tag", "-a", "v1.0.0", "-m", "One"]);
      await scene.repo.git(["tag", "-a", "nested", "-m", "A tag of a tag", "v1.0.0"]);
      await scene.repo.git(["tag", "tree", "HEAD^{tree}"]);
      await scene.repo.push();
      const inBare = (...args: string[]) => scene.repo.git(["--git-dir", scene.repo.bare, ...args]);
      await inBare("symbolic-ref", "refs/heads/alias", "refs/heads/main");
      for (const ref of ["refs/pull/1/head", "refs/remotes/x/refs/heads/y"]) await inBare("update-ref", ref, sha);
      const refs = await sameAsGit();
      assert.equal(refs?.raw.get("refs/tags/v1.0.0"), await scene.repo.git(["rev-parse", "v1.0.0"]));
      assert.equal(refs.raw.get("refs/heads/alias"), sha);
      assert.equal(refs.raw.has("refs/heads/\u009b31m"), false);
      assert.equal(refs.raw.size, 13);
      assert.equal(refs.defaultBranch, "main");
    });

    it("for an empty repo", async () => {
      assert.deepEqual(await sameAsGit(), { raw: new Map(), defaultBranch: null });
    });

    it("for a default branch that does not exist yet, one of another name, and none", async () => {
      const sha = await scene.repo.commit({ a: "1" });
      const setHead = (...args: string[]) => scene.repo.git(["--git-dir", scene.repo.bare, ...args]);
      await setHead("symbolic-ref", "HEAD", "refs/heads/unborn");
      assert.equal((await sameAsGit())?.defaultBranch, null);
      await scene.repo.git(["branch", "trunk/x"]);
      await scene.repo.push();
      await setHead("symbolic-ref", "HEAD", "refs/heads/trunk/x");
      assert.equal((await sameAsGit())?.defaultBranch, "trunk/x");
      await setHead("update-ref", "--no-deref", "HEAD", sha);
      assert.equal((await sameAsGit())?.defaultBranch, null);
    });

    it("for a SHA-256 repository", async () => {
      await remakeAsSha256(scene.repo);
      const sha = await scene.repo.commit({ a: "1" });
      assert.equal((await sameAsGit())?.raw.get("refs/heads/main"), sha);
    });

    it("for a list of many refs", async () => {
      const sha = await scene.repo.commit({ a: "1" });
      const lines = Array.from({ length: 3_000 }, (_none, at) => `${sha} refs/heads/many/${at}\n`);
      await git(scene.repo.bare, ["pack-refs", "--all"]);
      const file = join(scene.repo.bare, "packed-refs");
      await appendFile(file, lines.sort().join(""));
      assert.equal((await sameAsGit())?.raw.size, 3_001);
    });
  });

  describe("at low cost", () => {
    it("asks for the capabilities only at the first request, and again after ten minutes", async () => {
      const sha = await scene.repo.commit({ a: "1" });
      await ask();
      assert.equal(seen(), "GET POST");
      now += 9 * 60_000;
      const second = await scene.repo.commit({ a: "2" });
      assert.notEqual(sha, second);
      assert.equal((await ask())?.raw.get("refs/heads/main"), second);
      assert.equal(seen(), "GET POST POST");
      now += 2 * 60_000;
      await ask();
      assert.equal(seen(), "GET POST POST GET POST");
    });

    it("needs one request and no git for a mirror of a repo in which nothing changed", async () => {
      await scene.repo.commit({ a: "1" });
      await scene.mirror.sync(scene.repo.source, never);
      scene.host.proxy.passed.length = 0;
      await scene.mirror.sync(scene.repo.source, never);
      await scene.mirror.remoteRefs(scene.repo.source, never);
      assert.equal(seen(), "POST POST");
      assert.ok(scene.host.proxy.passed.every(isOurs));
    });

    it("reuses its connection", async () => {
      await scene.repo.commit({ a: "1" });
      const server = await startGitServer(join(scene.host.path, "host"));
      try {
        const source = { ...scene.repo.source, url: `${server.cloneUrl}/acme/${basename(scene.repo.bare)}` };
        for (let look = 0; look < 5; look++) assert.ok(await quick.ask(source, [never]));
        assert.equal(server.requests.length, 6);
        assert.equal(new Set(server.requests.map(({ port }) => port)).size, 1);
      } finally {
        await server.close();
      }
    });

    it("sends the credentials byte for byte as git does", async () => {
      const source = { ...scene.repo.source, authorization: "Bearer pässwörd" };
      await quick.ask(source, [never]);
      await git("/", ["-c", `http.extraHeader=Authorization: ${source.authorization}`, "ls-remote", source.url]);
      const sent = scene.host.proxy.passed.map(({ headers }) => headers.authorization);
      assert.equal(sent.length, 4);
      assert.equal(new Set(sent).size, 1);
    });
  });

  describe("leaves it to git", () => {
    const lost =
      (fault: Fault) =>
      ({ method }: Passed) =>
        method === "POST" ? fault : undefined;
    const list = (body: string, type = LIST) => lost({ status: 200, headers: { "content-type": type }, body });
    const sha = "a".repeat(40);
    const line = (text: string) => `${(text.length + 4).toString(16).padStart(4, "0")}${text}`;
    const huge = line(`${sha} refs/heads/${"x".repeat(65_000)}\n`).repeat(1_035);

    const cases: [string, (request: Passed) => Fault | undefined][] = [
      // These would be good responses, except for the status.
      ...[301, 302, 307, 401, 403, 404, 429, 500, 503].flatMap((status): typeof cases => {
        const headers = { location: "http://127.0.0.1:1/", "content-type": LIST };
        const [advertised, body] = ["application/x-git-upload-pack-advertisement", "000dversion 2000bls-refs0000"];
        return [
          [
            `status ${status} to the first request`,
            () => ({ status, headers: { ...headers, "content-type": advertised }, body }),
          ],
          [`status ${status} to the second request`, lost({ status, headers, body: "0000" })],
        ];
      }),
      ["a response that is cut off", lost({ cutAnswerAfter: 70 })],
      ["a first response that is cut off", () => ({ cutAnswerAfter: 70 })],
      ["a response that lost its end and claims to be whole", list(line(`${sha} refs/heads/main\n`))],
      ["another content type", list("0000", "text/plain")],
      ["an error packet", list(`${line("ERR not today\n")}0000`)],
      ["an HTML page", () => ({ status: 200, headers: { "content-type": "text/html" }, body: "<html>" })],
      ["more than 64 MB", list(`${huge}0000`)],
    ];
    for (const [what, fault] of cases) {
      it(`for five minutes after ${what}`, async () => {
        await scene.repo.commit({ a: "1" });
        scene.host.proxy.fault = fault;
        assert.equal(await ask(), null);
        const before = scene.host.proxy.passed.length;
        assert.equal(await ask(), null);
        assert.equal(scene.host.proxy.passed.length, before);
        scene.host.proxy.fault = () => undefined;
        now += 6 * 60_000;
        assert.notEqual(await ask(), null);
      });
    }

    it("if the repo changed its object format", async () => {
      await scene.repo.commit({ a: "1" });
      assert.notEqual(await ask(), null);
      await remakeServedAsSha256(scene.repo);
      assert.equal(await ask(), null);
      now += 6 * 60_000;
      assert.notEqual(await ask(), null);
    });

    it("and keeps no connection whose response it did not read", async () => {
      await scene.repo.commit({ a: "1" });
      const body = "x".repeat(1_000_000);
      scene.host.proxy.fault = ({ url }) => (url.includes("/none") ? { status: 404, body } : undefined);
      // More than there are connections to one host.
      for (let at = 0; at < 20; at++) {
        const source = { ...scene.repo.source, url: scene.repo.source.url.replace("/acme/", `/acme/none${at}-`) };
        assert.equal(await quick.ask(source, [never]), null);
      }
      assert.notEqual(await ask(), null);
    });

    it("and follows no redirect", async () => {
      scene.host.proxy.fault = ({ url }) => ({
        status: 302,
        headers: { location: `${scene.host.server.cloneUrl}${url}` },
      });
      const before = scene.host.server.requests.length;
      assert.equal(await ask(), null);
      assert.equal(scene.host.server.requests.length, before);
    });

    it("so that a mirror still gets its refs, and the next request is made by git at once", async () => {
      const head = await scene.repo.commit({ a: "1" });
      scene.host.proxy.fault = (request) => (isOurs(request) ? { status: 500 } : undefined);
      for (let look = 0; look < 2; look++)
        assert.equal((await scene.mirror.remoteRefs(scene.repo.source, never)).get("refs/heads/main"), head);
      assert.deepEqual(scene.host.proxy.passed.map(isOurs), [true, false, false, false, false]);
    });

    it("if the server does not support version 2, and then for all of its repos", async () => {
      await scene.repo.commit({ a: "1" });
      const other = await scene.host.repo("other");
      const server = await startGitServer(join(scene.host.path, "host"), { isOld: true });
      try {
        for (const { bare } of [scene.repo, other]) {
          const source = { ...scene.repo.source, url: `${server.cloneUrl}/acme/${basename(bare)}` };
          assert.equal(await quick.ask(source, [never]), null);
        }
        assert.equal(server.requests.length, 1);
      } finally {
        await server.close();
      }
    });

    it("if the server stops sending", async () => {
      await scene.repo.commit({ a: "1" });
      for (const fault of [{ hang: true }, { stallAnswerAfter: 10 }]) {
        scene.host.proxy.fault = () => fault;
        quick = new QuickRefs({ idleTimeout: 50 });
        assert.equal(await ask(), null);
      }
    });

    it("but only once if the server had just closed the kept connection", async () => {
      await scene.repo.commit({ a: "1" });
      assert.notEqual(await ask(), null);
      scene.host.proxy.fault = () => ({ loseAnswer: true });
      assert.equal(await ask(), null);
      scene.host.proxy.fault = () => undefined;
      assert.notEqual(await ask(), null);
      assert.equal(seen(), "GET POST POST POST");
    });

    it("if the host does not listen, and then for all of its repos", async () => {
      const port = await freePort();
      const at = (name: string) => ({ url: `http://127.0.0.1:${port}/acme/${name}.git`, authorization: null });
      assert.equal(await quick.ask(at("one"), [never]), null);
      const { connections, close } = await listen(port);
      try {
        assert.equal(await quick.ask(at("two"), [never]), null);
        assert.equal(connections(), 0);
      } finally {
        await close();
      }
    });
  });

  describe("leaves it to git if the environment sets", () => {
    for (const name of NETWORK) {
      it(`the proxy variable ${name}`, async () => {
        process.env[name] = "http://127.0.0.1:1";
        assert.equal(await ask(), null);
        assert.equal(scene.host.proxy.passed.length, 0);
      });
    }

    it("trust in certificates, for https only", async () => {
      const { port, connections, close } = await listen(0);
      const source = { url: `https://127.0.0.1:${port}/acme/api.git`, authorization: null };
      try {
        for (const name of TRUST) {
          process.env[name] = "/nowhere";
          assert.equal(await quick.ask(source, [never]), null);
          assert.notEqual(await ask(), null);
          delete process.env[name];
        }
        assert.equal(connections(), 0);
        assert.equal(await quick.ask(source, [never]), null);
        assert.equal(connections(), 1);
      } finally {
        await close();
      }
    });
  });

  describe("ends at once when a signal aborts it", () => {
    it("with the reason of the signal, also while it waits for a connection", async () => {
      scene.host.proxy.fault = () => ({ hang: true });
      const [first, second] = [new AbortController(), new AbortController()];
      setMaxListeners(0, first.signal);
      const hanging = Array.from({ length: 16 }, () => quick.ask(scene.repo.source, [never, first.signal]));
      const ended = Promise.all(hanging.map((one) => assert.rejects(one, /enough/)));
      // More than there are connections to one host.
      const waiting = assert.rejects(quick.ask(scene.repo.source, [never, second.signal]), /me too/);
      await until("all requests are on their way", () => scene.host.proxy.passed.length === 16);
      second.abort(new Error("me too"));
      await waiting;
      first.abort(new Error("enough"));
      await ended;
      assert.equal(scene.host.proxy.passed.length, 16);
      scene.host.proxy.fault = () => undefined;
      assert.notEqual(await ask(), null);
    });

    it("in the middle of a response", async () => {
      await scene.repo.commit({ a: "1" });
      scene.host.proxy.fault = ({ method }) => (method === "POST" ? { stallAnswerAfter: 10 } : undefined);
      const stop = new AbortController();
      const ended = assert.rejects(quick.ask(scene.repo.source, [stop.signal]), /enough/);
      await until("the answer has begun", () => scene.host.proxy.passed.at(-1)?.answered === 10);
      stop.abort(new Error("enough"));
      await ended;
    });

    it("before it begins", async () => {
      await assert.rejects(quick.ask(scene.repo.source, [AbortSignal.abort(new Error("enough"))]), /enough/);
      assert.equal(scene.host.proxy.passed.length, 0);
    });
  });
});

/** Accepts connections and closes them at once. */
async function listen(at: number) {
  let count = 0;
  const server = createServer((socket) => {
    count += 1;
    socket.destroy();
  }).listen(at, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const close = async () => {
    server.close();
    await once(server, "close");
  };
  return { port: address.port, connections: () => count, close };
}

/** Parses the output of `git ls-remote --symref`. */
function listOf(text: string) {
  const refs = { raw: new Map<string, string>(), defaultBranch: null as string | null };
  for (const line of text.split("\n")) {
    const [, target, value = "", ref = ""] = /^(ref: (?:refs\/heads\/)?)?(\S+)\t(\S+)$/.exec(line) ?? [];
    if (target === undefined && isRef(ref)) refs.raw.set(ref, value);
    if (target !== undefined && ref === "HEAD") refs.defaultBranch = value;
  }
  return refs;
}
