import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { addHints } from "../../../src/ledger/hints.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { acmeApi, eachLedger, type Place } from "../../support/databases/ledgers.ts";
import { until } from "../../support/processes/process.ts";

const WRITER = fileURLToPath(new URL("writer.ts", import.meta.url));

interface Writer {
  child: ChildProcess;
  /** The batches it has acknowledged. */
  acknowledged(): string[];
  errors(): string;
}

function startWriter(place: Place, name: string, batches = "Infinity"): Writer {
  const child = spawn(process.execPath, ["--import=tsx", WRITER, JSON.stringify(place), name, batches]);
  let out = "";
  let errors = "";
  child.stdout.on("data", (chunk) => {
    out += chunk;
  });
  child.stderr.on("data", (chunk) => {
    errors += chunk;
  });
  return { child, acknowledged: () => out.split("\n").slice(0, -1), errors: () => errors };
}

/** How many hints there are of each batch. */
async function kept(ledger: Ledger): Promise<Map<string, number>> {
  const rows = await ledger.db
    .selectFrom("hints")
    .select((eb) => ["deliveryId", eb.fn.countAll<number>().as("n")])
    .groupBy("deliveryId")
    .execute();
  return new Map(rows.map((row) => [row.deliveryId, row.n]));
}

describe("Several processes on one ledger", () => {
  eachLedger((_name, open, place) => {
    it("lose nothing acknowledged and store no partial batch when they are killed", async () => {
      const ledger = await open();
      const acknowledged: string[] = [];
      for (const name of ["a", "b", "c"]) {
        const writer = startWriter(place(), name);
        try {
          await until("it has written", () => writer.acknowledged().length > 20);
        } finally {
          const gone = once(writer.child, "close");
          writer.child.kill("SIGKILL");
          await gone;
        }
        acknowledged.push(...writer.acknowledged());
      }
      const batches = await kept(ledger);
      assert.deepEqual(
        acknowledged.filter((batch) => !batches.has(batch)),
        [],
      );
      assert.deepEqual(new Set(batches.values()), new Set([20]));
    });

    it("write at the same time without lock errors, and without blocking their event loops", async () => {
      const ledger = await open();
      const writers = ["a", "b"].map((name) => startWriter(place(), name, "100"));
      const ended = Promise.all(writers.map((writer) => once(writer.child, "close")));
      let longest = 0;
      let last = performance.now();
      const ticks = setInterval(() => {
        longest = Math.max(longest, performance.now() - last);
        last = performance.now();
      }, 5);
      try {
        await until("both write", () => writers.every((writer) => writer.acknowledged().length > 0));
        for (let n = 0; n < 100; n++) {
          await addHints(ledger, [{ repo: acmeApi, event: "push", deliveryId: `here-${n}`, ref: null, sha: null }]);
        }
        await ended;
      } finally {
        clearInterval(ticks);
        for (const { child } of writers) child.kill("SIGKILL");
      }
      assert.deepEqual(
        writers.map((writer) => [writer.acknowledged().length, writer.errors()]),
        [
          [100, ""],
          [100, ""],
        ],
      );
      assert.equal((await kept(ledger)).size, 300);
      assert.ok(longest < 1_000, `the event loop stood still for ${longest} ms`);
    });
  });
});
