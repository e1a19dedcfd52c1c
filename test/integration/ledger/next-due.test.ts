import assert from "node:assert/strict";
import { sql } from "kysely";
import type { DeliveryState } from "../../../src/delivery/types.ts";
import { requestCancel } from "../../../src/ledger/cancel.ts";
import { ensureDelivery, setState } from "../../../src/ledger/deliveries.ts";
import { claimDelivery, claimToPrepare, finishAttempt, nextDueDelivery } from "../../../src/ledger/leases.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { saveRepos } from "../../../src/ledger/repos.ts";
import { acmeApi, eachLedger } from "../../support/databases/ledgers.ts";

const TTL = 60_000;

describe("The next due delivery in the ledger", () => {
  eachLedger((name, open) => {
    let ledger: Ledger;
    let count: number;

    beforeEach(async () => {
      ledger = await open();
      count = 0;
      const repos = ["busy", "quiet"].map((repo) => ({ ...acmeApi, id: `github:${repo}`, name: repo }));
      await ledger.transaction((tx) => saveRepos(tx, repos));
    });

    /** Each is younger than the one before. */
    async function delivery(repo: "busy" | "quiet", state: DeliveryState = "queued", ref = "refs/heads/main") {
      const sha = String(++count).padStart(40, "0");
      const facts = { ref, state, because: "", message: "", author: "", committedAt: null };
      const { id } = await ensureDelivery(ledger, `github:${repo}`, sha, facts);
      await ledger.db.updateTable("deliveries").set({ createdAt: count }).where("id", "=", id).execute();
      return id;
    }
    /** Takes what is next, as a worker does. */
    async function take(): Promise<string | null> {
      const id = (await nextDueDelivery(ledger))?.id ?? null;
      if (id !== null) assert.ok(await claimDelivery(ledger, id, "w1", TTL), "what is next can be claimed");
      return id;
    }

    it("is none if none is due", async () => {
      for (const state of ["waiting", "delivered", "failed", "ignored"] as const) await delivery("busy", state);
      const later = await delivery("busy");
      const { fence } = (await claimDelivery(ledger, later, "w1", TTL)) ?? { fence: 0 };
      assert.equal(await nextDueDelivery(ledger), null, "another has it");
      await finishAttempt(ledger, later, fence, { outcome: "retry", retryIn: TTL });
      assert.equal(await nextDueDelivery(ledger), null, "it is to be tried again later");
      const ended = await delivery("busy");
      await requestCancel(ledger, ended);
      assert.equal(await nextDueDelivery(ledger), null, "it was cancelled");
    });

    it("belongs to the repo without running deliveries, however many another repo has waiting", async () => {
      const busy: string[] = [];
      for (let time = 0; time < 5; time++) busy.push(await delivery("busy"));
      assert.equal(await take(), busy[4], "far behind: the newest first");
      const quiet = await delivery("quiet");
      assert.equal(await take(), quiet);
      assert.equal(await take(), busy[3]);
    });

    it("belongs to the repo that waited longest if both run equally many, and preparing does not count", async () => {
      const [first, second, third] = [await delivery("busy"), await delivery("busy"), await delivery("quiet")];
      const ahead = await delivery("quiet", "waiting");
      await claimToPrepare(ledger, ahead, "w1", TTL);
      assert.equal(await take(), first);
      await setState(ledger, first, { from: ["queued"], to: "delivered", because: "" });
      assert.equal(await take(), third);
      await setState(ledger, third, { from: ["queued"], to: "delivered", because: "" });
      assert.equal(await take(), second);
    });

    it("is taken by one of many workers, and together they deliver all", async () => {
      const all: string[] = [];
      for (let time = 0; time < 12; time++) all.push(await delivery(time % 3 === 0 ? "quiet" : "busy"));
      const delivered: string[] = [];
      const work = async (worker: Ledger, owner: string) => {
        const next = async () => (await nextDueDelivery(worker))?.id ?? null;
        for (let id = await next(); id !== null; id = await next()) {
          const claimed = await claimDelivery(worker, id, owner, TTL);
          if (claimed === null) continue;
          delivered.push(id);
          const { fence } = claimed;
          assert.ok(await setState(worker, id, { from: ["queued"], to: "delivered", because: "", fence }));
          await finishAttempt(worker, id, fence, { outcome: "done" });
        }
      };
      const workers = [ledger, await open(), await open(), await open()];
      await Promise.all(workers.map((worker, at) => work(worker, `w${at}`)));
      assert.deepEqual(delivered.sort(), all.sort());
    });

    it("may be one that is retried, after its delay", async () => {
      const id = await delivery("busy");
      const { fence } = (await claimDelivery(ledger, id, "w1", TTL)) ?? { fence: 0 };
      await finishAttempt(ledger, id, fence, { outcome: "retry", retryIn: TTL });
      assert.equal(await take(), null);
      await ledger.db.updateTable("deliveries").set({ retryAt: 1 }).execute();
      assert.equal(await take(), id);
    });

    it("may be one whose worker died, after its lease has expired", async () => {
      const id = await delivery("busy");
      assert.equal(await take(), id);
      assert.equal(await take(), null);
      await ledger.db.updateTable("deliveries").set({ leaseUntil: 1 }).execute();
      assert.equal(await take(), id);
    });

    it("is found without reading finished deliveries", async () => {
      await delivery("busy");
      const many = Array.from({ length: 20_000 }, (_, at) => at);
      for (let from = 0; from < many.length; from += 1_000) {
        const rows = many.slice(from, from + 1_000).map((at) => {
          const ended = { state: "delivered" as const, because: "", message: "", author: "", ref: "refs/heads/main" };
          return { ...ended, id: `old-${at}`, repoId: "github:busy", sha: `old-${at}`, createdAt: at, updatedAt: at };
        });
        await ledger.db.insertInto("deliveries").values(rows).execute();
      }
      await sql`analyze`.execute(ledger.db);
      const plan = await explained(ledger, name);
      assert.match(plan, /deliveries_active/);
      assert.doesNotMatch(
        plan,
        name === "SQLite" ? /SCAN deliveries(?! USING INDEX deliveries_active)/ : /Seq Scan on deliveries/,
      );
    });
  });
});

/** How the database goes about it, in its own words. */
async function explained(ledger: Ledger, name: string): Promise<string> {
  const asked: string[] = [];
  const db = ledger.db.withPlugin({
    transformQuery: ({ node }) => {
      asked.push(ledger.db.getExecutor().compileQuery(node, { queryId: "explained" }).sql);
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  await nextDueDelivery({ ...ledger, db });
  const { rows } = await sql
    .raw(`${name === "SQLite" ? "explain query plan" : "explain"} ${asked[0]}`)
    .execute(ledger.db);
  return JSON.stringify(rows);
}
