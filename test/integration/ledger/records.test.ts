import assert from "node:assert/strict";
import { decisionsOf, recordDecision } from "../../../src/ledger/decisions.ts";
import { ensureDelivery } from "../../../src/ledger/deliveries.ts";
import { headsOf, recordHeads, wasEverHead } from "../../../src/ledger/heads.ts";
import { appendLog, logBytes, readLog } from "../../../src/ledger/logs.ts";
import { eachLedger, OTHER_SHA, REPO, SHA, withRepo } from "../../support/databases/ledgers.ts";

describe("A delivery's log in the ledger", () => {
  eachLedger((_name, open) => {
    it("is read in the order of writing, from any position, whatever it contains", async () => {
      const ledger = await withRepo(await open());
      const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
      const { id } = await ensureDelivery(ledger, REPO, SHA, facts);
      const texts = ["Step 1/3\n", "NUL \0 and ünïcödé 🚢\n", "x".repeat(100_000)];
      for (const [i, text] of texts.entries()) assert.equal(await appendLog(ledger, id, text), i + 1);
      assert.deepEqual(
        await readLog(ledger, id),
        texts.map((text, i) => ({ seq: i + 1, text })),
      );
      assert.deepEqual(await readLog(ledger, id, 2, 1), [{ seq: 2, text: texts[1] }]);
      assert.deepEqual(await readLog(ledger, id, 4), []);
      assert.equal(await logBytes(ledger, id), Buffer.byteLength(texts.join("")));
      assert.equal(await logBytes(ledger, "none"), 0);
    });

    it("loses nothing if two write at once", async () => {
      const ledger = await withRepo(await open());
      const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
      const { id } = await ensureDelivery(ledger, REPO, SHA, facts);
      const writers = [ledger, await open(), await open()];
      await Promise.all(
        writers.flatMap((each, i) => Array.from({ length: 10 }, (_, n) => appendLog(each, id, `${i}-${n}`))),
      );
      const chunks = await readLog(ledger, id);
      assert.deepEqual(
        chunks.map((chunk) => chunk.seq),
        Array.from({ length: 30 }, (_, i) => i + 1),
      );
      assert.equal(new Set(chunks.map((chunk) => chunk.text)).size, 30);
    });
  });
});

describe("Decisions in the ledger", () => {
  eachLedger((_name, open) => {
    it("are stored only if they differ from the commit's last one", async () => {
      const ledger = await withRepo(await open());
      const wait = { action: "wait" as const, because: "test is running" };
      const deliver = { action: "deliver" as const, because: "all green" };
      const kept: boolean[] = [];
      for (const decision of [wait, wait, deliver, wait]) kept.push(await recordDecision(ledger, REPO, SHA, decision));
      assert.equal(await recordDecision(ledger, REPO, OTHER_SHA, wait), true);
      assert.deepEqual(kept, [true, false, true, true]);
      assert.deepEqual(
        (await decisionsOf(ledger, REPO, SHA)).map(({ action, because }) => ({ action, because })),
        [wait, deliver, wait],
      );
    });
  });
});

describe("Branch heads in the ledger", () => {
  eachLedger((_name, open) => {
    it("stay known after the ref has moved, and each is reported as new once", async () => {
      const ledger = await withRepo(await open());
      const main = { ref: "refs/heads/main", sha: SHA };
      const tag = { ref: "refs/tags/v1", sha: SHA };
      assert.deepEqual(await recordHeads(ledger, REPO, [main, tag]), [main, tag]);
      const moved = { ...main, sha: OTHER_SHA };
      assert.deepEqual(await recordHeads(ledger, REPO, [moved, tag]), [moved]);
      assert.equal(await wasEverHead(ledger, REPO, SHA), true);
      assert.equal(await wasEverHead(ledger, REPO, "c".repeat(40)), false);
      assert.deepEqual(
        (await headsOf(ledger, REPO, SHA)).map((head) => head.ref),
        ["refs/heads/main", "refs/tags/v1"],
      );
      assert.deepEqual(await recordHeads(ledger, REPO, []), []);
    });
  });
});
