import assert from "node:assert/strict";
import { sql } from "kysely";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { commitsIn, commitsOfRepo } from "../../../src/ledger/short-shas.ts";
import { eachLedger, REPO, withRepo } from "../../support/databases/ledgers.ts";

const COMMITS = 1_024;
const shaOf = (number: number) => `${number.toString(16).padStart(8, "0")}${"0".repeat(32)}`;

describe("a short sha", function () {
  this.timeout(60_000);
  eachLedger((name, open) => {
    let ledger: Ledger;

    beforeEach(async () => {
      ledger = await withRepo(await open());
      const shas = Array.from({ length: COMMITS }, (_, at) => shaOf(at));
      const ended = { state: "delivered" as const, because: "", message: "", author: "", createdAt: 0, updatedAt: 0 };
      const deliveries = shas.map((sha) => ({ ...ended, id: sha.slice(0, 12), repoId: REPO, sha }));
      await ledger.db.insertInto("deliveries").values(deliveries).execute();
      const heads = shas.map((sha) => ({ repoId: REPO, ref: "refs/heads/main", sha, seenAt: 0 }));
      await ledger.db.insertInto("heads").values(heads).execute();
      const decisions = shas.map((sha) => ({ repoId: REPO, sha, at: 0, action: "deliver" as const, because: "" }));
      await ledger.db.insertInto("decisions").values(decisions).execute();
      const hints = shas.map((sha) => ({
        repoId: REPO,
        event: "push",
        deliveryId: "",
        ref: null,
        sha,
        receivedAt: 0,
      }));
      await ledger.db.insertInto("hints").values(hints).execute();
      await sql`analyze`.execute(ledger.db);
    });

    it("finds exactly the commits that begin with it, up to a limit", async () => {
      const found = async (prefix: string) => (await commitsOfRepo(ledger, REPO, prefix, 20)).map(({ sha }) => sha);
      assert.deepEqual(
        await found("000003f"),
        Array.from({ length: 16 }, (_, at) => shaOf(0x3f0 + at)),
      );
      assert.deepEqual(await found("000003fa"), [shaOf(0x3fa)]);
      assert.deepEqual(await found("00003ff"), []);
      assert.equal((await found("0000000")).length, 16);
      assert.equal((await commitsOfRepo(ledger, REPO, "00000", 3)).length, 3);
      assert.deepEqual(await commitsOfRepo(ledger, "github:2", "000003f", 20), []);
    });

    it("is looked up in an index, and no table is read whole", async () => {
      for (const table of ["deliveries", "heads", "hints", "decisions"] as const) {
        const plan = await explained(ledger, name, (db) => commitsIn(db, table, "000003f", 11, REPO));
        assertByIndex(plan);
      }
      for (const table of ["deliveries", "releases"] as const)
        assertByIndex(await explained(ledger, name, (db) => commitsIn(db, table, "000003f", 11)));
    });
  });
});

/** SQLite: `SEARCH … (… sha>? AND sha<?)`. PostgreSQL: `Index Cond: (… sha >= … AND sha < …)`. */
function assertByIndex(plan: string): void {
  assert.match(plan, /sha>\? AND sha<\?|Index Cond: [^"]*sha >= [^"]*sha < /, plan);
  assert.doesNotMatch(plan, /SCAN |Seq Scan/, plan);
}

/** How the database runs the query of `work`. */
async function explained(ledger: Ledger, name: string, work: (db: Ledger) => Promise<unknown>): Promise<string> {
  const asked: { sql: string; parameters: readonly unknown[] }[] = [];
  const db = ledger.db.withPlugin({
    transformQuery: ({ node }) => {
      asked.push(ledger.db.getExecutor().compileQuery(node, { queryId: "explained" }));
      return node;
    },
    transformResult: async ({ result }) => result,
  });
  await work({ ...ledger, db });
  const [query] = asked;
  let number = 0;
  const filled = (query?.sql ?? "").replace(/\?|\$\d+/g, () => literal(query?.parameters[number++]));
  const explain = name === "SQLite" ? "explain query plan" : "explain";
  // A small table is read whole, because that costs less: only a large one needs the index.
  if (name === "PostgreSQL") await sql`set enable_seqscan = off`.execute(ledger.db);
  const { rows } = await sql.raw(`${explain} ${filled}`).execute(ledger.db);
  return JSON.stringify(rows);
}

function literal(value: unknown): string {
  return typeof value === "number" ? String(value) : `'${value}'`;
}
