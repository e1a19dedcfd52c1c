import assert from "node:assert/strict";
import type { DeliveryState } from "../../../src/delivery/types.ts";
import { decisionsOf, recordDecision } from "../../../src/ledger/decisions.ts";
import { ensureDelivery, setState } from "../../../src/ledger/deliveries.ts";
import { attemptsOf, claim, finishAttempt } from "../../../src/ledger/leases.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { appendLog, readLog } from "../../../src/ledger/logs.ts";
import { forgetOld } from "../../../src/ledger/retention.ts";
import { eachLedger, OTHER_SHA, REPO, SHA, withRepo } from "../../support/ledgers.ts";

const HOUR = 60 * 60_000;

/** A delivery with an attempt and a log, whose rows say that all of it was long ago. */
async function longAgo(ledger: Ledger, sha: string, to: DeliveryState): Promise<string> {
  const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
  const { id } = await ensureDelivery(ledger, REPO, sha, facts);
  const lease = await claim(ledger, id, "w", 60_000);
  assert.ok(lease);
  await appendLog(ledger, id, "a line\n");
  await finishAttempt(ledger, id, lease.fence, { outcome: "done" });
  await setState(ledger, id, { from: ["queued"], to, because: "" });
  await ledger.db.updateTable("deliveries").set({ finishedAt: 1 }).where("finishedAt", "is not", null).execute();
  await ledger.db.updateTable("attempts").set({ startedAt: 1 }).execute();
  await ledger.db.updateTable("logs").set({ at: 1 }).execute();
  return id;
}

describe("What is old", () => {
  eachLedger((_name, open) => {
    it("is forgotten of deliveries that have ended: their attempts and logs", async () => {
      const ledger = await withRepo(await open());
      const id = await longAgo(ledger, SHA, "delivered");
      assert.equal(await forgetOld(ledger, HOUR), 2);
      assert.deepEqual([await attemptsOf(ledger, id), await readLog(ledger, id)], [[], []]);
    });

    it("is kept of deliveries that go on, and where it is not old enough", async () => {
      const ledger = await withRepo(await open());
      const id = await longAgo(ledger, SHA, "waiting");
      await longAgo(ledger, OTHER_SHA, "delivered");
      assert.equal(await forgetOld(ledger, Date.now() + HOUR), 0);
      assert.equal(await forgetOld(ledger, HOUR), 2);
      assert.deepEqual([(await attemptsOf(ledger, id)).length, (await readLog(ledger, id)).length], [1, 1]);
    });

    it("is forgotten of decisions, by their own time", async () => {
      const ledger = await withRepo(await open());
      await recordDecision(ledger, REPO, SHA, { action: "wait", because: "old" });
      await ledger.db.updateTable("decisions").set({ at: 1 }).execute();
      await recordDecision(ledger, REPO, SHA, { action: "wait", because: "new" });
      assert.equal(await forgetOld(ledger, HOUR), 1);
      assert.deepEqual(
        (await decisionsOf(ledger, REPO, SHA)).map(({ because }) => because),
        ["new"],
      );
    });
  });
});
