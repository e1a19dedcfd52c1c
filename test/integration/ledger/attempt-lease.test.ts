import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { TransientError } from "../../../src/delivery/errors.ts";
import { ensureDelivery } from "../../../src/ledger/deliveries.ts";
import { claimDelivery } from "../../../src/ledger/leases.ts";
import { LeaseLost, type LeaseTimes, requireLease, takeLease } from "../../../workers/deliver/lease.ts";
import { REPO, SHA, useLedger } from "../../support/databases/ledgers.ts";
import { until } from "../../support/processes/process.ts";

/** As in a worker, ten times as fast. */
const TIMES: LeaseTimes = { ttl: 1_200, renewEvery: 400, margin: 200, now: () => performance.now() };

describe("The lease of a worker's attempt", () => {
  const store = useLedger();
  let delivery: string;
  const now = Date.now;

  beforeEach(async () => {
    const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
    delivery = (await ensureDelivery(store.ledger, REPO, SHA, facts)).id;
  });

  afterEach(() => {
    Date.now = now;
  });

  const take = async (times = TIMES, over = store.ledger) => {
    const lease = await takeLease(over, delivery, "one", claimDelivery, times);
    assert.ok(lease);
    return lease;
  };

  it("is renewed for as long as the ledger answers", async () => {
    const lease = await take();
    await delay(TIMES.ttl * 1.5);
    assert.equal(lease.signal.aborted, false);
    assert.equal(await takeLease(store.ledger, delivery, "two", claimDelivery, TIMES), null);
    lease.stop();
  });

  it("ends before the ledger may give it to another, even if a renewal hangs", async () => {
    const began = performance.now();
    const lease = await take();
    let answer = () => {};
    const held = store.ledger.transaction(() => new Promise<void>((resolve) => (answer = resolve)));
    try {
      await until("the attempt is aborted", () => lease.signal.aborted, TIMES.ttl);
      assert.ok(performance.now() - began < TIMES.ttl, `after ${performance.now() - began} ms`);
      assert.ok(lease.signal.reason instanceof LeaseLost);
    } finally {
      answer();
      await held;
    }
  });

  it("begins before the claim is requested, so a claim with a late answer gives no lease", async () => {
    let at = 0;
    const lease = await take({ ...TIMES, now: () => (at += TIMES.ttl) });
    assert.ok(lease.signal.reason instanceof LeaseLost);
    at = 0;
    const late = requireLease(store.ledger, delivery, lease.fence, { ...TIMES, now: () => (at += TIMES.ttl) });
    await assert.rejects(late, LeaseLost);
    await requireLease(store.ledger, delivery, lease.fence, TIMES);
  });

  it("does not depend on the wall clock if one renewal fails and the next succeeds", async () => {
    let fails = true;
    const db = new Proxy(store.ledger.db, {
      get(target, key) {
        if (fails && key === "updateTable") throw new TransientError("ledger-unavailable", "not now");
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const lease = await take(TIMES, { ...store.ledger, db });
    Date.now = () => now() + 3_600_000;
    await delay(TIMES.renewEvery * 1.5);
    fails = false;
    await delay(TIMES.ttl);
    assert.equal(lease.signal.aborted, false);
    Date.now = () => now() - 3_600_000;
    fails = true;
    await until("the attempt is aborted", () => lease.signal.aborted, TIMES.ttl);
  });

  it("survives one renewal that hangs if the next one succeeds", async () => {
    let asked = 0;
    const db = new Proxy(store.ledger.db, {
      get(target, key) {
        if (key === "updateTable" && ++asked === 1) return () => hangingQuery;
        const value: unknown = Reflect.get(target, key, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const lease = await take(TIMES, { ...store.ledger, db });
    await delay(TIMES.ttl * 1.5);
    assert.equal(lease.signal.aborted, false);
    lease.stop();
  });
});

/** A query whose answer never comes, however it is built. */
const hangingQuery: unknown = new Proxy(() => hangingQuery, {
  get: (_target, key) => (key === "executeTakeFirst" ? () => new Promise(() => {}) : () => hangingQuery),
});
