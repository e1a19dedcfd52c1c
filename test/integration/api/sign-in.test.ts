import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express, { type RequestHandler } from "express";
import { createAuth } from "../../../src/api/auth.ts";
import type { Log, LogFields } from "../../../src/observe/log.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMask } from "../../../src/observe/mask.ts";
import { createApp, type Listening, listen } from "../../../src/receiver/app.ts";
import { webRoute } from "../../../src/web/index.ts";
import { useLedger } from "../../support/databases/ledgers.ts";

const changes = {
  statuses: { config: { publicUrl: "https://deliverd.example.com" }, mask: createMask([]) },
  onDeliveryChanged: () => {},
};
const TOKEN = "right-token-of-these-tests";

describe("attempts to sign in to the web pages", () => {
  const suite = useLedger();
  let url: string;
  let lines: { message: string; facts: LogFields | undefined }[];
  let close: () => Promise<void>;

  beforeEach(async () => {
    lines = [];
    const warn = (message: string, facts?: LogFields) => void lines.push({ message, facts });
    const log: Log = { ...silentLog, warn };
    const auth = createAuth({ adminToken: TOKEN, anonymous: "none", secureCookie: false, log });
    const app = express();
    app.get("/api/read", auth.reader, (_request, response) => void response.send("read"));
    app.post("/api/change", auth.operator, (_request, response) => void response.send("changed"));
    app.use(webRoute({ ledger: suite.ledger, auth, ...changes }));
    const server = app.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    close = async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    };
  });
  afterEach(() => close());

  const signIn = (token: string) =>
    fetch(`${url}/sign-in`, { method: "POST", body: new URLSearchParams({ token }), redirect: "manual" });
  const asBearer = (token: string) => fetch(`${url}/api/read`, { headers: { authorization: `Bearer ${token}` } });

  it("that fail are logged with their method and address, but without the token", async () => {
    assert.equal((await signIn("wrong-in-form")).status, 401);
    assert.equal((await asBearer("wrong-in-header")).status, 401);
    const cookie = `deliverd_session=${Date.now() + 1_000}.${"0".repeat(64)}`;
    assert.equal((await fetch(`${url}/api/read?token=secret`, { headers: { cookie } })).status, 401);
    assert.deepEqual(
      lines.map(({ facts }) => facts),
      [
        { by: "form", from: "127.0.0.1", path: "/sign-in" },
        { by: "bearer", from: "127.0.0.1", path: "/api/read" },
        { by: "cookie", from: "127.0.0.1", path: "/api/read" },
      ],
    );
    assert.doesNotMatch(JSON.stringify(lines), /wrong-in|secret/);
  });

  it("without a token, or with an expired session, do not count as failed", async () => {
    await fetch(`${url}/api/read`);
    await asBearer(TOKEN);
    assert.equal((await signIn(TOKEN)).status, 303);
    assert.deepEqual(lines, []);
  });

  it("are blocked for a while after too many failures, even with the right token, but the header still works", async () => {
    const statuses: number[] = [];
    for (let guess = 0; guess < 15; guess++) statuses.push((await signIn(`guess ${guess}`)).status);
    assert.deepEqual([...new Set(statuses)], [401, 429]);
    assert.ok(statuses.indexOf(429) <= 11, `${statuses}`);
    const late = await signIn(TOKEN);
    assert.equal(late.status, 429);
    assert.match(late.headers.get("retry-after") ?? "", /^(?:[1-9]|10)$/);
    for (let guess = 0; guess < 20; guess++) assert.equal((await asBearer("guess")).status, 401);
    assert.equal((await asBearer(TOKEN)).status, 200);
    const change = await fetch(`${url}/api/change`, { method: "POST", headers: { authorization: `Bearer ${TOKEN}` } });
    assert.equal(change.status, 200);
  });

  it("in a flood write only a few log lines", async () => {
    for (let guess = 0; guess < 200; guess++) await asBearer("guess");
    assert.equal(lines.length, 5);
  });
});

describe("the address of a client that signs in", () => {
  const own = useLedger();
  const froms: unknown[] = [];
  let listening: Listening | null = null;

  async function start(trustProxy: number | string[] | null): Promise<void> {
    const warn = (_message: string, facts?: LogFields) => void froms.push(facts?.from);
    const auth = createAuth({ adminToken: TOKEN, anonymous: "none", secureCookie: false, log: { ...silentLog, warn } });
    const health: RequestHandler = (_request, _response, next) => next();
    const app = createApp({
      health,
      web: webRoute({ ledger: own.ledger, auth, ...changes }),
      log: silentLog,
      trustProxy,
    });
    listening = await listen(app, { port: 0, address: "127.0.0.1" });
  }
  beforeEach(() => froms.splice(0));
  afterEach(async () => {
    await listening?.close(0);
    listening = null;
  });

  const signIn = async (forwarded: string, token = "wrong") => {
    const body = new URLSearchParams({ token });
    const headers = { "x-forwarded-for": forwarded, "x-real-ip": "198.51.100.99", forwarded: "for=198.51.100.98" };
    return (
      await fetch(`http://127.0.0.1:${listening?.port}/sign-in`, { method: "POST", body, headers, redirect: "manual" })
    ).status;
  };

  it("is the one of the connection, whatever a header says, if no proxy is trusted", async () => {
    await start(null);
    const statuses: number[] = [];
    for (let guess = 0; guess < 15; guess++) statuses.push(await signIn(`198.51.100.${guess}`));
    assert.deepEqual([...new Set(froms)], ["127.0.0.1"]);
    assert.ok(statuses.includes(429), "a new address in the header is no new client");
  });

  it("is the one that a trusted proxy gives, and a client that guesses closes the form for itself only", async () => {
    await start(["loopback", "10.0.0.0/8"]);
    for (let guess = 0; guess < 15; guess++) await signIn("203.0.113.1");
    assert.equal(await signIn("203.0.113.1", TOKEN), 429);
    assert.equal(await signIn("203.0.113.2", TOKEN), 303);
    assert.deepEqual([...new Set(froms)], ["203.0.113.1"]);
  });

  it("is the last one that no trusted proxy has, so that a client cannot make up another", async () => {
    await start(["loopback", "10.0.0.0/8"]);
    for (const [forwarded, from] of [
      ["198.51.100.1, 203.0.113.7, 10.1.2.3", "203.0.113.7"],
      ["203.0.113.8:4711", "203.0.113.8"],
      ["[2001:db8::1]:4711", "2001:db8::1"],
      ["2001:db8::2", "2001:db8::2"],
      ["no address", "127.0.0.1"],
    ] as const) {
      await signIn(forwarded);
      assert.equal(froms.at(-1), from, forwarded);
    }
  });

  it("is the first one before as many proxies as there are", async () => {
    await start(1);
    await signIn("198.51.100.1, 203.0.113.9");
    assert.deepEqual(froms, ["203.0.113.9"]);
  });
});
