import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { Readable } from "node:stream";
import { limitConnections } from "../../../src/receiver/connections.ts";
import { until } from "../../support/processes/process.ts";

describe("A receiver limited to three connections", () => {
  let server: Server;
  let asked: { path: string; response: ServerResponse }[];
  let sockets: Client[];

  interface Client {
    socket: Socket;
    heard: string;
  }

  beforeEach(async () => {
    asked = [];
    sockets = [];
    server = createServer((request, response) => {
      request.resume();
      asked.push({ path: request.url ?? "", response });
      // As Express answers an error that a handler throws.
      if (request.url === "/soon") setImmediate(() => setImmediate(() => response.end("done")));
    });
    limitConnections(server, { maxConnections: 3 });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  afterEach(async () => {
    for (const { socket } of sockets) socket.destroy();
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  });

  it("ends the oldest silent or slow one to accept another, and none that waits for its answer", async () => {
    const followed = await ask("/followed");
    const silent = await say("");
    const slow = await say("POST /slow HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nx");
    await until("the slow request has begun", () => asked.some(({ path }) => path === "/slow"));
    await ask("/first");
    await until("the silent connection is ended", () => silent.socket.closed);
    assert.equal(slow.socket.closed, false);
    await ask("/second");
    await until("the slow connection is ended", () => slow.socket.closed);
    assert.equal(followed.socket.closed, false);
    answer("/followed");
    await until("it is answered", () => followed.heard.includes("200 OK"));
  });

  it("refuses a new one only if all wait for answers, and accepts one after an answer is sent", async () => {
    const [first] = [await ask("/1"), await ask("/2"), await ask("/3")];
    const fourth = await say("");
    await until("the fourth connection is refused", () => fourth.socket.closed);
    answer("/1");
    await until("the first is answered", () => first.heard.includes("200 OK"));
    await ask("/5");
    await until("the first connection, idle now, is ended", () => first.socket.closed);
  });

  it("does not end one whose request it has not had time to read, if another is silent", async () => {
    await ask("/followed");
    const idle = await ask("/idle");
    // The idle connection becomes the newest silent one, between two connections of one turn of the event loop.
    server.once("connection", () => answer("/idle"));
    const [first, second] = [say("GET /first HTTP/1.1\r\nhost: x\r\n\r\n"), say("")];
    await until("the idle connection is ended", () => idle.socket.closed);
    await until("the first request is read", () => asked.some(({ path }) => path === "/first"));
    assert.deepEqual([(await first).socket.closed, (await second).socket.closed], [false, false]);
  });

  it("accepts one in the very turn in which all others wait for answers that come soon", async () => {
    const others = [await say(""), await say(""), await say("")];
    for (const { socket } of others) socket.write("GET /soon HTTP/1.1\r\nhost: x\r\n\r\n");
    const last = await say("GET /last HTTP/1.1\r\nhost: x\r\n\r\n");
    await until("one of the others is ended", () => others.some(({ socket }) => socket.closed));
    answer("/last");
    await until("the last is answered", () => last.heard.includes("200 OK"));
    assert.ok(others.every(({ heard }) => heard.includes("200 OK")));
  });

  it("answers a few simultaneous requests of one in order, and ends one that sends too many", async () => {
    const few = await say("GET /1 HTTP/1.1\r\nhost: x\r\n\r\nGET /2 HTTP/1.1\r\nhost: x\r\n\r\n");
    await until("both are asked", () => asked.length === 2);
    answer("/2");
    answer("/1");
    await until("both are answered", () => few.heard.split("200 OK").length === 3);
    assert.equal(few.socket.closed, false);
    asked.splice(0);
    const many = await say("GET /many HTTP/1.1\r\nhost: x\r\n\r\n".repeat(500));
    await until("some are asked", () => asked.length > 0);
    for (const { response } of asked) response.end("done");
    await until("it is ended", () => many.socket.closed);
    assert.equal(asked.length, 8);
    assert.equal(many.heard.split("200 OK").length, 9);
  });

  for (const [what, request] of [
    ["without a Host header", "GET / HTTP/1.1\r\n\r\n"],
    ["with an unknown Expect header", "GET / HTTP/1.1\r\nhost: x\r\nexpect: miracles\r\n\r\n"],
    ["that are not HTTP", "nonsense\r\n\r\n"],
  ] as const) {
    it(`ends a connection after few answers if it sends many requests ${what}`, async () => {
      const many = await say(request.repeat(500));
      await until("it is ended", () => many.socket.closed);
      assert.ok(many.heard.split("HTTP/1.1 4").length <= 9, many.heard.slice(0, 500));
      assert.equal(asked.length, 0);
    });
  }

  async function say(text: string): Promise<Client> {
    const { port } = server.address() as AddressInfo;
    const client: Client = { socket: connect(port, "127.0.0.1"), heard: "" };
    sockets.push(client);
    client.socket.on("error", () => {});
    client.socket.on("data", (data) => {
      client.heard += data;
    });
    const taken = once(server, "connection");
    client.socket.write(text);
    await taken;
    return client;
  }

  async function ask(path: string): Promise<Client> {
    const client = await say(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    await until(`${path} is asked`, () => asked.some((each) => each.path === path));
    return client;
  }

  function answer(path: string): void {
    asked.find((each) => each.path === path)?.response.end("done");
  }
});

describe("A receiver whose answers nobody reads", () => {
  const LARGE = Buffer.alloc(16 * 2 ** 20);
  let server: Server;
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
    server.closeAllConnections();
    await once(server, "close");
  });

  async function start(limits: { maxUnreadBytes?: number; stallTimeoutMs?: number }): Promise<void> {
    server = createServer((request, response) => {
      if (request.url === "/whole") response.end(LARGE);
      else Readable.from(pieces(), { objectMode: false }).pipe(response);
    });
    limitConnections(server, { maxConnections: 100, ...limits });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  }

  function* pieces(): Generator<Buffer> {
    for (let at = 0; at < LARGE.length; at += 2 ** 16) yield LARGE.subarray(at, at + 2 ** 16);
  }

  function ask(path = "/"): Socket {
    const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
    sockets.push(socket.on("error", () => {}));
    socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`);
    return socket;
  }

  it("ends connections that read nothing for too long, and serves slow readers to the end", async () => {
    await start({ stallTimeoutMs: 1_200 });
    const silent = ask();
    const slow = ask();
    const ended = once(silent, "close");
    let got = 0;
    const reading = setInterval(() => {
      got += slow.read()?.length ?? 0;
    }, 20);
    await until("the slow reader has the whole answer", () => got > LARGE.length);
    clearInterval(reading);
    // A paused socket learns of its end only when it reads on.
    silent.resume();
    await ended;
    assert.ok(silent.bytesRead < LARGE.length, `${silent.bytesRead}`);
  });

  it("first ends the connections that have read nothing for longest, if too much waits in total", async () => {
    await start({ maxUnreadBytes: 40 * 2 ** 20 });
    const held = Array.from({ length: 10 }, () => ask("/whole"));
    await until("all are asked", async () => {
      const open = await new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)));
      return open <= 4 && held.every((each) => !each.connecting);
    });
    const reader = ask();
    let got = 0;
    reader.on("data", (data) => {
      got += data.length;
    });
    await until("a client that reads has the whole answer", () => got > LARGE.length);
  });
});
