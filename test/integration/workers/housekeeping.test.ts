import assert from "node:assert/strict";
import { join } from "node:path";
import { Readable } from "node:stream";
import type { DiskItem } from "../../../src/delivery/disk-budget.ts";
import { Mirrors } from "../../../src/git/mirrors.ts";
import { openLedger } from "../../../src/ledger/ledger.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { Store } from "../../../src/store/store.ts";
import { runHousekeeping } from "../../../workers/sweep/housekeeping.ts";
import { tempDir } from "../../support/processes/process.ts";

const DAY = 24 * 60 * 60_000;
const now = Date.now();

describe("Housekeeping", () => {
  /** Keeps house where these caches stand beside 100 bytes in the store. @returns what went */
  async function keep(max: number, caches: DiskItem[], list = async () => caches): Promise<string[]> {
    const dir = await tempDir();
    const ledger = await openLedger({ dataDir: dir.path });
    try {
      const store = new Store(join(dir.path, "store"));
      await store.write(Readable.from([Buffer.alloc(100)]), { maxBytes: 100 });
      const removed: string[] = [];
      const remove = async (name: string) => removed.push(name) > 0;
      const mirrors = new Mirrors(join(dir.path, "mirrors"));
      const clock = { now: () => now };
      const parts = { config: { disk: { max } }, ledger, store, mirrors, clock, log: silentLog, storeId: "s" };
      const engine = { caches: { list, remove }, removeLeftovers: async () => {} };
      await runHousekeeping({ ...parts, engine });
      mirrors.close();
      return removed;
    } finally {
      await ledger.close();
      await dir.remove();
    }
  }
  const cache = (name: string, bytes: number, age: number): DiskItem => ({ name, bytes, usedAt: now - age });

  it("counts build caches against the disk budget, and deletes the oldest first", async () => {
    const caches = [cache("new", 50, 2 * DAY), cache("old", 50, 5 * DAY), cache("young", 900, 60_000)];
    assert.deepEqual(await keep(1_100, caches), []);
    assert.deepEqual(await keep(1_050, caches), ["old"]);
    assert.deepEqual(await keep(10, caches), ["old", "new"]);
  });

  it("deletes a cache that was not used for 30 days, however much room there is", async () => {
    assert.deepEqual(await keep(1e9, [cache("a", 1, 31 * DAY), cache("b", 1, 29 * DAY)]), ["a"]);
  });

  it("continues without an engine", async () => {
    assert.deepEqual(await keep(10, [], () => Promise.reject(new Error("no engine"))), []);
  });
});
