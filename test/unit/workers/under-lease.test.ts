import assert from "node:assert/strict";
import { TransientError } from "../../../src/delivery/errors.ts";
import type { Lease } from "../../../workers/deliver/lease.ts";
import { type Running, underLease } from "../../../workers/deliver/under-lease.ts";
import { useLedger } from "../../support/databases/ledgers.ts";
import { unitStation } from "../../support/fixtures/station.ts";

describe("the work under a lease", () => {
  const suite = useLedger();

  it("ends with the lease given up, even if the ledger fails before the work begins", async () => {
    const { ledger } = suite;
    const away = new TransientError("ledger-unavailable", "the ledger is away");
    // The first question of all: how long the delivery's log is.
    const failing = Object.create(ledger, {
      db: {
        get: () => {
          throw away;
        },
      },
    });
    let isStopped = false;
    const lease: Lease = {
      fence: 1,
      attempt: 1,
      signal: new AbortController().signal,
      abort: () => {},
      stop: () => {
        isStopped = true;
      },
    };
    const running: Running = new Set();
    const work = async () => assert.fail("there is no log to work with");
    await assert.rejects(underLease(unitStation({ ledger: failing }), "abc", lease, running, work), away);
    assert.ok(isStopped, "a lease that nobody stops is renewed for ever");
    assert.equal(running.size, 0);
  });
});
