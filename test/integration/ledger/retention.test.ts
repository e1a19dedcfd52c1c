import assert from "node:assert/strict";
import type { DeliveryState } from "../../../src/delivery/types.ts";
import { decisionsOf, recordDecision } from "../../../src/ledger/decisions.ts";
import { ensureDelivery, getDelivery, setState } from "../../../src/ledger/deliveries.ts";
import { attemptsOf, claimDelivery, finishAttempt } from "../../../src/ledger/leases.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { appendLog, readLog } from "../../../src/ledger/logs.ts";
import { countUnsent, markSent, outboxOfCommit, queueStatus, replaceStatus } from "../../../src/ledger/outbox.ts";
import { dueOutbox } from "../../../src/ledger/outbox-leases.ts";
import { deleteOldRows } from "../../../src/ledger/retention.ts";
import { chunks } from "../../../src/ledger/sql.ts";
import { eachLedger, OTHER_SHA, REPO, SHA, withRepo } from "../../support/databases/ledgers.ts";

const HOUR = 60 * 60_000;

/** A delivery with an attempt and a log, whose rows say that all of it was long ago. */
async function longAgo(ledger: Ledger, sha: string, to: DeliveryState): Promise<string> {
  const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
  const { id } = await ensureDelivery(ledger, REPO, sha, facts);
  const lease = await claimDelivery(ledger, id, "w", 60_000);
  assert.ok(lease);
  await appendLog(ledger, id, "a line\n");
  await finishAttempt(ledger, id, lease.fence, { outcome: "done" });
  await setState(ledger, id, { from: ["queued"], to, because: "" });
  await ledger.db.updateTable("deliveries").set({ finishedAt: 1 }).where("finishedAt", "is not", null).execute();
  await ledger.db.updateTable("attempts").set({ startedAt: 1 }).execute();
  await ledger.db.updateTable("logs").set({ at: 1 }).execute();
  return id;
}

describe("Retention in the ledger", () => {
  eachLedger((_name, open) => {
    it("deletes attempts and logs of finished deliveries", async () => {
      const ledger = await withRepo(await open());
      const id = await longAgo(ledger, SHA, "delivered");
      assert.equal(await deleteOldRows(ledger, HOUR), 2);
      assert.deepEqual([await attemptsOf(ledger, id), await readLog(ledger, id)], [[], []]);
    });

    it("keeps rows whose delivery is not finished, or that are not old enough", async () => {
      const ledger = await withRepo(await open());
      const id = await longAgo(ledger, SHA, "waiting");
      await longAgo(ledger, OTHER_SHA, "delivered");
      assert.equal(await deleteOldRows(ledger, Date.now() + HOUR), 0);
      assert.equal(await deleteOldRows(ledger, HOUR), 2);
      assert.deepEqual([(await attemptsOf(ledger, id)).length, (await readLog(ledger, id)).length], [1, 1]);
    });

    it("deletes decisions by their own age", async () => {
      const ledger = await withRepo(await open());
      await recordDecision(ledger, REPO, SHA, { action: "wait", because: "old" });
      await ledger.db.updateTable("decisions").set({ at: 1 }).execute();
      await recordDecision(ledger, REPO, SHA, { action: "wait", because: "new" });
      assert.equal(await deleteOldRows(ledger, HOUR), 1);
      assert.deepEqual(
        (await decisionsOf(ledger, REPO, SHA)).map(({ because }) => because),
        ["new"],
      );
    });

    it("deletes sent messages, and does not send them again afterwards", async () => {
      const ledger = await withRepo(await open());
      const say = (state: string) =>
        ledger.transaction((tx) =>
          queueStatus(tx, { repoId: REPO, sha: SHA, deliveryId: null, payload: { context: "deliverd/api", state } }),
        );
      await say("success");
      for (const { id, revision } of await dueOutbox(ledger, 10)) await markSent(ledger, id, revision);
      await ledger.db.updateTable("outbox").set({ updatedAt: 1, sentAt: 1 }).execute();
      await ledger.transaction((tx) =>
        queueStatus(tx, {
          repoId: REPO,
          sha: OTHER_SHA,
          deliveryId: null,
          payload: { context: "deliverd/api", state: "pending" },
        }),
      );
      await ledger.db.updateTable("outbox").set({ updatedAt: 1 }).execute();
      assert.equal(await deleteOldRows(ledger, HOUR), 1);
      assert.equal(await countUnsent(ledger), 1, "what is owed stays, however old");
      await say("success");
      assert.equal(await countUnsent(ledger), 1, "the same again is nothing new");
      await ledger.transaction((tx) =>
        replaceStatus(tx, {
          repoId: REPO,
          sha: SHA,
          deliveryId: null,
          payload: { context: "deliverd/api", state: "error" },
        }),
      );
      assert.equal(await countUnsent(ledger), 2, "another word takes the place of what was said");
      await say("success");
      const [row] = await outboxOfCommit(ledger, REPO, SHA);
      assert.deepEqual(row?.payload, { context: "deliverd/api", state: "success" });
    });

    it("deletes whole deliveries of ignored commits, and no others", async () => {
      const ledger = await withRepo(await open());
      const ignored = await longAgo(ledger, SHA, "ignored");
      const failed = await longAgo(ledger, OTHER_SHA, "failed");
      await ledger.db.updateTable("deliveries").set({ updatedAt: 1 }).execute();
      assert.equal(await deleteOldRows(ledger, HOUR), 5);
      assert.equal(await getDelivery(ledger, ignored), null);
      assert.notEqual(await getDelivery(ledger, failed), null);
    });

    it("deletes in small batches, however much there is", async () => {
      const ledger = await withRepo(await open());
      const rows = Array.from({ length: 2_500 }, (_none, n) => ({
        repoId: REPO,
        sha: SHA,
        at: 1,
        action: "wait" as const,
        because: `${n}`,
      }));
      for (const some of chunks(rows)) await ledger.db.insertInto("decisions").values(some).execute();
      let waited = 0;
      let done = false;
      const others = (async () => {
        while (!done) {
          const began = performance.now();
          await ledger.transaction((tx) =>
            recordDecision(tx, REPO, OTHER_SHA, { action: "wait", because: `${began}` }),
          );
          waited = Math.max(waited, performance.now() - began);
        }
      })();
      assert.equal(await deleteOldRows(ledger, HOUR), 2_500);
      done = true;
      await others;
      assert.ok(waited < 2_000, `${waited} ms`);
    });
  });
});
