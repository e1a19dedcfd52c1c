import assert from "node:assert/strict";
import { type Compilable, sql } from "kysely";
import type { DeliveryState } from "../../../src/delivery/types.ts";
import { requestCancel, settleCancelled } from "../../../src/ledger/cancel.ts";
import {
  countDeliveriesByState,
  deliveriesByState,
  ensureDelivery,
  FINISHED_STATES,
  OPEN_STATES,
  setState,
} from "../../../src/ledger/deliveries.ts";
import { claimDelivery, dueOldestFirst, finishAttempt, nextDueDelivery } from "../../../src/ledger/leases.ts";
import { type Ledger, type LedgerEvent, openLedger } from "../../../src/ledger/ledger.ts";
import { countUnsentByKind, queueNotice, queueStatus, unsentByKind } from "../../../src/ledger/outbox.ts";
import { eachLedger, REPO, SHA, withRepo } from "../../support/databases/ledgers.ts";

describe("What metrics ask the ledger", () => {
  eachLedger((name, open) => {
    let ledger: Ledger;
    beforeEach(async () => {
      ledger = await withRepo(await open());
    });
    const add = (sha: string, state: DeliveryState) =>
      ensureDelivery(ledger, REPO, sha, { ref: null, state, because: "", message: "", author: "", committedAt: null });

    it("counts deliveries by state, also the states that no delivery has", async () => {
      for (const [at, state] of (["queued", "queued", "failed"] as const).entries()) await add(String(at), state);
      assert.deepEqual(await countDeliveriesByState(ledger, OPEN_STATES), {
        ...{ waiting: 0, queued: 2, building: 0, publishing: 0 },
      });
      assert.deepEqual(await countDeliveriesByState(ledger, FINISHED_STATES), {
        ...{ delivered: 0, failed: 1, cancelled: 0, superseded: 0, ignored: 0 },
      });
    });

    it("counts unsent messages by kind", async () => {
      await ledger.transaction(async (tx) => {
        const subject = { repoId: REPO, sha: SHA, deliveryId: null };
        await queueStatus(tx, { ...subject, payload: { context: "deliverd/api" } });
        await queueNotice(tx, { ...subject, id: "n-1", payload: {} });
        await queueNotice(tx, { ...subject, id: "n-2", payload: {} });
      });
      assert.deepEqual(await countUnsentByKind(ledger), { status: 1, notice: 2, names: 0, proof: 0 });
    });

    it("reads an index, never the table: a million deliveries cost what the counted ones cost", async () => {
      await fill(ledger);
      const plans = {
        open: await planOf(ledger, deliveriesByState(ledger, OPEN_STATES)),
        finished: await planOf(ledger, deliveriesByState(ledger, FINISHED_STATES)),
        unsent: await planOf(ledger, unsentByKind(ledger)),
        due: await planOf(ledger, dueOldestFirst(ledger, 1_000)),
      };
      const byState = name === "SQLite" ? /COVERING INDEX deliveries_by_state/ : /Index.*deliveries_by_state/;
      assert.match(plans.open, byState);
      if (name === "SQLite") assert.match(plans.finished, byState);
      assert.match(plans.unsent, /outbox_(?:unsent|lanes)/);
      assert.match(plans.due, /deliveries_active/);
      for (const plan of [plans.open, plans.unsent, plans.due])
        assert.doesNotMatch(plan, /Seq Scan|SCAN (?:deliveries|outbox)(?! USING)/, plan);
    });

    it("knows how long the next delivery could have been taken", async () => {
      const { id } = await add(SHA, "queued");
      const past = (ms: number) => sql<number>`updated_at - ${sql.lit(ms)}`;
      await ledger.db
        .updateTable("deliveries")
        .set({ updatedAt: past(60_000) })
        .execute();
      const first = await nextDueDelivery(ledger);
      assert.ok(first !== null && first.dueFor >= 60_000 && first.inState >= 60_000, JSON.stringify(first));
      // A back-off that ended 10 s ago is not time in which a worker could have come.
      await ledger.db.updateTable("deliveries").set({ retryAt: sql<number>`updated_at + 50000` }).execute();
      const again = await nextDueDelivery(ledger);
      assert.ok(again !== null && again.dueFor >= 10_000 && again.dueFor < 60_000, JSON.stringify(again));
      assert.equal(again.id, id);
      assert.equal(again.state, "queued");
    });
  });
});

describe("The ledger's events", () => {
  eachLedger((_name, open, place) => {
    let ledger: Ledger;
    let ended: string[];
    beforeEach(async () => {
      await withRepo(await open());
      ended = [];
      ledger = await openLedger({ ...place(), onEvent: ({ outcome }: LedgerEvent) => ended.push(outcome) });
    });
    afterEach(() => ledger.close());
    const add = (sha: string, state: DeliveryState) =>
      ensureDelivery(ledger, REPO, sha, { ref: null, state, because: "", message: "", author: "", committedAt: null });

    it("report each delivery that ended, once, however it ended", async () => {
      await add("ignored", "ignored");
      const { id } = await add("delivered", "queued");
      await setState(ledger, id, { from: ["queued"], to: "delivered", because: "" });
      await setState(ledger, id, { from: ["delivered"], to: "delivered", because: "a new reason" });
      await requestCancel(ledger, (await add("cancelled", "waiting")).id);
      const held = await add("superseded", "queued");
      const claim = await claimDelivery(ledger, held.id, "w1", 60_000);
      await requestCancel(ledger, held.id, "newer", "superseded");
      await finishAttempt(ledger, held.id, claim?.fence ?? 0, { outcome: "lost" });
      await settleCancelled(ledger);
      assert.deepEqual(ended, ["ignored", "delivered", "cancelled", "superseded"]);
    });

    it("report nothing of a transaction that is rolled back", async () => {
      const { id } = await add(SHA, "queued");
      const rolledBack = ledger.transaction(async (tx) => {
        await setState(tx, id, { from: ["queued"], to: "failed", because: "" });
        throw new Error("roll back");
      });
      await assert.rejects(rolledBack, /roll back/);
      assert.deepEqual(ended, []);
    });
  });
});

/** Deliveries and messages that ended, as most rows of an old ledger have, and a few that did not. */
async function fill(ledger: Ledger): Promise<void> {
  const numbers = sql`with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000)`;
  await sql`insert into deliveries (id, repo_id, sha, state, because, message, author, created_at, updated_at)
    ${numbers} select 'd' || i, ${REPO}, 's' || i, case when i % 1000 = 0 then 'queued' else 'delivered' end, '', '', '',
    i, i from n`.execute(ledger.db);
  await sql`insert into outbox (id, kind, repo_id, sha, payload, state, revision, created_at, updated_at, attempts)
    ${numbers} select 'o' || i, 'status', ${REPO}, 's' || i, '{}', case when i % 1000 = 0 then 'unsent' else 'sent' end,
    1, i, i, 0 from n`.execute(ledger.db);
  await sql`analyze`.execute(ledger.db);
}

async function planOf(ledger: Ledger, query: Compilable): Promise<string> {
  const { sql: text, parameters } = query.compile();
  const prefix = ledger.dialect === "sqlite" ? "explain query plan" : "explain";
  const parts = text.split(/\?|\$\d+/);
  const statement = sql.join(
    parts.flatMap((part, at) => (at < parameters.length ? [sql.raw(part), sql`${parameters[at]}`] : [sql.raw(part)])),
    sql``,
  );
  const { rows } = await sql<Record<string, unknown>>`${sql.raw(prefix)} ${statement}`.execute(ledger.db);
  return rows.map((row) => String(row.detail ?? row["QUERY PLAN"] ?? row.queryPLAN ?? JSON.stringify(row))).join("\n");
}
