import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { connect, type Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { startRedis, type TestRedis } from "../support/databases/redis.ts";
import { peakOf } from "../support/processes/memory.ts";
import { until } from "../support/processes/process.ts";
import { type Deliverd, startDeliverd } from "../support/world/deliverd.ts";

const SECRET = "a secret that no flood knows";
const HEAD = "POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

describe("A flood of requests without a valid signature", function () {
  this.timeout(90_000);
  let redis: TestRedis;
  let deliverd: Deliverd;
  const sockets: Socket[] = [];

  before(async () => {
    redis = await startRedis();
    deliverd = await startDeliverd({
      command: "receiver",
      config: {
        redisUrl: redis.url,
        hosts: { github: { type: "github", apiUrl: "http://127.0.0.1:9", webhookSecret: SECRET } },
        repos: ["*/*"],
      },
    });
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    const peak = await peakOf(deliverd.pid());
    if (process.env.MEASURE) console.log(`      at its peak ${Math.round(peak)} MB`);
    assert.ok(peak < 256, `the receiver came to ${peak} MB`);
  });
  after(async () => {
    await deliverd?.remove();
    await redis?.stop();
  });

  it("of 12 chunked bodies of 1 GB is cut off at 25 MB each, while valid webhooks are accepted", async () => {
    const floods = Array.from({ length: 12 }, () => pour(2 ** 30));
    for (let count = 0; count < 20; count++) await honest();
    for (const { sent, answer } of await Promise.all(floods)) {
      assert.match(answer, /^HTTP\/1\.1 (?:413|503) /);
      assert.ok(sent < 2 ** 28, `${sent} bytes were taken`);
    }
    await honest();
  });

  it("of compressed bombs is never unpacked", async () => {
    const bomb = gzipSync(Buffer.alloc(200_000_000));
    for (const encoding of ["gzip", "GZIP", "deflate", "br", "zstd", "gzip, gzip", "x-gzip"]) {
      const answer = await fetch(`${deliverd.url}/webhooks/github`, {
        method: "POST",
        headers: { "content-type": "application/json", "content-encoding": encoding, "x-github-event": "push" },
        body: bomb,
      });
      assert.equal(answer.status, 415, encoding);
      await answer.body?.cancel();
    }
    await honest();
  });

  for (const [what, first] of [
    ["say nothing", ""],
    ["send a header byte by byte", "POST /webhooks/github HTTP/1.1\r\nhost: x\r\nx-slow: "],
    ["send a small body byte by byte", `${HEAD}content-length: 65000\r\n\r\n${"x".repeat(60_000)}`],
    ["send a large body byte by byte", `${HEAD}content-length: 20000000\r\n\r\n${"x".repeat(60_000)}`],
  ] as const) {
    it(`on 1,500 connections that ${what} does not keep out valid webhooks`, async () => {
      await open(1_500, first);
      for (let count = 0; count < 20; count++) await honest();
    });
  }

  /** One that GitHub would send; small, as nearly all are. Its connection is its own. */
  async function honest(): Promise<void> {
    const body = JSON.stringify({ zen: "Keep it logically awesome." });
    const signature = createHmac("sha256", SECRET).update(body).digest("hex");
    const socket = dial();
    let answer = "";
    socket.on("data", (data) => {
      answer += data;
    });
    const length = `content-length: ${body.length}\r\nconnection: close\r\n`;
    socket.write(`${HEAD}${length}x-github-event: ping\r\nx-hub-signature-256: sha256=${signature}\r\n\r\n${body}`);
    await closed(socket);
    assert.match(answer, /^HTTP\/1\.1 202 /, answer);
  }

  function dial(): Socket {
    const { hostname, port } = new URL(deliverd.url);
    const socket = connect(Number(port), hostname);
    sockets.push(socket.on("error", () => {}));
    return socket;
  }

  /** Also by an error: that is how a flood ends. */
  function closed(socket: Socket): Promise<void> {
    return new Promise((resolve) => socket.once("close", () => resolve()));
  }

  async function open(count: number, first: string): Promise<void> {
    const opened = Array.from({ length: count }, dial);
    for (const socket of opened) socket.write(first);
    await until("all have been taken or refused", () => opened.every((each) => !each.connecting));
    if (first !== "")
      await until("all has been sent", () => opened.every((each) => each.destroyed || each.writableLength === 0));
  }

  /** Sends so much in chunks, or as much as is taken. */
  async function pour(bytes: number): Promise<{ sent: number; answer: string }> {
    const socket = dial();
    let sent = 0;
    let answer = "";
    socket.on("data", (data) => {
      answer += data;
    });
    socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n`);
    const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
    const pump = () => {
      while (!socket.destroyed && sent < bytes) {
        sent += chunk.length;
        if (!socket.write(chunk)) break;
      }
    };
    socket.on("drain", pump);
    pump();
    await closed(socket);
    return { sent, answer };
  }
});
