import assert from "node:assert/strict";
import fc from "fast-check";
import { sql } from "kysely";
import { checkParameters } from "../../../src/ledger/database/parameters.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { eachLedger } from "../../support/databases/ledgers.ts";

describe("A value that is bound to a statement", () => {
  const refused: [string, unknown][] = [
    ["undefined", undefined],
    ["an object", { a: 1 }],
    ["an array", ["a"]],
    ["bytes", new Uint8Array([1])],
    ["a buffer", Buffer.from("a")],
    ["a date", new Date()],
    ["a symbol", Symbol("a")],
    ["NaN", Number.NaN],
    ["a fraction", 1.5],
    ["a number above 2^53", 2 ** 53],
    ["an integer above 64 bits", 2n ** 63n],
    ["text with NUL", "a\0b"],
  ];

  eachLedger((_name, open) => {
    for (const [what, value] of refused) {
      it(`is never ${what}: a TypeError names the parameter, and the process lives on`, async () => {
        const ledger = await open();
        await assert.rejects(sql`select ${"x"} as a, ${value} as b`.execute(ledger.db), (error) => {
          assert.ok(error instanceof TypeError);
          assert.match(error.message, /parameter 2 of "select/);
          return true;
        });
        await ledger.ping();
      });
    }

    it("is read back unchanged: text without NUL, whole numbers, null; booleans as 0 or 1", async () => {
      const ledger = await open();
      const text = fc.string({ unit: "binary" }).filter((each) => !each.includes("\0"));
      await fc.assert(
        fc.asyncProperty(text, fc.maxSafeInteger(), async (string, number) => {
          assert.deepEqual(await echo(ledger, string, number), { string, number });
        }),
        { numRuns: 50 },
      );
      assert.deepEqual(await echo(ledger, null, null), { string: null, number: null });
      assert.deepEqual(await echo(ledger, "", true), { string: "", number: 1 });
      assert.deepEqual(await echo(ledger, "", false), { string: "", number: 0 });
    });
  });

  it("is never shown in the error", () => {
    assert.throws(
      () => checkParameters(["s3cret\0"], "select $1"),
      (error) => error instanceof TypeError && !error.message.includes("s3cret"),
    );
  });
});

async function echo(ledger: Ledger, string: unknown, number: unknown) {
  const { rows } = await sql`select cast(${string} as text) as string, cast(${number} as bigint) as number`.execute(
    ledger.db,
  );
  return rows[0];
}
