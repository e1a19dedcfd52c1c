import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import express from "express";
import { createAuth } from "../../../src/api/auth.ts";
import type { Log, LogFields } from "../../../src/observe/log.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { webRoute } from "../../../src/web/index.ts";

const TOKEN = "right-token-of-these-tests";

describe("attempts to sign in to the web pages", () => {
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
    app.post("/api/change", auth.admin, (_request, response) => void response.send("changed"));
    app.use(webRoute({ ledger: {} as never, auth }));
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
