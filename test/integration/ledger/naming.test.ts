import assert from "node:assert/strict";
import type { Naming } from "../../../src/delivery/naming.ts";
import type { DeliveryState } from "../../../src/delivery/types.ts";
import { beginNaming } from "../../../src/ledger/begin-naming.ts";
import { requestCancel, settleCancelled } from "../../../src/ledger/cancel.ts";
import { ensureDelivery, getDelivery, setState } from "../../../src/ledger/deliveries.ts";
import {
  clearDueEvaluation,
  clearDuePreparation,
  dueEvaluations,
  duePreparations,
} from "../../../src/ledger/due-deliveries.ts";
import { addHints, pendingHintsOf } from "../../../src/ledger/hints.ts";
import { claimDelivery, claimToPrepare, dueDeliveries, finishAttempt, renewLease } from "../../../src/ledger/leases.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { commitsInProgress, releasedVersions } from "../../../src/ledger/released-commits.ts";
import { haveRefsMovedSince, markHintsSeen } from "../../../src/ledger/watermark.ts";
import { acmeApi, eachLedger, REPO, SHA, withRepo } from "../../support/databases/ledgers.ts";

const naming: Naming = {
  repo: { owner: "acme", name: "api" },
  plan: {
    on: { branches: ["main"], tags: [] },
    gate: { ci: "none", required: [], apps: null, settle: 1, timeout: 2 },
    supersede: false,
    lfs: "warn",
    artifacts: [],
    isDefault: true,
  },
  refs: ["refs/heads/main"],
  tags: ["v1.0.0"],
  artifacts: [{ name: "api", kind: "prepared", versions: ["1.0.0"], variant: "", first: "1.0.0", isFirst: true }],
};

describe("A delivery in the ledger", () => {
  eachLedger((_name, open) => {
    let ledger: Ledger;
    let id: string;
    let fence: number;

    beforeEach(async () => {
      ledger = await withRepo(await open());
      const facts = { ref: null, because: "", message: "", author: "", committedAt: 5 };
      id = (await ensureDelivery(ledger, REPO, SHA, { ...facts, state: "queued" })).id;
      fence = (await claimDelivery(ledger, id, "w1", 60_000))?.fence ?? 0;
    });

    it("cannot be cancelled or superseded once its names are being written, and ends as delivered", async () => {
      assert.equal(await beginNaming(ledger, id, fence, naming), "begun");
      assert.deepEqual((await getDelivery(ledger, id))?.naming, naming);
      assert.deepEqual(await commitsInProgress(ledger, REPO), [SHA]);
      for (const to of ["waiting", "cancelled", "superseded", "ignored"] satisfies DeliveryState[])
        for (const under of [{ fence }, {}])
          assert.equal(await setState(ledger, id, { from: ["queued"], to, because: "", ...under }), false);
      assert.equal(await requestCancel(ledger, id, "newer", "superseded"), "naming");
      assert.equal((await getDelivery(ledger, id))?.cancelRequested, false);
      assert.equal(await requestCancel(ledger, id), "naming");
      assert.deepEqual(await renewLease(ledger, id, fence, 60_000), { kind: "held" });
      await finishAttempt(ledger, id, fence, { outcome: "retry" });
      assert.deepEqual(await settleCancelled(ledger), []);
      assert.deepEqual(
        (await dueDeliveries(ledger)).map((one) => one.id),
        [id],
      );
      const again = await claimDelivery(ledger, id, "w2", 60_000);
      const delivered = { from: ["queued"], to: "delivered", because: "" } as const;
      assert.equal(await setState(ledger, id, { ...delivered, fence: again?.fence, evaluateIn: 0 }), true);
      const ended = await getDelivery(ledger, id);
      assert.deepEqual([ended?.naming, ended?.cancelRequested], [null, false]);
      assert.deepEqual(
        (await dueEvaluations(ledger, 10)).map((one) => one.id),
        [id],
      );
      await clearDueEvaluation(ledger, { id, lookAt: (ended?.lookAt ?? 0) - 1 });
      assert.equal((await dueEvaluations(ledger, 10)).length, 1, "another look fell due meanwhile");
      if (ended) await clearDueEvaluation(ledger, ended);
      assert.deepEqual(await dueEvaluations(ledger, 10), []);
    });

    it("enters the naming phase only under its own fence, and not after it was cancelled", async () => {
      assert.equal(await beginNaming(ledger, id, fence - 1, naming), "stale");
      assert.equal(await requestCancel(ledger, id, "newer", "superseded"), "requested");
      assert.equal(await beginNaming(ledger, id, fence, naming), "superseded");
      assert.equal((await getDelivery(ledger, id))?.naming, null);
    });

    it("marks only those hints done that its attempt has seen", async () => {
      const told = (ref: string | null) =>
        addHints(ledger, [{ repo: acmeApi, event: "push", deliveryId: "", ref, sha: SHA }]);
      const [first = 0] = await told(null);
      const reading = { lastHintId: first, refsReadAt: Number.MAX_SAFE_INTEGER };
      assert.equal(await haveRefsMovedSince(ledger, REPO, naming.refs, reading), false);
      const [second] = await told("refs/heads/main");
      await markHintsSeen(ledger, { repoId: REPO, sha: SHA }, reading);
      assert.deepEqual(
        (await pendingHintsOf(ledger, REPO, { sha: SHA })).map((hint) => hint.id),
        [second],
      );
      assert.equal(await haveRefsMovedSince(ledger, REPO, naming.refs, reading), true);
      assert.equal(await haveRefsMovedSince(ledger, REPO, [], reading), false);
      assert.deepEqual(await releasedVersions(ledger, { repoId: REPO, artifact: "api" }, [SHA]), new Map());
    });

    it("is listed for preparation while it waits, until a worker has tried", async () => {
      await setState(ledger, id, { from: ["queued"], to: "waiting", because: "", revokeLease: true, mayPrepare: true });
      assert.deepEqual(await duePreparations(ledger, 10), [id]);
      const ahead = await claimToPrepare(ledger, id, "w3", 60_000);
      assert.deepEqual(await duePreparations(ledger, 10), []);
      await finishAttempt(ledger, id, ahead?.fence ?? 0, { outcome: "prepared" });
      await clearDuePreparation(ledger, id);
      assert.deepEqual(await duePreparations(ledger, 10), []);
    });
  });
});
