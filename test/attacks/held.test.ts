import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { openLedger } from "../../src/ledger/ledger.ts";
import { appendLog } from "../../src/ledger/logs.ts";
import { deliveryIn } from "../integration/api/support.ts";
import { SHA, withRepo } from "../support/databases/ledgers.ts";
import { frozenFiles, released } from "../support/fixtures/releases.ts";
import { type TempDir, tempDir, until } from "../support/processes/process.ts";
import { type SlowRegistry, startSlowRegistry } from "./slow-registry.ts";
import { startTarget, type Target } from "./target.ts";

const TAR = 3 * 2 ** 26;

describe("The HTTP server, attacked by slow and silent clients,", function () {
  this.timeout(90_000);
  let target: Target;
  let registry: SlowRegistry;
  let tmp: TempDir;
  let id: string;
  let token: string;

  before(async () => {
    tmp = await tempDir();
    registry = await startSlowRegistry();
    target = await startTarget({
      env: { TMPDIR: tmp.path },
      config: { registries: { files: { type: "http", url: registry.url } } },
    });
    token = `authorization: Bearer ${target.deliverd.adminToken}\r\n`;
    const ledger = await withRepo(await openLedger({ dataDir: target.deliverd.dataDir }));
    id = (await deliveryIn(ledger, SHA, { state: "building" })).id;
    for (let chunk = 0; chunk < 40; chunk++) await appendLog(ledger, id, `${"x".repeat(65_000)}\n`);
    for (let number = 0; number < 200; number++) {
      const files = Array.from({ length: 100 }, (_, each) => ({
        ...registry.file,
        name: `file-${number}-${each}.bin`,
      }));
      await released(ledger, `many-${number}`, "file", frozenFiles(files), ["files"]);
    }
    const file = (name: string) => ({ ...registry.file, name });
    await released(ledger, "one", "file", frozenFiles([file("one.bin")]), ["files"]);
    await released(ledger, "three", "file", frozenFiles(["1", "2", "3"].map(file)), ["files"]);
    await ledger.close();
  });
  afterEach(async () => {
    await target.webhooks(20);
    const { statuses, took } = target.answers();
    await target.calm();
    assert.deepEqual([...new Set(statuses)], [202]);
    const peak = await target.peak();
    const p99 = took.sort((a, b) => a - b)[Math.ceil(took.length * 0.99) - 1] ?? 0;
    console.log(
      `      ${took.length} webhooks meanwhile: p99 ${Math.round(p99)} ms; ${Math.round(peak)} MB at the peak`,
    );
    assert.ok(peak < 256, `the receiver came to ${peak} MB`);
    assert.deepEqual(await readdir(tmp.path), [], "something was written to disk");
    await until("nobody reads from the registry any more", () => registry.open() === 0);
  });
  after(async () => {
    await target?.stop();
    await registry?.stop();
    await tmp?.remove();
  });

  for (const [what, request] of [
    ["the sign-in page", () => "GET /sign-in HTTP/1.1\r\nhost: x\r\n\r\n"],
    ["a large list", () => `GET /api/v1/releases?limit=200 HTTP/1.1\r\nhost: x\r\n${token}\r\n`],
    ["a page that redirects to the sign-in page", () => "GET / HTTP/1.1\r\nhost: x\r\n\r\n"],
    [
      "webhooks without a signature",
      () =>
        "POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}",
    ],
    ["a page with an unknown Expect header", () => "GET /sign-in HTTP/1.1\r\nhost: x\r\nexpect: miracles\r\n\r\n"],
    ["a page without a Host header", () => "GET /sign-in HTTP/1.1\r\n\r\n"],
    [
      "a form with Expect: 100-continue",
      () => "POST /sign-in HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 0\r\n\r\n",
    ],
    ["readiness", () => "GET /readyz HTTP/1.1\r\nhost: x\r\n\r\n"],
  ] as const) {
    it(`stays fast and below 256 MB while 100 connections pipeline requests for ${what}`, async () => {
      await target.attack(100, request().repeat(4_000));
      await target.webhooks(5);
    });
  }

  it("serves a large list to 400 clients at once, or tells them to come again", async () => {
    const asked = await target.attack(400, `GET /api/v1/releases?limit=200 HTTP/1.1\r\nhost: x\r\n${token}\r\n`, {
      reads: true,
    });
    await target.webhooks(20);
    await until("all are answered", () => asked.every(({ heard, socket }) => heard.length > 12 || socket.closed));
    const statuses = new Set(asked.map(({ heard }) => heard.slice(9, 12)));
    assert.ok(statuses.has("200"), `${[...statuses]}`);
    for (const { heard } of asked.filter(({ heard }) => heard.startsWith("HTTP/1.1 503")))
      assert.match(heard, /\r\nretry-after: \d+\r\n/i);
  });

  for (const reads of [true, false]) {
    it(`stays fast and below 256 MB while 500 connections follow one live log${reads ? "" : " and read nothing"}`, async () => {
      const followers = await target.attack(500, follow(reads ? 39 : 0), { reads });
      await target.webhooks(20);
      if (!reads) return;
      await until("all are answered", () => followers.every(({ heard, socket }) => heard !== "" || socket.closed));
      const served = followers.filter(({ heard }) => heard.startsWith("HTTP/1.1 200"));
      assert.ok(served.length >= 100, `${served.length}`);
      for (const { heard } of followers.filter(({ heard }) => heard.startsWith("HTTP/1.1 503")))
        assert.match(heard, /\r\nretry-after: \d+\r\n/i);
    });
  }

  it("frees the places of clients that a proxy cuts off while they follow a log", async () => {
    for (let round = 0; round < 2; round++) {
      for (const { socket } of await target.attack(200, follow())) round === 1 ? socket.end() : socket.destroy();
    }
    const later = await until("a new client may follow the log", async () => {
      const [one] = await target.attack(1, follow(39), { reads: true });
      await until("it is answered", () => (one?.heard ?? "") !== "");
      return one?.heard.startsWith("HTTP/1.1 200") ? one : null;
    });
    await until("it gets the log", () => later.heard.includes("event: log"));
  });

  it("answers HEAD for a followed log, and holds nothing for it", async () => {
    for (const accept of ["text/event-stream", "text/plain"]) {
      const head = `HEAD /api/v1/deliveries/${id}/log HTTP/1.1\r\nhost: x\r\naccept: ${accept}\r\nconnection: close\r\n${token}\r\n`;
      const answers = await Promise.all(Array.from({ length: 50 }, () => target.ask(head)));
      for (const answer of answers) assert.match(answer, /^HTTP\/1\.1 (?:200|503) /);
    }
    const content = await target.ask(`HEAD ${pathOf("one")} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n${token}\r\n`);
    assert.match(content, /^HTTP\/1\.1 200 /);
  });

  for (const [what, artifact, range] of [
    ["a file", "one", ""],
    ["a tar of 192 MB", "three", ""],
    ["the last byte of a tar", "three", "range: bytes=-1\r\n"],
    ["a range in the middle of a tar", "three", `range: bytes=${TAR / 2}-\r\n`],
    ["a log as text", null, ""],
  ] as const) {
    it(`stays fast and below 256 MB while 500 connections download ${what} slowly or not at all`, async () => {
      const path = artifact === null ? `/api/v1/deliveries/${id}/log` : pathOf(artifact);
      await target.attack(500, `GET ${path} HTTP/1.1\r\nhost: x\r\n${range}${token}\r\n`);
      await target.webhooks(20);
    });
  }

  it("serves the right range of a tar, and fetches only the files in that range", async () => {
    const head = await download("three", "bytes=0-511");
    assert.equal(head.status, 206);
    const size = Number(head.headers.get("content-range")?.split("/")[1]);
    await head.arrayBuffer();
    registry.asked.splice(0);
    const end = await download("three", `bytes=${size - 1024}-`);
    assert.deepEqual([end.status, Buffer.from(await end.arrayBuffer())], [206, Buffer.alloc(1024)]);
    const middle = await download("three", `bytes=${size - 1034}-${size - 1020}`);
    const bytes = Buffer.from(await middle.arrayBuffer());
    assert.deepEqual(bytes, Buffer.concat([Buffer.alloc(10, 7), Buffer.alloc(5)]));
    assert.deepEqual(
      registry.asked.map((path) => path.split("/").at(-1)),
      ["3"],
    );
  });

  it("stays fast and below 256 MB while 1,000 connections send half of a form", async () => {
    const halves =
      "POST /sign-in HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: 16000\r\n\r\n";
    await target.attack(1_000, `${halves}token=${"x".repeat(10_000)}`);
    await target.webhooks(20);
  });

  it("never unpacks compressed forms", async () => {
    for (const [encoding, body] of [
      ["br", brotliCompressSync(Buffer.alloc(50_000_000), { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })],
      ["gzip", gzipSync(Buffer.alloc(50_000_000))],
      ["deflate", Buffer.alloc(100)],
    ] as const) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, () =>
          fetch(`${target.deliverd.url}/sign-in`, {
            method: "POST",
            headers: { "content-type": "application/x-www-form-urlencoded", "content-encoding": encoding },
            body: body.subarray(0, 10_000),
          }),
        ),
      );
      for (const answer of answers) {
        await answer.body?.cancel();
        assert.equal(answer.status, 415, encoding);
      }
    }
  });

  it("opens no tunnel, switches no protocol, and echoes no request", async () => {
    for (const [request, answer] of [
      ["CONNECT example.com:443 HTTP/1.1\r\nhost: x\r\n\r\n", /^$/],
      [
        "GET /sign-in HTTP/1.1\r\nhost: x\r\nconnection: upgrade, close\r\nupgrade: websocket\r\n\r\n",
        /^HTTP\/1\.1 200 /,
      ],
      [
        "TRACE / HTTP/1.1\r\nhost: x\r\nx-secret: 1\r\nconnection: close\r\n\r\n",
        /^HTTP\/1\.1 404 (?![\s\S]*x-secret)/,
      ],
      ["GET http://other/healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n", /^HTTP\/1\.1 200 /],
      [`GET / HTTP/1.1\r\nhost: x\r\nx: ${"x".repeat(40_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
      ["GET / HTTP/1.1\r\n\r\n", /^HTTP\/1\.1 400 /],
      [
        `GET /sign-in?to=/${"%22".repeat(4_000)} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
        /^HTTP\/1\.1 200 [\s\S]{1,6000}$/,
      ],
    ] as const) {
      assert.match(await target.ask(request), answer, request.slice(0, 80));
    }
  });

  /** The places for downloads are free a moment after the last one has ended. */
  function download(artifact: string, range: string): Promise<Response> {
    return until("there is a place for a download", async () => {
      const response = await target.deliverd.fetch(pathOf(artifact), { headers: { range } });
      if (response.status !== 503) return response;
      await response.body?.cancel();
      return null;
    });
  }

  function pathOf(artifact: string): string {
    return `/api/v1/releases/${artifact}/1.0.0/content`;
  }

  function follow(after = 0): string {
    return `GET /api/v1/deliveries/${id}/log HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\nlast-event-id: ${after}\r\n${token}\r\n`;
  }
});
