import assert from "node:assert/strict";
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import type { Host } from "../../../src/hosts/host.ts";
import type { NewOrder } from "../../../src/ledger/orders.ts";
import { until } from "../../support/processes/process.ts";
import { type Answer, deferred, example, type Setup, sign, startReceiver, type TestReceiver } from "./support.ts";

describe("POST /webhooks/<host>", () => {
  let receiver: TestReceiver;
  const start = async (setup: Setup = {}) => {
    receiver = await startReceiver(setup);
    return receiver;
  };
  afterEach(() => receiver.close());

  function refused(answer: Answer, status: number, detail: RegExp) {
    assert.equal(answer.status, status, answer.text);
    assert.equal(answer.headers["content-type"], "application/problem+json");
    assert.deepEqual(Object.keys(answer.json), ["type", "title", "status", "detail"]);
    assert.equal(answer.json.status, status);
    assert.match(String(answer.json.detail), detail);
    assert.deepEqual(receiver.commits, []);
  }

  describe("with a correctly signed event", () => {
    for (const event of ["push", "create", "status", "check_run", "check_suite", "workflow_run"]) {
      it(`stores the hint of ${event} and answers 202`, async () => {
        await start({ accepts: () => true });
        const answer = await receiver.sendEvent(event);
        assert.equal(answer.status, 202);
        assert.equal(answer.json.status, "accepted");
        assert.match(String(answer.json.because), new RegExp(`^${event}.* is in the inbox`));
        assert.equal(receiver.commits.length, 1);
        assert.deepEqual(receiver.told, receiver.commits);
      });
    }

    it("keeps the repo by the host's immutable id", async () => {
      await start();
      await receiver.sendEvent("check_run");
      assert.deepEqual(receiver.commits, [
        [
          {
            repo: {
              id: "github:186853002",
              host: "github",
              owner: "Codertocat",
              name: "Hello-World",
              defaultBranch: "master",
            },
            event: "check_run created",
            deliveryId: "d-1",
            ref: null,
            sha: "ec26c3e57ca3a959ca5aad62de7213c562f8c821",
          },
        ],
      ]);
    });

    it("ignores a ping, an unknown event, our own report and a repo outside 'repos', each with its reason", async () => {
      await start();
      const own = JSON.stringify({ ...JSON.parse(example("status")), context: "Deliverd/api" });
      const stranger = JSON.parse(example("push"));
      stranger.repository.owner.login = "stranger";
      const answers = [
        await receiver.sendEvent("ping"),
        await receiver.sendEvent("star"),
        await receiver.sendEvent("status", own),
        await receiver.sendEvent("push", JSON.stringify(stranger)),
      ];
      assert.deepEqual(
        answers.map(({ status, json }) => [status, json]),
        [
          "ping",
          "event 'star' is not one that deliverd acts on",
          "our own report",
          "github/stranger/Hello-World is not in 'repos' of the server configuration",
        ].map((because) => [202, { status: "ignored", because }]),
      );
      assert.deepEqual(receiver.commits, []);
    });

    it("keeps several hints and the orders of people from one webhook, of the repos that 'repos' allows", async () => {
      const kept: NewOrder[] = [];
      const repo = { hostId: "1", owner: "Codertocat", name: "api", defaultBranch: null };
      const other = { ...repo, hostId: "2", owner: "stranger" };
      const hint = { repo, event: "push", deliveryId: "d-1", ref: "refs/heads/main", sha: null };
      const order = {
        repo,
        sha: "a".repeat(40),
        action: "retry",
        person: "octocat",
        event: "rerun",
        deliveryId: "d-1",
      };
      const hints = [hint, { ...hint, ref: "refs/tags/v1" }, { ...hint, repo: other }];
      const reading = { hints, orders: [order, { ...order, repo: other }] };
      const host = { readHints: async () => reading } as unknown as Host;
      await start({ hosts: new Map([["github", host]]), keepOrders: async (orders) => void kept.push(...orders) });
      const { status, json } = await receiver.sendEvent("push");
      assert.equal(status, 202);
      assert.deepEqual(json, {
        status: "accepted",
        because: "push is in the inbox, push is in the inbox, what octocat asked for (retry) is in the inbox",
      });
      assert.deepEqual(
        receiver.commits[0]?.map(({ ref }) => ref),
        ["refs/heads/main", "refs/tags/v1"],
      );
      assert.deepEqual(
        kept.map(({ repo: { id } }) => id),
        ["github:1"],
      );
    });

    it("answers 503 if the order of a person could not be committed, so that the host sends it again", async () => {
      const repo = { hostId: "1", owner: "Codertocat", name: "api", defaultBranch: null };
      const order = { repo, sha: "a".repeat(40), action: "retry", person: "o", event: "rerun", deliveryId: "d-1" };
      const host = { readHints: async () => ({ hints: [], orders: [order] }) } as unknown as Host;
      const keepOrders = async () => {
        throw new Error("the disk is full");
      };
      await start({ hosts: new Map([["github", host]]), keepOrders });
      assert.equal((await receiver.sendEvent("check_run")).status, 503);
    });

    it("accepts a charset, and an old body again under a new delivery id", async () => {
      await start();
      const charset = { "content-type": "application/JSON; charset=utf-8" };
      assert.equal((await receiver.sendEvent("push", undefined, charset)).status, 202);
      assert.equal((await receiver.sendEvent("push", undefined, { "x-github-delivery": "d-2" })).status, 202);
    });

    it("accepts a body in chunks", async () => {
      await start();
      const answer = await receiver.sendEvent("push", undefined, { "transfer-encoding": "chunked" });
      assert.equal(answer.status, 202);
    });

    it("reveals nothing about its software, and sets no ETag", async () => {
      await start();
      const { headers } = await receiver.sendEvent("push");
      assert.equal(headers["x-powered-by"], undefined);
      assert.equal(headers.etag, undefined);
    });

    it("answers 202 even if the queue cannot be reached", async () => {
      await start({
        onHints: () => {
          throw new Error("Redis is down");
        },
      });
      assert.equal((await receiver.sendEvent("push")).status, 202);
    });
  });

  describe("with a request that is no webhook", () => {
    beforeEach(() => start({ maxBodyBytes: 1_000 }));

    it("answers 404 for a host that is not configured, whatever else is wrong", async () => {
      for (const path of [
        "/webhooks/gitlab",
        "/webhooks/GitHub",
        "/webhooks/__proto__",
        "/webhooks",
        "/webhooks/github/x",
        "/",
      ]) {
        refused(await receiver.send({ path, method: "PUT", headers: { "content-type": "text/plain" } }), 404, /./);
      }
    });

    it("answers 400 for a path that cannot be decoded", async () => {
      refused(await receiver.send({ path: "/webhooks/%ff" }), 400, /cannot be understood/);
    });

    it("answers 405 to another method, and names the right one", async () => {
      for (const method of ["GET", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
        const answer = await receiver.send({ method, headers: { "content-type": "text/plain" } });
        refused(answer, 405, /POST/);
        assert.equal(answer.headers.allow, "POST");
      }
    });

    it("answers 415 to a content type other than JSON, with or without a body, however large", async () => {
      const form = { "content-type": "application/x-www-form-urlencoded" };
      refused(await receiver.send({ headers: form, body: `payload=${"x".repeat(2_000)}` }), 415, /application\/json/);
      refused(await receiver.send({ headers: { "content-type": "text/plain" } }), 415, /application\/json/);
      refused(await receiver.send({ headers: { "content-type": "application/json+x" }, body: "{}" }), 415, /json/);
    });

    it("answers 415 to a compressed body, and never unpacks it", async () => {
      const bomb = gzipSync(Buffer.alloc(50_000_000));
      const headers = { "content-encoding": "gzip", "x-github-event": "push", "x-hub-signature-256": sign(bomb) };
      refused(await receiver.send({ headers, body: bomb }), 415, /compressed/);
    });

    it("answers 413 to a Content-Length that is too large, before the body is sent", async () => {
      const request = httpRequest({
        host: "127.0.0.1",
        port: receiver.port,
        path: "/webhooks/github",
        method: "POST",
        headers: { "content-type": "application/json", "content-length": "1001" },
      });
      request.flushHeaders();
      const [response] = await once(request, "response");
      assert.equal(response.statusCode, 413);
      request.on("error", () => {});
      request.destroy();
    });

    it("answers 413 to a body in chunks that becomes too large, even with the right signature", async () => {
      const body = " ".repeat(1_001);
      const headers = { "transfer-encoding": "chunked", "x-github-event": "push", "x-hub-signature-256": sign(body) };
      refused(await receiver.send({ headers, body }), 413, /1000 bytes/);
    });

    it("accepts a body of exactly the maximum size", async () => {
      const body = " ".repeat(1_000);
      refused(await receiver.sendEvent("push", body), 400, /not JSON/);
    });

    it("answers 413 to a flood in chunks and ends it, without storing it", async () => {
      const socket = connect(receiver.port, "127.0.0.1");
      let answer = "";
      let sent = 0;
      socket.on("data", (data) => {
        answer += data;
      });
      socket.on("error", () => {});
      socket.write(
        "POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
      );
      const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
      const pump = () => {
        while (!socket.destroyed && sent < 2 ** 30) {
          sent += chunk.length;
          if (!socket.write(chunk)) break;
        }
      };
      socket.on("drain", pump);
      pump();
      const before = process.memoryUsage().rss;
      await until("the connection is closed", () => socket.closed);
      assert.match(answer, /^HTTP\/1.1 413 /);
      assert.ok(sent < 2 ** 28, `took ${sent} bytes`);
      assert.ok(process.memoryUsage().rss - before < 150_000_000);
    });
  });

  describe("with a slow body", () => {
    it("answers 408 if the body is not complete in time, and closes the connection", async () => {
      await start({ bodyTimeoutMs: 100 });
      const socket = connect(receiver.port, "127.0.0.1");
      socket.write(
        "POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{",
      );
      let answer = "";
      socket.on("data", (data) => {
        answer += data;
      });
      await once(socket, "close");
      assert.match(answer, /^HTTP\/1.1 408 /);
      assert.match(answer, /application\/problem\+json/);
    });

    it("forgets a client that disconnects in the middle, and serves the next", async () => {
      await start();
      const socket = connect(receiver.port, "127.0.0.1");
      socket.write(
        "POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{",
        () => socket.destroy(),
      );
      await once(socket, "close");
      assert.equal((await receiver.sendEvent("push")).status, 202);
      assert.equal(receiver.commits.length, 1);
    });

    it("answers 503 to a ninth large body at the same time, and still accepts small ones", async () => {
      await start({ bodyTimeoutMs: 5_000 });
      const head =
        "POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 900000\r\n\r\n";
      const sockets = Array.from({ length: 8 }, () => connect(receiver.port, "127.0.0.1"));
      try {
        for (const socket of sockets) socket.write(head + "x".repeat(400_000));
        const large = await until("a ninth large body is refused", async () => {
          const answer = await receiver.sendEvent("push", " ".repeat(300_000));
          return answer.status === 503 ? answer : null;
        });
        assert.equal(large.headers["retry-after"], "5");
        assert.equal((await receiver.sendEvent("push")).status, 202);
      } finally {
        for (const socket of sockets) socket.destroy();
      }
      await until("their places are free again", async () => {
        const answer = await receiver.sendEvent("push", " ".repeat(300_000));
        return answer.status === 400;
      });
    });
  });

  describe("with a bad signature", () => {
    const body = example("push");
    const right = sign(body);
    const cases: [string, Record<string, string>][] = [
      ["missing", {}],
      ["empty", { "x-hub-signature-256": "" }],
      ["a SHA-1 only", { "x-hub-signature": sign(body, undefined, "sha1") }],
      ["a SHA-1 under the SHA-256 header", { "x-hub-signature-256": sign(body, undefined, "sha1") }],
      ["made with another secret", { "x-hub-signature-256": sign(body, "guess") }],
      ["made for another body", { "x-hub-signature-256": sign("{}") }],
      ["cut short", { "x-hub-signature-256": right.slice(0, 40) }],
      ["only a prefix", { "x-hub-signature-256": "sha256=" }],
      ["without its prefix", { "x-hub-signature-256": right.slice(7) }],
      [
        "wrong beside a right SHA-1",
        { "x-hub-signature": sign(body, undefined, "sha1"), "x-hub-signature-256": sign("x") },
      ],
      ["in another header", { "x-signature": right, authorization: right }],
    ];
    for (const [what, headers] of cases) {
      it(`answers 401 if the signature is ${what}`, async () => {
        await start();
        refused(
          await receiver.send({ body, headers: { "x-github-event": "push", ...headers } }),
          401,
          /SHA-1|signature|secret/i,
        );
      });
    }

    it("answers 401 instead of 400 if the body is malformed too", async () => {
      await start();
      refused(await receiver.send({ body: "{", headers: { "x-github-event": "push" } }), 401, /Signature/);
    });
  });

  describe("with a malformed event", () => {
    const push = JSON.parse(example("push"));
    const cases: [string, string, string, RegExp][] = [
      ["a body that is not JSON", "push", "{", /not JSON/],
      ["another event's body", "check_run", example("push"), /check_run/],
      [
        "a ref of 100,000 characters",
        "push",
        JSON.stringify({ ...push, ref: `refs/heads/${"x".repeat(100_000)}` }),
        /ref/,
      ],
      ["a NUL in the ref", "push", JSON.stringify({ ...push, ref: "refs/heads/a\u0000" }), /ref/],
      ["an option in place of a commit id", "push", JSON.stringify({ ...push, after: "--upload-pack=x" }), /after/],
      ["a huge repository id", "push", JSON.stringify(push).replace(/"id":186853002/, '"id":1e400'), /repository\.id/],
      ["__proto__ for a repository", "push", '{"__proto__":{"repository":{}},"ref":"refs/heads/x"}', /after/],
      ["a deeply nested body", "push", "[".repeat(50_000) + "]".repeat(50_000), /push/],
    ];
    for (const [what, event, body, detail] of cases) {
      it(`answers 400 to ${what}`, async () => {
        await start();
        refused(await receiver.sendEvent(event, body), 400, detail);
      });
    }
  });

  describe("while the ledger is slow or fails", () => {
    it("shares one commit among the requests that arrive during another commit", async () => {
      const first = deferred();
      await start({ commit: () => (receiver.commits.length === 1 ? first.promise : Promise.resolve()) });
      const opener = receiver.sendEvent("push");
      await until("the first commit runs", () => receiver.commits.length === 1);
      const others = Array.from({ length: 20 }, (_, i) =>
        receiver.sendEvent("push", undefined, { "x-github-delivery": `d-${i}` }),
      );
      await until("all wait for the second", async () => /^deliverd_inbox_pending 21$/m.test(await metrics()));
      first.resolve();
      for (const answer of await Promise.all([opener, ...others])) assert.equal(answer.status, 202);
      assert.deepEqual(
        receiver.commits.map((hints) => hints.length),
        [1, 20],
      );
    });

    it("answers nothing before the commit has ended", async () => {
      const commit = deferred();
      await start({ commit: () => commit.promise });
      let answered = false;
      const answer = receiver.sendEvent("push").finally(() => {
        answered = true;
      });
      await until("the commit runs", () => receiver.commits.length === 1);
      for (let i = 0; i < 20; i++) await receiver.send({ path: "/healthz", method: "GET" });
      assert.equal(answered, false);
      assert.deepEqual(receiver.told, []);
      commit.resolve();
      assert.equal((await answer).status, 202);
    });

    it("answers 503 with Retry-After to all requests of a failed commit, and recovers by itself", async () => {
      let broken = true;
      await start({
        commit: async () => {
          if (broken) throw new Error("database or disk is full: /secret/path");
        },
      });
      for (const answer of await Promise.all([receiver.sendEvent("push"), receiver.sendEvent("push")])) {
        assert.equal(answer.status, 503);
        assert.equal(answer.headers["retry-after"], "30");
        assert.doesNotMatch(answer.text, /secret|disk/);
      }
      assert.deepEqual(receiver.told, []);
      broken = false;
      assert.equal((await receiver.sendEvent("push")).status, 202);
    });

    it("answers 503 if a commit takes longer than GitHub waits", async () => {
      const hanging = deferred();
      await start({ commit: () => hanging.promise, commitTimeoutMs: 50 });
      const answer = await receiver.sendEvent("push");
      assert.equal(answer.status, 503);
      assert.equal(answer.headers["retry-after"], "30");
      hanging.resolve();
    });

    it("answers 503 at once if too many hints wait for the ledger", async () => {
      const commit = deferred();
      await start({ commit: () => commit.promise, limits: { maxHints: 2 } });
      const waiting = [receiver.sendEvent("push"), receiver.sendEvent("push")];
      await until("two wait", async () => /^deliverd_inbox_pending 2$/m.test(await metrics()));
      assert.equal((await receiver.sendEvent("push")).status, 503);
      commit.resolve();
      for (const answer of await Promise.all(waiting)) assert.equal(answer.status, 202);
      assert.equal((await receiver.sendEvent("push")).status, 202);
    });
  });

  it("answers 500 without the reason if the host's adapter has a bug", async () => {
    const readHints = async () => {
      throw new TypeError("token ghp_hidden is undefined");
    };
    const broken = { readHints } as unknown as NonNullable<Setup["hosts"]> extends Map<string, infer H> ? H : never;
    await start({ hosts: new Map([["github", broken]]) });
    const answer = await receiver.sendEvent("push");
    assert.equal(answer.status, 500);
    assert.doesNotMatch(answer.text, /hidden|TypeError|at /);
  });

  const metrics = async () => (await receiver.send({ path: "/metrics", method: "GET" })).text;
});
