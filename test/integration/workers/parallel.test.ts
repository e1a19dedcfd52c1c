import assert from "node:assert/strict";
import { stringify } from "yaml";
import type { Builder, FilesOrder } from "../../../src/builders/builder.ts";
import { requestCancel } from "../../../src/ledger/cancel.ts";
import { findDelivery, getDelivery } from "../../../src/ledger/deliveries.ts";
import { attemptsOf, nextDueDelivery } from "../../../src/ledger/leases.ts";
import { readLog } from "../../../src/ledger/logs.ts";
import type { Run } from "../../../src/run/run.ts";
import { deliverNext } from "../../../workers/deliver/deliver.ts";
import { prepareAhead } from "../../../workers/deliver/prepare-ahead.ts";
import { evaluate } from "../../../workers/evaluate/evaluate.ts";
import { REPO } from "../../support/databases/ledgers.ts";
import { until } from "../../support/processes/process.ts";
import { startStation, type TestStation } from "./station.ts";

const forever = new AbortController().signal;

/** Artifacts of plain files, whose builds may use so many CPUs. */
function pipeline(cpus: Record<string, number>): string {
  const artifacts = Object.entries(cpus).map(([name, cpus]) => {
    const build = { image: "scratch", run: ["true"], cpus };
    return { name, kind: "file", build, files: "*", publish: [{ to: "files" }] };
  });
  return stringify({ version: 1, ci: "none", artifacts });
}

describe("A worker with two build slots", function () {
  this.timeout(60_000);
  let at: TestStation;
  let id: string;
  /** The builds under way now. */
  let inside: Set<string>;

  beforeEach(async () => {
    at = await startStation();
    inside = new Set();
  });
  afterEach(() => at.close());

  /** A commit whose delivery is queued. */
  async function queued(cpus: Record<string, number>): Promise<void> {
    const sha = await at.repo.commit({ ".deliverd.yml": pipeline(cpus) });
    await evaluate(at.station, { repo: REPO, sha, ref: null });
    id = (await findDelivery(at.station.ledger, REPO, sha))?.id ?? "";
  }

  /** What each build does before it is built as ever. */
  function builds(doing: (name: string, run: Run) => Promise<void>): void {
    const { files } = at.station.builders;
    const watched: Builder<FilesOrder> = {
      async build(order, run) {
        inside.add(order.artifact.name);
        try {
          run.log.line("begun");
          await doing(order.artifact.name, run);
          return await files.build(order, run);
        } finally {
          inside.delete(order.artifact.name);
        }
      },
    };
    at.station.builders.files = watched;
  }
  const endless = ({ signal }: Run) =>
    new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const log = async () => (await readLog(at.station.ledger, id)).map(({ text }) => text).join("");

  it("builds two artifacts of one commit side by side, and alone one that takes both slots", async () => {
    const beside: Record<string, string[]> = {};
    let met = false;
    builds(async (name) => {
      // The one that sees it first may be gone before the other looks.
      const haveMet = () => {
        met ||= inside.size === 2;
        return met;
      };
      if (name !== "heavy") await until("both builds run", haveMet);
      beside[name] = [...inside].filter((other) => other !== name);
    });
    await queued({ left: 1, right: 1, heavy: 7 });
    await deliverNext(at.station, new Set());
    assert.equal((await getDelivery(at.station.ledger, id))?.state, "delivered");
    assert.deepEqual(beside.heavy, []);
    assert.ok(beside.left?.includes("right") || beside.right?.includes("left"));
    const lines = (await log()).split("\n");
    for (const name of ["left", "right", "heavy"]) assert.ok(lines.includes(`${name} | begun`));
    assert.ok(lines.includes("heavy: waits until other builds have made room"));
    assert.ok(at.station.buildSlots.fits(2), "all of it is given back");
  });

  it("keeps the lease of a delivery that waits for a slot, and ends it when a person cancels it", async () => {
    const giveBack = await at.station.buildSlots.take(2, forever);
    await queued({ tool: 1 });
    const over = deliverNext(at.station, new Set());
    await until("the delivery waits for a slot", () => !at.station.buildSlots.fits(0));
    assert.equal(await nextDueDelivery(at.station.ledger), null);
    assert.equal(await requestCancel(at.station.ledger, id), "requested");
    await over;
    assert.equal((await getDelivery(at.station.ledger, id))?.state, "cancelled");
    giveBack();
    assert.ok(at.station.buildSlots.fits(2));
    assert.deepEqual(at.built, []);
  });

  it("stops a preparation ahead as soon as green work needs its slots, and resumes it later", async () => {
    let mayEnd = false;
    builds((_name, run) => (mayEnd ? Promise.resolve() : endless(run)));
    await queued({ tool: 1 });
    await at.station.ledger.db.updateTable("deliveries").set({ state: "waiting" }).execute();
    const over = prepareAhead(at.station, id, new Set());
    await until("it builds", () => inside.size === 1);
    const giveBack = await at.station.buildSlots.take(1, forever);
    assert.equal(inside.size, 1, "there is room for both");
    const other = await at.station.buildSlots.take(1, forever);
    await over;
    assert.equal((await attemptsOf(at.station.ledger, id)).at(-1)?.outcome, "handed-back");

    await prepareAhead(at.station, id, new Set());
    assert.equal((await attemptsOf(at.station.ledger, id)).length, 1, "there is no room to try");
    giveBack();
    mayEnd = true;
    await prepareAhead(at.station, id, new Set());
    assert.equal((await attemptsOf(at.station.ledger, id)).at(-1)?.outcome, "prepared");
    other();
    assert.ok(at.station.buildSlots.fits(2));
  });
});
