import assert from "node:assert/strict";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import {
  countUnsent,
  markDropped,
  markFailed,
  markSent,
  outboxOfCommit,
  queueNotice,
  queueStatus,
  replaceStatus,
} from "../../../src/ledger/outbox.ts";
import { claimOutbox, dueOutbox, releaseOutboxLease } from "../../../src/ledger/outbox-leases.ts";
import { eachLedger, OTHER_SHA, REPO, SHA, withRepo } from "../../support/databases/ledgers.ts";

const say = (ledger: Ledger, state: string, context = "deliverd/api", sha = SHA) =>
  ledger.transaction((tx) => queueStatus(tx, { repoId: REPO, sha, deliveryId: null, payload: { context, state } }));

/** The one thing that is owed. */
async function owed(ledger: Ledger) {
  const rows = await dueOutbox(ledger, 10);
  assert.equal(rows.length, 1);
  const [row] = rows;
  assert.ok(row);
  return row;
}

describe("The outbox of statuses and notices", () => {
  eachLedger((_name, open) => {
    it("keeps only the newest status of a context", async () => {
      const ledger = await withRepo(await open());
      await say(ledger, "pending");
      await say(ledger, "success", "Deliverd/API");
      assert.deepEqual((await owed(ledger)).payload, { context: "Deliverd/API", state: "success" });
      await say(ledger, "pending", "deliverd/web");
      await say(ledger, "pending", "deliverd/api", OTHER_SHA);
      assert.equal(await countUnsent(ledger), 3);
      assert.equal((await outboxOfCommit(ledger, REPO, SHA)).length, 2);
    });

    it("queues nothing for an equal status, and a new message for another", async () => {
      const ledger = await withRepo(await open());
      await say(ledger, "pending");
      const first = await owed(ledger);
      assert.equal(await markSent(ledger, first.id, first.revision), true);
      await say(ledger, "pending");
      assert.deepEqual(await dueOutbox(ledger, 10), []);
      await say(ledger, "success");
      const second = await owed(ledger);
      assert.deepEqual([second.id, second.revision, second.attempts], [first.id, 2, 0]);
    });

    it("leases an entry to one sender, and a newer status waits until that lease ends", async () => {
      const ledger = await withRepo(await open());
      await say(ledger, "pending");
      await say(ledger, "pending", "deliverd/web");
      const taken = await Promise.all([1, 2, 3].map(() => claimOutbox(ledger, 10, 60_000)));
      assert.equal(taken.flat().length, 2);
      assert.deepEqual(await claimOutbox(ledger, 10, 60_000), []);
      await say(ledger, "success", "deliverd/web");
      assert.deepEqual(await claimOutbox(ledger, 10, 60_000), [], "the word before it is on its way");
      const [web] = taken.flat().filter(({ payload }) => (payload as { context: string }).context === "deliverd/web");
      assert.ok(web);
      assert.equal(await markSent(ledger, web.id, web.revision, web.fence), false);
      await releaseOutboxLease(ledger, web);
      const [again, ...more] = await claimOutbox(ledger, 10, 0);
      assert.deepEqual([again?.revision, more.length], [2, 0]);
      assert.equal((await claimOutbox(ledger, 10, 60_000)).length, 1, "whoever has it for no time keeps nobody out");
    });

    it("sends a status once more if an older one may have arrived after it", async () => {
      const ledger = await withRepo(await open());
      await say(ledger, "pending");
      const [stalled] = await claimOutbox(ledger, 1, 0);
      await say(ledger, "success");
      const [newer] = await claimOutbox(ledger, 1, 60_000);
      assert.ok(stalled && newer);
      assert.equal(await markSent(ledger, newer.id, newer.revision, newer.fence), true);
      const [row] = await outboxOfCommit(ledger, REPO, SHA);
      assert.equal(row?.state, "unsent");
      assert.ok(Number(row.retryAt) > Date.now() + 30_000, "later: what is held up may still be on its way");
      assert.equal(await markSent(ledger, stalled.id, stalled.revision, stalled.fence), false);
      await releaseOutboxLease(ledger, stalled);
      const again = await owed(ledger);
      assert.deepEqual(again.payload, { context: "deliverd/api", state: "success" });
    });

    it("sends new messages before failed ones, but gives every fourth place to a failed one", async () => {
      const ledger = await withRepo(await open());
      for (let n = 0; n < 20; n++) await say(ledger, "pending", `deliverd/old-${n}`);
      for (const { id, revision } of await dueOutbox(ledger, 20)) await markFailed(ledger, id, revision, "503", -1);
      for (let n = 0; n < 20; n++) await say(ledger, "pending", `deliverd/new-${n}`);
      const first = (await dueOutbox(ledger, 8)).map((row) => row.attempts);
      assert.deepEqual(first, [0, 0, 0, 1, 0, 0, 0, 1]);
    });

    it("replaces a status only if there was one, if that is requested", async () => {
      const ledger = await withRepo(await open());
      const again = { repoId: REPO, sha: SHA, deliveryId: null, payload: { context: "deliverd/api", state: "error" } };
      await ledger.transaction((tx) => replaceStatus(tx, again));
      assert.equal(await countUnsent(ledger), 0);
      await say(ledger, "pending");
      await ledger.transaction((tx) => replaceStatus(tx, again));
      assert.deepEqual((await owed(ledger)).payload, again.payload);
    });

    it("keeps a status unsent that was queued while an older one was being sent", async () => {
      const ledger = await withRepo(await open());
      await say(ledger, "pending");
      const sent = await owed(ledger);
      await say(ledger, "success");
      assert.equal(await markSent(ledger, sent.id, sent.revision), false);
      assert.equal(await markFailed(ledger, sent.id, sent.revision, "503", 60_000), false);
      assert.equal(await markDropped(ledger, sent.id, sent.revision, "422"), false);
      assert.deepEqual((await owed(ledger)).payload, { context: "deliverd/api", state: "success" });
    });

    it("delays a retry, but not a newer status", async () => {
      const ledger = await withRepo(await open());
      await say(ledger, "pending");
      const row = await owed(ledger);
      assert.equal(await markFailed(ledger, row.id, row.revision, "503", 60_000), true);
      assert.deepEqual(await dueOutbox(ledger, 10), []);
      const [kept] = await outboxOfCommit(ledger, REPO, SHA);
      assert.deepEqual([kept?.attempts, kept?.error, kept?.state], [1, "503", "unsent"]);
      await say(ledger, "success");
      assert.deepEqual([(await owed(ledger)).attempts, (await owed(ledger)).error], [0, null]);
    });

    it("drops a message that its destination refuses", async () => {
      const ledger = await withRepo(await open());
      await say(ledger, "pending");
      const row = await owed(ledger);
      assert.equal(await markDropped(ledger, row.id, row.revision, "422"), true);
      assert.equal(await countUnsent(ledger), 0);
      assert.equal((await outboxOfCommit(ledger, REPO, SHA))[0]?.state, "dropped");
    });

    it("queues a notice once, also after it was sent", async () => {
      const ledger = await withRepo(await open());
      const queue = () =>
        ledger.transaction((tx) =>
          queueNotice(tx, { id: "notice-1", repoId: REPO, sha: SHA, deliveryId: null, payload: { n: 1 } }),
        );
      await queue();
      await queue();
      const row = await owed(ledger);
      assert.deepEqual([row.kind, row.payload], ["notice", { n: 1 }]);
      await markSent(ledger, row.id, row.revision);
      await queue();
      assert.deepEqual(await dueOutbox(ledger, 10), []);
    });

    it("queues nothing if the transaction fails", async () => {
      const ledger = await withRepo(await open());
      const failed = ledger.transaction(async (tx) => {
        await queueStatus(tx, { repoId: REPO, sha: SHA, deliveryId: null, payload: { context: "deliverd" } });
        throw new Error("no");
      });
      await assert.rejects(failed, /^Error: no$/);
      assert.equal(await countUnsent(ledger), 0);
    });
  });
});
