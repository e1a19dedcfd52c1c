import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { Webhook } from "standardwebhooks";
import { ConfigError, Refused, TransientError } from "../../../src/delivery/errors.ts";
import { openNotifiers } from "../../../src/notices/index.ts";
import { webhookNotifier } from "../../../src/notices/webhook.ts";

const SECRET = `whsec_${Buffer.from("a key of at least 24 bytes, only for tests").toString("base64")}`;
const notice = {
  id: "notice-1",
  event: {
    specversion: "1.0",
    id: "notice-1",
    type: "dev.deliverd.release.ready",
    source: "/deliverd",
    data: { über: "ä" },
  },
};

interface Seen {
  method: string | undefined;
  path: string | undefined;
  headers: IncomingHttpHeaders;
  body: string;
}

/** Starts a receiver that records requests and answers them with `answer`. */
async function receiver(answer: (response: ServerResponse) => void) {
  const seen: Seen[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    seen.push({
      method: request.method,
      path: request.url,
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
    });
    answer(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { origin, seen, close };
}

describe("A webhook notice", () => {
  let close: () => Promise<void> = async () => {};
  afterEach(() => close());

  async function started(answer: (response: ServerResponse) => void) {
    const server = await receiver(answer);
    close = server.close;
    return server;
  }

  async function failure(
    answer: (response: ServerResponse) => void,
    { path = "/ready", timeout = 2_000 }: { path?: string; timeout?: number } = {},
  ): Promise<Error> {
    const { origin } = await started(answer);
    const notifier = webhookNotifier({ url: origin + path, secret: SECRET, timeout });
    return notifier.send(notice, new AbortController().signal).then(
      () => assert.fail("was taken"),
      (error: Error) => error,
    );
  }

  it("is a structured CloudEvent whose signature the Standard Webhooks library verifies", async () => {
    const { origin, seen } = await started((response) => response.writeHead(204).end());
    const [notifier] = openNotifiers([{ type: "webhook", url: `${origin}/ready?key=1`, secret: SECRET }]);
    await notifier?.send(notice, new AbortController().signal);
    const [request] = seen;
    assert.ok(request);
    assert.equal(request.method, "POST");
    assert.equal(request.path, "/ready?key=1");
    assert.equal(request.headers["content-type"], "application/cloudevents+json");
    assert.equal(request.headers["webhook-id"], "notice-1");
    const verified = new Webhook(SECRET).verify(request.body, request.headers as Record<string, string>);
    assert.deepEqual(verified, notice.event);
    const otherKey = new Webhook(`whsec_${Buffer.from("another key").toString("base64")}`);
    assert.throws(() => otherKey.verify(request.body, request.headers as Record<string, string>));
  });

  it("has no signature if no secret is configured", async () => {
    const { origin, seen } = await started((response) => response.writeHead(200).end());
    await webhookNotifier({ url: origin, secret: null }).send(notice, new AbortController().signal);
    assert.equal(seen[0]?.headers["webhook-signature"], undefined);
    assert.equal(seen[0]?.headers["webhook-id"], "notice-1");
  });

  it("has the same id when it is sent again", async () => {
    const { origin, seen } = await started((response) => response.writeHead(200).end());
    const notifier = webhookNotifier({ url: origin, secret: SECRET });
    for (let i = 0; i < 2; i++) await notifier.send(notice, new AbortController().signal);
    assert.deepEqual(
      seen.map(({ headers }) => headers["webhook-id"]),
      ["notice-1", "notice-1"],
    );
  });

  for (const status of [400, 401, 404, 408, 422, 425, 429, 500, 503]) {
    it(`is to be sent again after ${status}`, async () => {
      const error = await failure((response) => response.writeHead(status).end("no"));
      assert.ok(error instanceof TransientError);
      assert.equal(error.retryAfter, null);
      assert.match(error.message, new RegExp(`^notices \\(http://127\\.0\\.0\\.1:\\d+/…\\) answered ${status}\\.$`));
    });
  }

  it("waits as long as the receiver asks, in seconds or until a date", async () => {
    const seconds = await failure((response) => response.writeHead(503, { "retry-after": "7" }).end());
    assert.ok(seconds instanceof TransientError);
    assert.equal(seconds.retryAfter, 7_000);
    await close();
    const date = new Date(Date.now() + 60_000).toUTCString();
    const dated = await failure((response) => response.writeHead(429, { "retry-after": date }).end());
    assert.ok(dated instanceof TransientError && dated.retryAfter !== null);
    assert.ok(dated.retryAfter > 50_000 && dated.retryAfter <= 60_000, `${dated.retryAfter}`);
  });

  it("is refused for good after 410", async () => {
    const error = await failure((response) => response.writeHead(410).end());
    assert.ok(error instanceof Refused);
    assert.equal(error.code, "notice-gone");
  });

  it("follows no redirect, not even to the same host", async () => {
    const { origin, seen } = await started((response) => response.writeHead(307, { location: "/elsewhere" }).end());
    const sent = webhookNotifier({ url: `${origin}/ready`, secret: SECRET }).send(notice, new AbortController().signal);
    await assert.rejects(sent, { code: "notice-redirected" });
    assert.deepEqual(
      seen.map(({ path }) => path),
      ["/ready"],
    );
  });

  it("is to be sent again if the receiver does not listen, or does not answer in time", async () => {
    const { origin, close: shut } = await receiver(() => {});
    await shut();
    const unheard = webhookNotifier({ url: origin, secret: SECRET }).send(notice, new AbortController().signal);
    await assert.rejects(unheard, { name: "TransientError", code: "notice-unanswered", message: /ECONNREFUSED/ });
    const silent = await failure(() => {}, { timeout: 50 });
    assert.ok(silent instanceof TransientError);
    assert.match(silent.message, /timeout/);
  });

  it("ends at once when its caller aborts it", async () => {
    const stop = new AbortController();
    const { origin } = await started(() => stop.abort());
    const sent = webhookNotifier({ url: origin, secret: SECRET }).send(notice, stop.signal);
    await assert.rejects(sent, { name: "TransientError", message: /aborted/ });
  });

  it("is tried without a notice: an answer shows that its receiver can be reached", async () => {
    for (const [status, doubt] of [
      [200, null],
      [405, null],
      [401, null],
      [404, "it may have no such path, or not know this method"],
    ] as const) {
      const { origin, seen } = await started((response) => response.writeHead(status).end());
      const notifier = webhookNotifier({ url: `${origin}/ready?token=hidden`, secret: SECRET });
      const text = `can be reached: it answers ${status} to OPTIONS`;
      assert.deepEqual(await notifier.probe(new AbortController().signal), { text, doubt });
      assert.deepEqual(
        seen.map(({ method, body, headers }) => [method, body, headers["webhook-id"]]),
        [["OPTIONS", "", undefined]],
      );
      await close();
    }
    close = async () => {};
  });

  it("is tried without a notice: answers that no notice would get past are errors", async () => {
    for (const [status, code] of [
      [301, "notice-redirected"],
      [410, "notice-gone"],
      [503, "notice-not-taken"],
    ] as const) {
      const { origin } = await started((response) => response.writeHead(status).end());
      const trying = webhookNotifier({ url: origin, secret: SECRET }).probe(new AbortController().signal);
      await assert.rejects(trying, { code });
      await close();
    }
    close = async () => {};
    const gone = webhookNotifier({ url: "http://127.0.0.1:1/", secret: null }).probe(new AbortController().signal);
    await assert.rejects(gone, { code: "notice-unanswered" });
  });

  for (const [answer, code] of [
    [500, "notice-not-taken"],
    [410, "notice-gone"],
    [301, "notice-redirected"],
    [null, "notice-unanswered"],
  ] as const) {
    it(`never shows the URL's path or query, which may be its secret: ${code}`, async () => {
      const path = "/services/hidden-6?token=hidden-7";
      const error = await failure(
        (response) => (answer === null ? response.destroy() : response.writeHead(answer).end()),
        { path },
      );
      assert.equal((error as TransientError).code, code);
      assert.doesNotMatch(inspect(error, { depth: 20, showHidden: true }), /hidden-|services/);
    });
  }

  it("is named by its server, and in errors by its entry too", async () => {
    const targetOf = (url: string) => webhookNotifier({ url, secret: SECRET }).target;
    assert.equal(targetOf("https://hooks.example.com:8443/services/T0?token=7"), "https://hooks.example.com:8443/…");
    assert.equal(targetOf("https://hooks.example.com/?token=7"), "https://hooks.example.com/…");
    assert.equal(targetOf("https://hooks.example.com"), "https://hooks.example.com");
    const { origin } = await started((response) => response.writeHead(500).end());
    const [, second] = openNotifiers([
      { type: "webhook", url: `${origin}/one`, secret: null },
      { type: "webhook", url: `${origin}/two`, secret: null },
    ]);
    await assert.rejects(async () => second?.send(notice, new AbortController().signal), {
      message: `notices[1] (${origin}/…) answered 500.`,
    });
  });

  for (const [what, url, secret, code] of [
    ["a secret of the wrong form", "https://d.example.com", "hunter2-hidden", "notice-secret-invalid"],
    ["an empty secret", "https://d.example.com", "whsec_", "notice-secret-invalid"],
    ["a URL with a password", "https://me:hidden@d.example.com", SECRET, "notice-url-invalid"],
    ["a URL with another scheme", "file:///etc/hidden", SECRET, "notice-url-invalid"],
    ["text that is no URL", "hidden", SECRET, "notice-url-invalid"],
  ] as const) {
    it(`fails at the start with ${what}, and the error does not repeat it`, () => {
      assert.throws(
        () => webhookNotifier({ url, secret }),
        (error) => error instanceof ConfigError && error.code === code && !error.message.includes("hidden"),
      );
    });
  }
});
