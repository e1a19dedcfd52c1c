import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompressSync, deflateSync, gzipSync } from "node:zlib";
import { bodyOf, discard, readBytes } from "../../../src/http/body.ts";
import { type HttpRequest, openHttpClient } from "../../../src/http/client.ts";
import { basicAuth, withLogin } from "../../../src/http/login.ts";
import { followRedirects, type RedirectRules, TooManyRedirects } from "../../../src/http/redirects.ts";
import { remoteText, secretsOfRequest } from "../../../src/http/remote-text.ts";
import { readRetryAfter } from "../../../src/http/retry-after.ts";
import { tempDir } from "../../support/processes/process.ts";
import { type HttpServer, serve } from "./server.ts";

const never = new AbortController().signal;
const TOKEN = "tok3n-canary-0123456789";

describe("The helpers of the HTTP client", () => {
  let server: HttpServer;
  let elsewhere: HttpServer;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  beforeEach(async () => {
    answer = (_request, response) => response.end("ok");
    server = await serve((request, response) => answer(request, response));
    elsewhere = await serve((request, response) => answer(request, response));
  });
  afterEach(async () => {
    await server.close();
    await elsewhere.close();
  });

  const send = openHttpClient({ maxConnections: 1 });
  const get = (path = ""): HttpRequest => ({
    method: "GET",
    url: new URL(path, server.url),
    headers: {},
    signal: never,
  });
  const asked = ({ seen }: HttpServer) => seen.map(({ method, url }) => `${method} ${url}`);

  describe("follows redirects", () => {
    const anywhere: RedirectRules = { max: 3, next: (target) => (target.kind === "safe" ? target.url : null) };
    const redirect = (location: (path: string) => string | undefined, status = 302) => {
      answer = ({ url = "" }, response) => {
        const to = location(url);
        if (to === undefined) response.end("there");
        else response.writeHead(status, { location: to }).end("x".repeat(100_000));
      };
    };
    const withToken = () => ({ ...get("a/from"), headers: { Authorization: `Bearer ${TOKEN}`, "X-Kept": "1" } });

    it("relative to the request, with method, body and headers, on the same connection", async () => {
      redirect((path) => (path === "/a/from" ? "to?x=1" : undefined), 307);
      const request = { ...withToken(), method: "POST", body: bodyOf("body") } as const;
      const response = await followRedirects(request, send, anywhere);
      assert.equal((await readBytes(response, 100)).toString(), "there");
      assert.equal(response.request.url.href, new URL("a/to?x=1", server.url).href);
      assert.deepEqual(asked(server), ["POST /a/from", "POST /a/to?x=1"]);
      assert.ok(server.seen.every(({ headers }) => headers.authorization === `Bearer ${TOKEN}`));
      assert.equal(server.connections(), 1);
    });

    it("to another host without the credentials, and with all else", async () => {
      redirect((path) => (path === "/a/from" ? `${elsewhere.url}to` : undefined));
      discard(await followRedirects(withToken(), send, anywhere));
      assert.equal(elsewhere.seen[0]?.headers.authorization, undefined);
      assert.equal(elsewhere.seen[0]?.headers["x-kept"], "1");
    });

    it("and back without the credentials too: another host led there", async () => {
      redirect((path) => ({ "/a/from": `${elsewhere.url}to`, "/to": `${server.url}back` })[path]);
      discard(await followRedirects(withToken(), send, anywhere));
      assert.deepEqual(asked(server), ["GET /a/from", "GET /back"]);
      assert.equal(server.seen[1]?.headers.authorization, undefined);
    });

    it("no more often than the rules say", async () => {
      redirect((path) => path);
      await assert.rejects(followRedirects(get(), send, anywhere), TooManyRedirects);
      assert.equal(server.seen.length, 4);
    });

    it("no further than the rules say: then the redirect is the response", async () => {
      redirect(() => "http://me:canary@127.0.0.1/");
      const response = await followRedirects(get(), send, anywhere);
      discard(response);
      assert.equal(response.status, 302);
    });

    it("not at all where the rules throw, and keeps the connection", async () => {
      redirect((path) => (path === "/" ? "/to" : undefined));
      const refuse = () => assert.fail("refused");
      await assert.rejects(followRedirects(get(), send, { max: 3, next: refuse }), /refused/);
      discard(await send(get("next")));
      assert.deepEqual(asked(server), ["GET /", "GET /next"]);
      assert.equal(server.connections(), 1);
    });
  });

  describe("guards the login", () => {
    const challenge = 'Basic realm="x"';
    const guard = (takes: string) => {
      answer = ({ headers }, response) =>
        headers.authorization === takes
          ? response.end("in")
          : response.writeHead(401, { "www-authenticate": challenge }).end("out");
    };
    const sent = () => server.seen.map(({ headers }) => headers.authorization);

    it("which goes to its own origin and to no other", async () => {
      const own = withLogin(send, server.url.origin, async () => `Bearer ${TOKEN}`);
      discard(await own(get()));
      discard(await own({ ...get(), url: elsewhere.url }));
      assert.equal(sent()[0], `Bearer ${TOKEN}`);
      assert.equal(elsewhere.seen[0]?.headers.authorization, undefined);
    });

    it("by asking once for a better one after a 401, with what was refused and the challenge", async () => {
      guard("new");
      const asks: unknown[] = [];
      const own = withLogin(send, server.url.origin, async (...refused) => {
        asks.push(refused);
        return refused.length === 0 ? "old" : "new";
      });
      const response = await own(get());
      assert.equal((await readBytes(response, 100)).toString(), "in");
      assert.deepEqual(asks, [[], ["old", challenge]]);
      assert.deepEqual(sent(), ["old", "new"]);
    });

    it("by asking once where none was sent before, as an empty text", async () => {
      guard("new");
      const own = withLogin(send, server.url.origin, async (refused) => (refused === "" ? "new" : null));
      discard(await own(get()));
      assert.deepEqual(sent(), [undefined, "new"]);
    });

    for (const [what, better] of [
      ["none", null],
      ["the same", "old"],
    ] as const) {
      it(`which is not sent a second time where the better one is ${what}: the 401 is the response`, async () => {
        guard("new");
        const own = withLogin(send, server.url.origin, async (refused) => (refused === undefined ? "old" : better));
        const response = await own(get());
        assert.equal(response.status, 401);
        assert.equal((await readBytes(response, 100)).toString(), "out");
        assert.deepEqual(sent(), ["old"]);
      });
    }

    it("and frees the connection if there is no better one because authorize fails", async () => {
      guard("new");
      const own = withLogin(send, server.url.origin, async (refused) => {
        if (refused !== undefined) throw new Error("no token");
        return "old";
      });
      await assert.rejects(own(get()), /no token/);
      discard(await send(get()));
      assert.equal(server.connections(), 1);
    });

    it("whose text is Basic in UTF-8", () => {
      assert.equal(basicAuth("ci", "pässwörd"), "Basic Y2k6cMOkc3N3w7ZyZA==");
    });
  });

  describe("masks what a server repeats in its response", () => {
    const said = async (response: Awaited<ReturnType<typeof send>>) =>
      remoteText((await readBytes(response, 10_000)).toString(), secretsOfRequest(response.request));
    beforeEach(() => {
      answer = ({ headers, url }, response) => response.writeHead(500).end(`${headers.authorization} at ${url}`);
    });

    it("of the login, whoever added it, also a token that was issued at run time", async () => {
      let issued = 0;
      const own = withLogin(send, server.url.origin, async () => `Opaque secret${++issued}-canary`);
      assert.equal(await said(await own(get("x"))), "Opaque [secret] at /x");
      assert.equal(issued, 1);
    });

    it("of the password in a Basic login", async () => {
      answer = (_request, response) => response.writeHead(500).end("ci's password is canary-1");
      const response = await send({ ...get(), headers: { Authorization: basicAuth("ci", "canary-1") } });
      assert.equal(await said(response), "ci's password is [secret]");
    });

    it("of the signature in an address, also after a redirect", async () => {
      answer = ({ url = "" }, response) =>
        url === "/"
          ? response.writeHead(302, { location: "/stored?X-Amz-Signature=canary-2" }).end()
          : response.writeHead(500).end("no canary-2 here");
      const next: RedirectRules["next"] = (target) => (target.kind === "safe" ? target.url : null);
      assert.equal(await said(await followRedirects(get(), send, { max: 1, next })), "no [secret] here");
    });
  });

  describe("reads how long to wait", () => {
    const wait = async (headers: Record<string, string>) => {
      answer = (_request, response) => response.writeHead(503, headers).end();
      const response = await send(get());
      discard(response);
      return readRetryAfter(response.headers);
    };

    it("from Retry-After in seconds, or not at all", async () => {
      assert.equal(await wait({ "retry-after": "7" }), 7_000);
      assert.equal(await wait({}), null);
    });

    it("until a date by the server's own clock, which may be off", async () => {
      const at = (ms: number) => new Date(Date.UTC(2020, 0, 1) + ms).toUTCString();
      assert.equal(await wait({ date: at(0), "retry-after": at(30_000) }), 30_000);
    });
  });

  describe("reads a body up to a limit", () => {
    const read = async (bytes: Buffer, encoding?: string, max = 1_000) => {
      answer = (_request, response) =>
        response.writeHead(200, encoding === undefined ? {} : { "content-encoding": encoding }).end(bytes);
      return (await readBytes(await send(get()), max)).length;
    };

    it("and no further", async () => {
      assert.equal(await read(Buffer.alloc(1_000)), 1_000);
      await assert.rejects(read(Buffer.alloc(1_001)), /larger than 1000 bytes/);
    });

    for (const [encoding, compress] of [
      ["gzip", gzipSync],
      [" X-GZIP ", gzipSync],
      ["deflate", deflateSync],
      ["br", brotliCompressSync],
    ] as const) {
      it(`which also holds for what ${encoding.trim()} makes of it`, async () => {
        assert.equal(await read(compress(Buffer.alloc(1_000)), encoding), 1_000);
        await assert.rejects(read(compress(Buffer.alloc(1_000_000)), encoding, 5_000));
      });
    }

    it("and takes a body that breaks off for none", async () => {
      answer = (_request, response) => {
        response.writeHead(200, { "content-length": "100" }).write("half");
        setImmediate(() => response.destroy());
      };
      await assert.rejects(readBytes(await send(get()), 1_000));
      await assert.rejects(read(gzipSync("whole").subarray(0, -3), "gzip"));
    });
  });

  describe("trusts", () => {
    let dir: Awaited<ReturnType<typeof tempDir>>;
    before(async () => {
      dir = await tempDir();
    });
    after(() => dir.remove());

    it("the given certificate authority, and no server without a known one", async () => {
      const [keyFile, certFile] = [join(dir.path, "key.pem"), join(dir.path, "cert.pem")];
      const form = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1"];
      const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
      await promisify(execFile)("openssl", [...form, ...subject, "-keyout", keyFile, "-out", certFile]);
      const [key, ca] = [await readFile(keyFile, "utf8"), await readFile(certFile, "utf8")];
      const secure = await serve((_request, response) => void response.end("ok"), createServer({ key, cert: ca }));
      const request = { ...get(), url: new URL(secure.url.href.replace("http:", "https:")) };
      try {
        const response = await openHttpClient({ ca })(request);
        assert.equal((await readBytes(response, 100)).toString(), "ok");
        await assert.rejects(openHttpClient()(request), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
      } finally {
        await secure.close();
      }
    });
  });
});
