import assert from "node:assert/strict";
import { evidenceOf } from "../../../src/delivery/proof/evidence.ts";
import type { Gate } from "../../../src/delivery/types.ts";
import { type Delivery, ensureDelivery, setState } from "../../../src/ledger/deliveries.ts";
import { addHints } from "../../../src/ledger/hints.ts";
import { claimDelivery, claimToPrepare, finishAttempt } from "../../../src/ledger/leases.ts";
import { storeTime } from "../../../src/ledger/sql.ts";
import { recentEvidence, recordGreen } from "../../../workers/commit/recent-green.ts";
import { acmeApi, REPO, SHA } from "../../support/databases/ledgers.ts";
import { startStation, type TestStation } from "./station.ts";

const GATE: Gate = { ci: "required", required: ["test"], apps: null, settle: 0, timeout: 1 };
const EVIDENCE = evidenceOf({ because: "required check test passed" }, GATE, ["main"], 0);
const HOUR = 3_600_000;

describe("The second check of CI, when an attempt begins,", () => {
  let test: TestStation;
  let delivery: Delivery;

  beforeEach(async () => {
    test = await startStation();
    const facts = { because: "", message: "", author: "", ref: "refs/heads/main", committedAt: 0 };
    delivery = await ensureDelivery(test.station.ledger, REPO, SHA, { ...facts, state: "waiting" });
  });
  afterEach(() => test.close());

  const now = () => storeTime(test.station.ledger);
  /** A green gate of an evaluation that began at this time, before any hint. */
  const at = (refsReadAt: number) => ({ seen: { lastHintId: 0, refsReadAt }, evidence: EVIDENCE });
  /** Ends with its bytes frozen. */
  async function preparedAhead(): Promise<void> {
    const { ledger } = test.station;
    const claimed = await claimToPrepare(ledger, delivery.id, "one", HOUR);
    await finishAttempt(ledger, delivery.id, claimed?.fence ?? 0, { outcome: "prepared" });
  }
  /** @returns whether the attempt that begins now may rest on the last look */
  async function mayRest(): Promise<boolean> {
    const { ledger } = test.station;
    await setState(ledger, delivery.id, { from: ["waiting"], to: "queued", because: "green" });
    const claimed = await claimDelivery(ledger, delivery.id, "one", HOUR);
    return (await recentEvidence(test.station, delivery, claimed?.fence ?? 0)) === EVIDENCE;
  }

  it("is skipped if everything was frozen before the last green evaluation began to read", async () => {
    await preparedAhead();
    recordGreen(test.station, REPO, SHA, at((await now()) + 1));
    assert.equal(await mayRest(), true);
  });

  it("is made if something was frozen while that evaluation read", async () => {
    const began = await now();
    await preparedAhead();
    recordGreen(test.station, REPO, SHA, at(began));
    assert.equal(await mayRest(), false);
  });

  it("is made if nothing was prepared, or if this process has not seen green CI", async () => {
    recordGreen(test.station, REPO, SHA, at((await now()) + 1));
    assert.equal(await mayRest(), false);
    recordGreen(test.station, REPO, "b".repeat(40), at((await now()) + 1));
    assert.equal(await recentEvidence(test.station, { ...delivery, sha: "c".repeat(40) }, 1), null);
  });

  it("is made if that evaluation is some seconds old", async () => {
    await preparedAhead();
    recordGreen(test.station, REPO, SHA, at((await now()) - 5_001));
    assert.equal(await mayRest(), false);
  });

  it("is made if a hint about the commit came since that evaluation began: its CI may be red by now", async () => {
    await preparedAhead();
    recordGreen(test.station, REPO, SHA, at((await now()) + 1));
    await addHints(test.station.ledger, [
      { repo: acmeApi, event: "check_run completed", deliveryId: "1", ref: null, sha: SHA },
    ]);
    assert.equal(await mayRest(), false);
  });
});
