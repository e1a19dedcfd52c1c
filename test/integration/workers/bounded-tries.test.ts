import assert from "node:assert/strict";
import { stringify } from "yaml";
import { TransientError } from "../../../src/delivery/errors.ts";
import { findDelivery } from "../../../src/ledger/deliveries.ts";
import { attemptsOf } from "../../../src/ledger/leases.ts";
import { deliverNext } from "../../../workers/deliver/deliver.ts";
import { evaluate } from "../../../workers/evaluate/evaluate.ts";
import { REPO } from "../../support/databases/ledgers.ts";
import { startStation, type TestStation } from "./station.ts";

const PIPELINE = stringify({
  version: 1,
  ci: "none",
  artifacts: [
    { name: "tool", kind: "file", build: { image: "base", run: ["true"] }, files: "*", publish: [{ to: "files" }] },
  ],
});

describe("A delivery whose infrastructure fails", function () {
  this.timeout(60_000);
  let at: TestStation;
  let sha: string;
  beforeEach(async () => {
    at = await startStation();
    sha = await at.repo.commit({ ".deliverd.yml": PIPELINE });
    await evaluate(at.station, { repo: REPO, sha, ref: null });
  });
  afterEach(() => at.close());

  /** One attempt after the other, each at once, while the delivery asks for another. */
  async function attempts(errors: (TransientError | null)[]) {
    const { builders, ledger } = at.station;
    const works = builders.files.build;
    for (const error of errors) {
      builders.files.build = (order, run) => (error === null ? works(order, run) : Promise.reject(error));
      await ledger.db.updateTable("deliveries").set({ retryAt: 0 }).where("retryAt", ">", 0).execute();
      await deliverNext(at.station, new Set());
    }
    const delivery = await findDelivery(ledger, REPO, sha);
    assert.ok(delivery);
    return { ...delivery, tried: (await attemptsOf(ledger, delivery.id)).length };
  }
  const engineFailed = new TransientError("engine-failed", "no network", { tries: 3 });
  const registryDown = new TransientError("registry-unreachable", "no route");

  it("is tried again, and released once the infrastructure works", async () => {
    const { state, tried } = await attempts([engineFailed, engineFailed, null]);
    assert.deepEqual([state, tried], ["delivered", 3]);
  });

  it("is given up after as many tries as its error allows, and says so", async () => {
    const { state, because, tried } = await attempts([engineFailed, engineFailed, engineFailed, null]);
    assert.deepEqual([state, tried], ["failed", 3]);
    assert.equal(because, "given up after 3 tries: no network");
  });

  it("counts only failures of the same code: a registry's outage uses none of the engine's tries", async () => {
    const { state } = await attempts([
      registryDown,
      registryDown,
      registryDown,
      engineFailed,
      registryDown,
      engineFailed,
    ]);
    assert.equal(state, "queued");
  });
});
