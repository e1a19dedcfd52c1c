import assert from "node:assert/strict";
import { getEventListeners, once } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer as createTcpServer, type Socket } from "node:net";
import { Readable } from "node:stream";
import { withSignals } from "../../../src/async/with-signals.ts";
import { bodyOf, discard, readBytes } from "../../../src/http/body.ts";
import {
  type ClientOptions,
  ConnectTimeout,
  type HttpRequest,
  IdleTimeout,
  openHttpClient,
  StaleConnection,
} from "../../../src/http/client.ts";
import { until } from "../../support/processes/process.ts";
import { type HttpServer, listen, serve } from "./server.ts";

const never = new AbortController().signal;

describe("The HTTP client", () => {
  let server: HttpServer;
  let answer: (request: IncomingMessage, response: ServerResponse) => void;
  beforeEach(async () => {
    answer = (_request, response) => response.end("ok");
    server = await serve((request, response) => answer(request, response));
  });
  afterEach(() => server.close());

  const get = (path = "", signal = never): HttpRequest => ({
    method: "GET",
    url: new URL(path, server.url),
    headers: {},
    signal,
  });
  const open = (options: ClientOptions = {}) => {
    const send = openHttpClient(options);
    return {
      send,
      text: async (request = get()) => (await readBytes(await send(request), 1_000)).toString("utf8"),
    };
  };

  it("names deliverd and its version, unless the request has another User-Agent", async () => {
    const { text } = open();
    await text();
    await text({ ...get(), headers: { "user-agent": "git/deliverd" } });
    const [first, second] = server.seen.map(({ headers }) => headers["user-agent"]);
    assert.match(String(first), /^deliverd\/\d+\.\d+\.\d+$/);
    assert.equal(second, "git/deliverd");
  });

  it("returns every status as a response, with the request that it answers", async () => {
    answer = (_request, response) => response.writeHead(503, { "x-a": "1" }).end();
    const response = await open().send({ ...get("x"), headers: { "X-B": "2" } });
    discard(response);
    assert.equal(response.status, 503);
    assert.equal(response.headers["x-a"], "1");
    assert.deepEqual(response.request, { url: new URL("x", server.url), headers: { "X-B": "2" } });
  });

  describe("ends a request by a time-out", () => {
    it("when no connection comes about, here because a server never answers the TLS handshake", async () => {
      const sockets: Socket[] = [];
      const silent = createTcpServer((socket) => void sockets.push(socket));
      const url = new URL(`https://127.0.0.1:${await listen(silent)}/`);
      try {
        await assert.rejects(open({ connectTimeout: 50 }).send({ ...get(), url }), ConnectTimeout);
      } finally {
        for (const socket of sockets) socket.destroy();
        silent.close();
        await once(silent, "close");
      }
    });

    it("when no byte of a response comes", async () => {
      answer = () => {};
      await assert.rejects(open({ idleTimeout: 50 }).send(get()), (error) => {
        assert.ok(error instanceof IdleTimeout);
        assert.equal(error.code, "ETIMEDOUT");
        return /no byte moved/.test(error.message);
      });
    });

    it("when the response stops in the middle", async () => {
      answer = (_request, response) => response.writeHead(200, { "content-length": "100" }).write("half");
      await assert.rejects(open({ idleTimeout: 50 }).text(), IdleTimeout);
    });

    it("when the server stops reading the body", async () => {
      answer = (request) => void request.pause();
      const body = bodyOf(Buffer.alloc(50_000_000));
      await assert.rejects(open({ idleTimeout: 50 }).send({ ...get(), method: "PUT", body }), IdleTimeout);
    });

    it("but not while bytes move, however long it takes", async () => {
      answer = (_request, response) => {
        const timer = setInterval(() => response.write("."), 100);
        setTimeout(() => {
          clearInterval(timer);
          response.end();
        }, 1_500);
      };
      assert.match(await open({ idleTimeout: 1_000 }).text(), /^\.{3,}$/);
    });

    it("when the whole exchange takes too long, also while the body is read", async () => {
      answer = (_request, response) => response.writeHead(200).write("half");
      const { send } = open();
      const whole = withSignals([never, AbortSignal.timeout(50)], async (signal) =>
        readBytes(await send(get("", signal)), 1_000),
      );
      await assert.rejects(whole, { name: "TimeoutError" });
    });
  });

  describe("ends a request at once, with the reason of its signal,", () => {
    const reason = new Error("cancelled by a person");

    it("before it begins", async () => {
      await assert.rejects(open().send(get("", AbortSignal.abort(reason))), reason);
      assert.equal(server.connections(), 0);
    });

    it("while it waits for a connection, and while it waits for the response", async () => {
      answer = () => {};
      const { send } = open({ maxConnections: 1 });
      const [first, second] = [new AbortController(), new AbortController()];
      const asking = assert.rejects(send(get("1", first.signal)), reason);
      await until("the first request has the connection", () => server.seen.length === 1);
      const waiting = assert.rejects(send(get("2", second.signal)), reason);
      second.abort(reason);
      await waiting;
      first.abort(reason);
      await asking;
      assert.deepEqual(
        server.seen.map(({ url }) => url),
        ["/1"],
      );
    });

    it("while the response is read", async () => {
      answer = (_request, response) => response.writeHead(200).write("half");
      const stop = new AbortController();
      const response = await open().send(get("", stop.signal));
      const reading = assert.rejects(readBytes(response, 1_000), reason);
      stop.abort(reason);
      await reading;
    });

    it("and leaves nothing attached to the signal afterwards", async () => {
      const { signal } = new AbortController();
      const { text } = open();
      await text(get("", signal));
      await assert.rejects(open().send({ ...get("", signal), url: new URL("http://127.0.0.1:1/") }), {
        code: "ECONNREFUSED",
      });
      await until("the request is closed", () => getEventListeners(signal, "abort").length === 0);
    });
  });

  describe("uses its connections again", () => {
    it("one request after the other", async () => {
      const { text } = open();
      for (let at = 0; at < 5; at++) await text();
      assert.equal(server.connections(), 1);
    });

    it("after a response that was discarded, but not after one that was destroyed", async () => {
      answer = (_request, response) => response.end("x".repeat(200_000));
      const { send } = open({ maxConnections: 1 });
      discard(await send(get()));
      discard(await send(get()));
      assert.equal(server.connections(), 1);
      (await send(get())).stream.destroy();
      discard(await send(get()));
      assert.equal(server.connections(), 2);
    });

    it("and opens at most so many to one host: more requests wait", async () => {
      const held: ServerResponse[] = [];
      answer = (_request, response) => void held.push(response);
      const { text } = open({ maxConnections: 2 });
      const all = Promise.all(Array.from({ length: 5 }, () => text()));
      for (let done = 0; done < 5; done++) {
        await until("the next request is there", () => held.length > done);
        assert.ok(server.seen.length - done <= 2);
        held[done]?.end("ok");
      }
      await all;
      assert.equal(server.connections(), 2);
    });

    it("but not after a server refused a body before it was sent", async () => {
      let taken = 0;
      answer = (request, response) => {
        if (request.method === "GET") return void response.end();
        response.writeHead(413).end("too large");
      };
      const chunk = Buffer.alloc(100_000);
      const source = function* () {
        for (; taken < 500; taken++) yield chunk;
      };
      const { send } = open({ maxConnections: 1 });
      const body = { length: 500 * chunk.length, open: () => Readable.from(source()) };
      const response = await send({ ...get(), method: "PUT", body });
      assert.equal(response.status, 413);
      assert.equal((await readBytes(response, 1_000)).toString(), "too large");
      assert.ok(taken < 500, "the rest was not read");
      discard(await send(get()));
      assert.equal(server.connections(), 2);
    });
  });

  describe("on a connection that the server closed just when it was used again", () => {
    /** Closes every kept connection at its next request. */
    const closeKept = (kept: ReadonlySet<unknown>) => (request: IncomingMessage, response: ServerResponse) =>
      kept.has(request.socket) ? void request.socket.destroy() : void response.end("ok");
    const keepOpen = async (send: ReturnType<typeof openHttpClient>, count: number) => {
      const kept = new Set<unknown>();
      const held: ServerResponse[] = [];
      answer = (request, response) => {
        kept.add(request.socket);
        held.push(response);
      };
      const all = Promise.all(Array.from({ length: count }, async () => readBytes(await send(get()), 1_000)));
      await until("all connections are open", () => held.length === count);
      for (const response of held) response.end();
      await all;
      answer = closeKept(kept);
      server.seen.length = 0;
    };

    it("sends a request without a body again, however many connections are stale", async () => {
      for (const count of [1, 8]) {
        const { send, text } = open({ maxConnections: 8 });
        await keepOpen(send, count);
        assert.equal(await text(), "ok");
        assert.equal(server.seen.length, count + 1);
      }
    });

    it("says so of a request with a body, and does not send it again: the server may have processed it", async () => {
      const { send } = open();
      await keepOpen(send, 1);
      const post = { ...get(), method: "POST", body: bodyOf("x") } as const;
      await assert.rejects(send(post), StaleConnection);
      assert.equal(server.seen.length, 1);
    });

    it("and takes no new connection for a stale one", async () => {
      answer = (request) => void request.socket.destroy();
      await assert.rejects(open().send(get()), (error: NodeJS.ErrnoException) => {
        assert.ok(!(error instanceof StaleConnection));
        return error.code === "ECONNRESET";
      });
      assert.equal(server.seen.length, 1);
    });
  });
});
