import assert from "node:assert/strict";
import { inspect } from "node:util";
import { sql } from "kysely";
import { TransientError } from "../../../src/delivery/errors.ts";
import type { Host, Report } from "../../../src/hosts/host.ts";
import { queueNotices } from "../../../src/ledger/notices.ts";
import { countUnsent, outboxOfCommit, queueStatus } from "../../../src/ledger/outbox.ts";
import { openNotifiers } from "../../../src/notices/index.ts";
import type { Notifier } from "../../../src/notices/notice.ts";
import { type Log, silentLog } from "../../../src/observe/log.ts";
import { Announcer, announce } from "../../../workers/announce/announcer.ts";
import { REPO, SHA, useLedger } from "../../support/databases/ledgers.ts";
import { unitStation } from "../../support/fixtures/station.ts";
import { until } from "../../support/processes/process.ts";

const subject = { repoId: REPO, sha: SHA, deliveryId: "d" };

describe("announcers", () => {
  const store = useLedger();
  /** What the host has, in the order in which it came. */
  let host: string[];
  /** Ends the requests that the host holds, in any order. */
  let held: (() => void)[];
  let holds: (state: string) => boolean;

  beforeEach(() => {
    host = [];
    held = [];
    holds = () => false;
  });

  const report: Host["report"] = async (_commit, { state }: Report) => {
    if (holds(state)) await new Promise<void>((resolve) => held.push(resolve));
    host.push(state);
  };
  const findRepo: Host["findRepo"] = async () => ({ hostId: "1", owner: "acme", name: "api", defaultBranch: "main" });
  const station = (owner: string, notifiers: Notifier[] = []) =>
    unitStation({ ledger: store.ledger, owner, notifiers, hosts: { github: { report, findRepo } } });
  const say = (state: string, context = "deliverd/api") =>
    store.ledger.transaction((tx) => queueStatus(tx, { ...subject, payload: { context, state } }));
  const receiver = (key: string, send: Notifier["send"]): Notifier => ({
    key,
    place: `place of ${key}`,
    target: `https://${key}.example.com/`,
    send,
    probe: () => assert.fail("nobody asks it"),
  });
  const event = (n: number) => ({ id: `release-${n}` });

  it("never let an old status overtake the new one, though the host holds the old one", async () => {
    holds = (state) => state === "pending";
    await say("pending");
    const [one, two] = [new Announcer(station("one")), new Announcer(station("two"))];
    await one.wake();
    await until("the host holds it", () => held.length === 1);
    await say("success");
    await two.wake();
    await two.idle();
    assert.deepEqual(host, [], "the first has it still");
    held[0]?.();
    await one.idle();
    assert.deepEqual(host, ["pending", "success"]);
    assert.equal(await countUnsent(store.ledger), 0);
  });

  it("send the newest status again after a stalled sender finishes late", async () => {
    holds = (state) => state === "pending";
    await say("pending");
    const [one, two] = [new Announcer(station("one"), 50), new Announcer(station("two"))];
    await one.wake();
    await until("the host holds it", () => held.length === 1);
    await say("success");
    await until("the second may have it", async () => {
      await two.wake();
      await two.idle();
      return host.length > 0;
    });
    assert.deepEqual(host, ["success"]);
    held[0]?.();
    await one.idle();
    await two.wake();
    await two.idle();
    assert.deepEqual(host.slice(0, 2), ["success", "pending"]);
    assert.equal(host.at(-1), "success");
  });

  it("schedule the newest status again when a stalled sender never finishes", async () => {
    holds = (state) => state === "pending";
    await say("pending");
    await new Announcer(station("dead"), 50).wake();
    await until("the host holds it", () => held.length === 1);
    await say("success");
    await until("another says the newest", async () => {
      await announce(station("two"));
      return host.length > 0;
    });
    const [row] = await outboxOfCommit(store.ledger, REPO, SHA);
    assert.ok(row?.state === "unsent" && Number(row.retryAt) > Date.now() + 30_000);
    held[0]?.();
  });

  it("send to all others while one receiver with a thousand notices does not answer", async () => {
    const told: string[] = [];
    const silent = receiver("silent", () => new Promise(() => {}));
    const well = receiver("well", async ({ id }) => void told.push(id));
    const at = station("one", [silent, well]);
    await store.ledger.transaction(async (tx) => {
      for (let n = 0; n < 1_000; n++) await queueNotices(tx, { notifiers: [silent] }, subject, event(n));
    });
    const announcer = new Announcer(at);
    await announcer.wake();
    await store.ledger.transaction((tx) => queueNotices(tx, at, subject, event(2_000)));
    await say("success");
    await announcer.wake();
    await until("host and the other receiver are told", () => host.length === 1 && told.length === 1, 5_000);
    assert.deepEqual(told, ["release-2000"]);
  });

  it("send a new notice to a receiver though 40 older ones fail and are due again", async () => {
    const told: string[] = [];
    const picky = receiver("picky", async ({ id }) => {
      if (id !== "release-2000") throw new TransientError("notice-not-taken", "no", { retryAfter: 0 });
      told.push(id);
    });
    const at = station("one", [picky]);
    await store.ledger.transaction(async (tx) => {
      for (let n = 0; n < 40; n++) await queueNotices(tx, at, subject, event(n));
    });
    await announce(at);
    await store.ledger.db.updateTable("outbox").set({ retryAt: 0 }).execute();
    await store.ledger.transaction((tx) => queueNotices(tx, at, subject, event(2_000)));
    await announce(at);
    assert.deepEqual(told, ["release-2000"]);
  });

  it("send to two receivers that differ only in their query, and send an event once", async () => {
    const url = "https://deployer.example.com/ready?token=";
    const open = (...tokens: string[]) =>
      openNotifiers(tokens.map((token) => ({ type: "webhook", url: `${url}${token}`, secret: null })));
    const [one, two] = open("one", "two");
    assert.ok(one && two);
    assert.deepEqual([one.target, one.place], [two.target, two.place]);
    const told: string[] = [];
    const at = station(
      "one",
      [one, two].map((each) => ({ ...each, send: async () => void told.push(each.key) })),
    );
    const queue = () => store.ledger.transaction((tx) => queueNotices(tx, at, subject, event(1)));
    await queue();
    assert.doesNotMatch(JSON.stringify(await outboxOfCommit(store.ledger, REPO, SHA)), /token|\/ready/);
    await announce(at);
    assert.deepEqual(told.sort(), [one.key, two.key].sort());
    await store.ledger.db.deleteFrom("outbox").execute();
    await queue();
    assert.equal(await countUnsent(store.ledger), 0, "also after its rows are gone");
    assert.throws(() => open("one", "two", "one"), { name: "ConfigError", code: "notice-url-twice" });
  });

  describe("drop for good", () => {
    /** Announces what is owed. @returns the codes of the errors that were logged */
    async function codesOf(work: () => Promise<unknown>): Promise<unknown[]> {
      const codes: unknown[] = [];
      const log: Log = {
        ...silentLog,
        error: (_message, facts) => void codes.push((facts?.error as { code?: string } | undefined)?.code),
      };
      await work();
      await announce({ ...station("one"), log });
      assert.equal(await countUnsent(store.ledger), 0);
      return codes;
    }

    it("a status of a repo that the ledger does not have (repo-unknown)", async () => {
      const { db } = store.ledger;
      const codes = await codesOf(async () => {
        await say("success");
        await sql`PRAGMA foreign_keys = OFF`.execute(db);
        await db.deleteFrom("repos").execute();
      });
      assert.deepEqual(codes, ["repo-unknown"]);
    });

    it("a notice to a URL that is no longer configured (notice-target-gone)", async () => {
      const gone = receiver("gone", async () => assert.fail("nothing is sent"));
      const codes = await codesOf(() =>
        store.ledger.transaction((tx) => queueNotices(tx, { notifiers: [gone] }, subject, event(1))),
      );
      assert.deepEqual(codes, ["notice-target-gone"]);
    });
  });

  it("find a receiver whose query changed meanwhile if it is the only one at its address", async () => {
    const told: string[] = [];
    const before = receiver("before", async () => void told.push("before"));
    await store.ledger.transaction((tx) => queueNotices(tx, { notifiers: [before] }, subject, event(1)));
    await announce(station("one", [{ ...before, key: "after" }]));
    assert.deepEqual(told, ["before"]);
  });

  it("find the receiver of a row of an older version, which holds only its address", async () => {
    const told: string[] = [];
    const [here, elsewhere] = openNotifiers(
      ["ready?token=new", "other"].map((path) => ({
        type: "webhook",
        url: `https://deploy.example.com/${path}`,
        secret: null,
      })),
    );
    assert.ok(here && elsewhere);
    const at = station(
      "one",
      [here, elsewhere].map((each) => ({ ...each, send: async () => void told.push(each.key) })),
    );
    await store.ledger.transaction((tx) => queueNotices(tx, { notifiers: [here] }, subject, event(1)));
    const [row] = await outboxOfCommit(store.ledger, REPO, SHA);
    const payload = JSON.stringify({
      target: "https://deploy.example.com/ready",
      notice: (row?.payload as { notice: unknown } | undefined)?.notice,
    });
    await store.ledger.db.updateTable("outbox").set({ payload }).execute();
    await announce(at);
    assert.deepEqual(told, [here.key]);
  });

  it("do not show the path of a receiver that is no longer configured, which may be its secret", async () => {
    const said: unknown[] = [];
    const old = { ...receiver("old", async () => {}), target: "https://hooks.example.com/services/hidden-7" };
    await store.ledger.transaction((tx) => queueNotices(tx, { notifiers: [old] }, subject, event(1)));
    const log: Log = { ...silentLog, error: (message, facts) => void said.push(message, inspect(facts)) };
    await announce({ ...station("one"), log });
    const [row] = await outboxOfCommit(store.ledger, REPO, SHA);
    assert.match(row?.error ?? "", /https:\/\/hooks\.example\.com\/… is no longer configured/);
    assert.doesNotMatch([row?.error, ...said].join("\n"), /hidden-7/);
  });
});
