import assert from "node:assert/strict";
import { ensureDelivery } from "../../../src/ledger/deliveries.ts";
import { endRunning } from "../../../workers/deliver/end-running.ts";
import { type Lease, ShuttingDown } from "../../../workers/deliver/lease.ts";
import type { Running } from "../../../workers/deliver/under-lease.ts";
import { useLedger } from "../../support/databases/ledgers.ts";

const HOUR_MS = 3_600_000;

describe("A process that is told to stop", () => {
  const suite = useLedger();

  it("gives an attempt begun ahead the grace if its CI is green by now, and hands back one whose CI still runs", async () => {
    const [green, pending] = [await attempt("queued", "a"), await attempt("waiting", "b")];
    const ended = aborted(pending.lease);
    await endRunning(suite, running([], [green, pending]), { grace: HOUR_MS, ended });
    assert.ok(pending.lease.signal.reason instanceof ShuttingDown);
    assert.equal(green.lease.signal.aborted, false);
  });

  it("hands back what still runs when the grace is over, however it was begun", async () => {
    const [own, green] = [await attempt("building", "c"), await attempt("queued", "d")];
    const ended = Promise.all([aborted(own.lease), aborted(green.lease)]);
    await endRunning(suite, running([own], [green]), { grace: 1, ended });
    assert.ok(own.lease.signal.reason instanceof ShuttingDown);
    assert.ok(green.lease.signal.reason instanceof ShuttingDown);
  });

  it("hands back every attempt begun ahead if the ledger does not answer", async () => {
    const green = await attempt("queued", "e");
    const away = Object.create(suite.ledger, {
      db: {
        get: () => {
          throw new Error("the ledger is away");
        },
      },
    });
    await endRunning({ ledger: away }, running([], [green]), { grace: HOUR_MS, ended: aborted(green.lease) });
    assert.ok(green.lease.signal.reason instanceof ShuttingDown);
  });

  async function attempt(state: "queued" | "waiting" | "building", digit: string) {
    const facts = { ref: null, because: "", message: "", author: "", committedAt: null };
    const sha = digit.repeat(40);
    const { id } = await ensureDelivery(suite.ledger, "github:1", sha, { ...facts, state });
    return { delivery: id, lease: fakeLease() };
  }
});

function fakeLease(): Lease {
  const controller = new AbortController();
  return {
    fence: 1,
    attempt: 1,
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    stop: () => {},
  };
}

function aborted({ signal }: Lease): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

type Attempts = Parameters<Running["add"]>[0][];

function running(delivering: Attempts, preparing: Attempts) {
  return { delivering: new Set(delivering), preparing: new Set(preparing) };
}
