import assert from "node:assert/strict";
import { Webhook } from "standardwebhooks";
import type { KeepCi } from "../../../src/api/options.ts";
import { genericHost } from "../../../src/hosts/generic/host.ts";
import type { Host } from "../../../src/hosts/host.ts";
import { useLedger } from "../../support/databases/ledgers.ts";
import { noTools } from "../../support/hosts/no-tools.ts";
import { startApi, type TestApi, TOKEN } from "./support.ts";

const PATH = "/api/v1/ci";
const SHA = "a".repeat(40);
const secretOf = (digit: number) => `whsec_${Buffer.alloc(32, digit).toString("base64")}`;

describe(`POST ${PATH}`, () => {
  const store = useLedger();
  let api: TestApi;
  let kept: Parameters<KeepCi>[0][];

  const host = (key: string, webhookSecret: string): [string, Host] => {
    const cloneUrl = "http://127.0.0.1:9/{owner}/{name}.git";
    return [key, genericHost({ key, cloneUrl, webhookSecret, username: null, token: null, reportUrl: null }, noTools)];
  };
  const start = (hosts = new Map([host("git", secretOf(1)), host("mirror", secretOf(2))])) =>
    startApi(store.ledger, {
      hosts,
      keepCi: async (pushed) => {
        kept.push(pushed);
        return "git/acme/api";
      },
    });

  beforeEach(async () => {
    kept = [];
    api = await start();
  });
  afterEach(() => api.close());

  const body = (more: Record<string, unknown> = {}) =>
    JSON.stringify({ repo: "acme/api", sha: SHA, checks: [{ name: "test", state: "success" }], ...more });
  const signed = (text: string, { at = new Date(), secret = secretOf(1), id = "msg_1" } = {}) => ({
    "content-type": "application/json",
    "webhook-id": id,
    "webhook-timestamp": String(Math.floor(at.getTime() / 1000)),
    "webhook-signature": new Webhook(secret).sign(id, at, text),
  });
  const byToken = { "content-type": "application/json", authorization: `Bearer ${TOKEN}` };
  const post = (text: string, headers: Record<string, string> = signed(text), at = api) =>
    at.send("POST", PATH, headers, text);

  it("takes results that are signed by the secret of a host, for this host only", async () => {
    const checks = [
      { name: "test", state: "failure", url: "https://ci.example.com/1", at: "2026-01-01T12:00:00+01:00" },
      { name: "lint", state: "pending" },
    ];
    const before = Date.now();
    const { status, text } = await post(body({ checks }));
    assert.equal(status, 202, text);
    assert.deepEqual(JSON.parse(text), {
      ...{ status: "accepted", because: "the commit will be looked at again", repo: "git/acme/api", sha: SHA },
    });
    const [pushed] = kept;
    assert.deepEqual(
      [pushed?.repo, pushed?.hosts, pushed?.sha, pushed?.deliveryId],
      ["acme/api", ["git"], SHA, "msg_1"],
    );
    const [first, second] = pushed?.checks ?? [];
    const at = Date.UTC(2026, 0, 1, 11);
    assert.deepEqual(first, { name: "test", state: "failure", url: "https://ci.example.com/1", at });
    assert.ok(second !== undefined && second.at >= before && second.url === null);
  });

  it("takes results with the admin token, for every host that takes results", async () => {
    assert.equal((await post(body(), byToken)).status, 202);
    assert.deepEqual(kept[0]?.hosts, ["git", "mirror"]);
  });

  const unproved: [what: string, headers: (text: string) => Record<string, string>][] = [
    ["without a signature", () => ({ "content-type": "application/json" })],
    ["with an empty signature", (text) => ({ ...signed(text), "webhook-signature": "" })],
    ["with a signature of another body", () => signed("{}")],
    ["with a signature of another secret", (text) => signed(text, { secret: secretOf(3) })],
    ["with a signature of another id", (text) => ({ ...signed(text), "webhook-id": "msg_2" })],
    ["with an old signature, sent again", (text) => signed(text, { at: new Date(Date.now() - 6 * 60_000) })],
    ["with a signature of the future", (text) => signed(text, { at: new Date(Date.now() + 6 * 60_000) })],
    ["with another token, whatever its signature", (text) => ({ ...signed(text), authorization: "Bearer wrong" })],
    ["with a password", (text) => ({ ...signed(text), authorization: `Basic ${btoa(`admin:${TOKEN}`)}` })],
    ["with the secret as a token", (text) => ({ ...signed(text), authorization: `Bearer ${secretOf(1)}` })],
  ];
  for (const [what, headers] of unproved) {
    it(`is refused ${what}`, async () => {
      const text = body();
      const answer = await post(text, headers(text));
      assert.equal(answer.status, 401, answer.text);
      assert.ok(!answer.text.includes("whsec_"));
      assert.deepEqual(kept, []);
    });
  }

  // The suite loads long before this test runs.
  const future = new Date(Date.now() + 24 * 60 * 60_000).toISOString();
  const wrong: [what: string, text: string, message: RegExp][] = [
    ["what is no JSON", "{", /not JSON/],
    ["a list", "[]", /The body must be an object/],
    ["a repo that is no text", body({ repo: 7 }), /^repo must be a text/],
    ["a short commit id", body({ sha: SHA.slice(0, 7) }), /^sha must be a whole commit id/],
    ["no checks", body({ checks: [] }), /^checks must hold a check/],
    ["checks that are no list", body({ checks: {} }), /^checks must be a list/],
    ["101 checks", body({ checks: Array(101).fill({ name: "t", state: "success" }) }), /at most 100/],
    ["a state of another host", body({ checks: [{ name: "t", state: "passed" }] }), /^checks\.0\.state must be one of/],
    ["a name with a line end", body({ checks: [{ name: "t\n", state: "success" }] }), /control characters/],
    ["a name of 256 characters", body({ checks: [{ name: "t".repeat(256), state: "success" }] }), /at most 255/],
    [
      "an address that runs code",
      body({ checks: [{ name: "t", state: "success", url: "javascript:0" }] }),
      /http or https/,
    ],
    ["a time that is no time", body({ checks: [{ name: "t", state: "success", at: "yesterday" }] }), /must be a time/],
    ["a time in the future", body({ checks: [{ name: "t", state: "success", at: future }] }), /in the future/],
    ["a key that nobody knows", body({ ref: "main" }), /The body must be an object|[Uu]nrecognized/],
  ];
  for (const [what, text, message] of wrong) {
    it(`refuses ${what}`, async () => {
      const answer = await post(text);
      assert.equal(answer.status, 400, answer.text);
      assert.match(JSON.parse(answer.text).detail, message);
      assert.deepEqual(kept, []);
    });
  }

  it("takes JSON only, and no more than 128 kB of it before anybody has proved who he is", async () => {
    const text = body();
    assert.equal((await post(text, { ...signed(text), "content-type": "text/plain" })).status, 415);
    const large = body({ repo: "x".repeat(140_000) });
    assert.equal((await post(large, { ...signed(large, { secret: secretOf(3) }) })).status, 413);
    assert.deepEqual(kept, []);
  });

  it("is not there where no host takes results", async () => {
    const without = await start(new Map());
    try {
      assert.equal((await post(body(), undefined, without)).status, 404);
      assert.equal((await post(body(), byToken, without)).status, 404);
    } finally {
      await without.close();
    }
  });
});
