import assert from "node:assert/strict";
import fc from "fast-check";
import {
  artifactsOf,
  pinDigest,
  resetArtifact,
  saveArtifacts,
  saveFrozen,
  setArtifactState,
  unpinDigest,
} from "../../../src/ledger/artifacts.ts";
import { ensureDelivery, getDelivery } from "../../../src/ledger/deliveries.ts";
import { holdDuty } from "../../../src/ledger/duties.ts";
import {
  attemptsOf,
  claimDelivery,
  claimToPrepare,
  dueDeliveries,
  finishAttempt,
  recentFailureCodes,
  releaseLeasesOf,
  renewLease,
} from "../../../src/ledger/leases.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { recordLocation } from "../../../src/ledger/locations.ts";
import { recordRelease } from "../../../src/ledger/releases.ts";
import { eachLedger, REPO, SHA, withRepo } from "../../support/databases/ledgers.ts";

const TTL = 60_000;
const ONE = `sha256:${"1".repeat(64)}`;
const TWO = `sha256:${"2".repeat(64)}`;
const content = (digest: string) => ({
  digest,
  mediaType: "application/vnd.oci.image.manifest.v1+json",
  size: 10,
  frozenOn: "store-1",
});

async function queued(ledger: Ledger): Promise<string> {
  const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
  const { id } = await ensureDelivery(await withRepo(ledger), REPO, SHA, facts);
  await saveArtifacts(ledger, id, [{ name: "api", kind: "image" }]);
  return id;
}

/** As if its time had run out. */
async function expire(ledger: Ledger): Promise<void> {
  await ledger.db.updateTable("deliveries").set({ leaseUntil: 1 }).execute();
}

describe("A lease in the ledger", () => {
  eachLedger((_name, open) => {
    it("is given to one of many connections that try at once", async () => {
      const first = await open();
      const id = await queued(first);
      const ledgers = [first, ...(await Promise.all(Array.from({ length: 5 }, open)))];
      const claims = await Promise.all(ledgers.map((ledger, i) => claimDelivery(ledger, id, `w${i}`, TTL)));
      assert.equal(claims.filter((each) => each !== null).length, 1);
      assert.deepEqual(
        claims.find((each) => each !== null),
        { fence: 1, attempt: 1 },
      );
      assert.equal((await attemptsOf(first, id)).length, 1);
    });

    it("is given to another with a higher fence after it expired, and the first holder learns that", async () => {
      const ledger = await open();
      const id = await queued(ledger);
      const first = await claimDelivery(ledger, id, "w1", TTL);
      assert.ok(first);
      assert.equal(await claimDelivery(ledger, id, "w2", TTL), null);
      await expire(ledger);
      const second = await claimDelivery(ledger, id, "w2", TTL);
      assert.ok(second && second.fence > first.fence);
      assert.deepEqual(await renewLease(ledger, id, first.fence, TTL), { kind: "lost" });
      assert.deepEqual(await renewLease(ledger, id, second.fence, TTL), { kind: "held" });
      assert.equal(await finishAttempt(ledger, id, first.fence, { outcome: "done" }), false);
      assert.equal(await claimDelivery(ledger, id, "w3", TTL), null, "the loser's end frees nothing");
    });

    it("that was released is not given again before the retry is due", async () => {
      const ledger = await open();
      const id = await queued(ledger);
      const first = await claimDelivery(ledger, id, "w1", TTL);
      assert.ok(first);
      assert.equal(
        await finishAttempt(ledger, id, first.fence, {
          outcome: "retry",
          errorCode: "engine-gone",
          message: "m",
          retryIn: TTL,
        }),
        true,
      );
      assert.equal(await claimDelivery(ledger, id, "w1", TTL), null);
      assert.deepEqual(await dueDeliveries(ledger), []);
      await ledger.db.updateTable("deliveries").set({ retryAt: 1 }).execute();
      assert.deepEqual(
        (await dueDeliveries(ledger)).map((delivery) => delivery.id),
        [id],
      );
      assert.deepEqual(await claimDelivery(ledger, id, "w1", TTL), { fence: 2, attempt: 2 });
    });

    it("records every attempt, also those that were interrupted", async () => {
      const ledger = await open();
      const id = await queued(ledger);
      await claimDelivery(ledger, id, "w1", TTL);
      await expire(ledger);
      const second = await claimDelivery(ledger, id, "w2", TTL);
      assert.ok(second);
      await finishAttempt(ledger, id, second.fence, {
        outcome: "failed",
        errorCode: "build-failed",
        message: "exit 1",
      });
      const attempts = (await attemptsOf(ledger, id)).map(({ number, owner, outcome, errorCode, endedAt }) => [
        number,
        owner,
        outcome,
        errorCode,
        endedAt !== null,
      ]);
      assert.deepEqual(attempts, [
        [1, "w1", "lost", null, true],
        [2, "w2", "failed", "build-failed", true],
      ]);
    });

    it("numbers attempts as they come: one that prepared counts, and a fence that was raised between them does not", async () => {
      const ledger = await open();
      const id = await queued(ledger);
      await ledger.db.updateTable("deliveries").set({ state: "waiting" }).execute();
      const ahead = await claimToPrepare(ledger, id, "w1", TTL);
      assert.ok(ahead);
      await finishAttempt(ledger, id, ahead.fence, { outcome: "prepared" });
      await ledger.db.updateTable("deliveries").set({ state: "queued", fence: 7 }).execute();
      assert.deepEqual(await claimDelivery(ledger, id, "w1", TTL), { fence: 8, attempt: 2 });
      const numbers = async () => (await attemptsOf(ledger, id)).map(({ number, fence }) => [number, fence]);
      assert.deepEqual(await numbers(), [
        [1, 1],
        [2, 8],
      ]);
      await ledger.db.deleteFrom("attempts").where("fence", "=", 1).execute();
      assert.deepEqual(await numbers(), [[2, 8]], "also after housekeeping has deleted the first");
    });

    it("of a process that is known to be dead is released at once, and no other lease", async () => {
      const ledger = await open();
      const id = await queued(ledger);
      await claimDelivery(ledger, id, "host_1/42", TTL);
      assert.deepEqual(await releaseLeasesOf(ledger, "host%1/"), []);
      assert.deepEqual(await releaseLeasesOf(ledger, "host_1/"), [id]);
      assert.ok(await claimDelivery(ledger, id, "host_1/43", TTL));
    });

    it("counts consecutive failures without attempts whose process died", async () => {
      const ledger = await open();
      const id = await queued(ledger);
      const counts: number[] = [(await recentFailureCodes(ledger, id)).length];
      for (const outcome of ["retry", "lost", "retry", "handed-back", "lost", "retry"] as const) {
        const held = await claimDelivery(ledger, id, "w1/1", TTL);
        assert.ok(held);
        if (outcome === "lost") await releaseLeasesOf(ledger, "w1/");
        else await finishAttempt(ledger, id, held.fence, { outcome });
        counts.push((await recentFailureCodes(ledger, id)).length);
      }
      assert.deepEqual(counts, [0, 1, 1, 2, 0, 0, 1]);
    });

    it("of a duty is released at once if its holder is known to be dead", async () => {
      const ledger = await open();
      assert.equal(await holdDuty(ledger, "watch", "dead/1", 60_000), true);
      assert.equal(await holdDuty(ledger, "watch", "alive/1", 60_000), false);
      await releaseLeasesOf(ledger, "dea%/");
      assert.equal(await holdDuty(ledger, "watch", "alive/1", 60_000), false);
      await releaseLeasesOf(ledger, "dead/");
      assert.equal(await holdDuty(ledger, "watch", "alive/1", 60_000), true);
    });

    it("is not given for a delivery that waits or is finished", async () => {
      const ledger = await open();
      const id = await queued(ledger);
      for (const state of ["waiting", "delivered", "failed", "cancelled", "superseded", "ignored"] as const) {
        await ledger.db.updateTable("deliveries").set({ state }).execute();
        assert.equal(await claimDelivery(ledger, id, "w1", TTL), null, state);
      }
    });
  });
});

describe("A digest of a delivery", () => {
  eachLedger((_name, open) => {
    it("is pinned once, and never under a stale fence", async () => {
      const ledger = await open();
      const id = await queued(ledger);
      const first = await claimDelivery(ledger, id, "w1", TTL);
      await expire(ledger);
      const second = await claimDelivery(ledger, id, "w2", TTL);
      assert.ok(first && second);
      assert.equal(await saveFrozen(ledger, id, "api", first.fence, content(ONE)), false);
      assert.deepEqual(await pinDigest(ledger, id, "api", first.fence, content(ONE)), { kind: "stale" });
      assert.equal((await artifactsOf(ledger, id))[0]?.digest, null);
      assert.equal(await setArtifactState(ledger, id, "api", "publishing", "", first.fence), false);

      assert.deepEqual(await pinDigest(ledger, id, "api", second.fence, content(TWO)), { kind: "pinned" });
      assert.deepEqual(await pinDigest(ledger, id, "api", second.fence, content(TWO)), { kind: "same" });
      assert.deepEqual(await pinDigest(ledger, id, "api", second.fence, content(ONE)), { kind: "other", digest: TWO });
      assert.equal(await saveFrozen(ledger, id, "api", second.fence, content(ONE)), false);
      assert.equal((await artifactsOf(ledger, id))[0]?.digest, TWO);
    });

    it("may be replaced until it is pinned, and may later be in another host's store", async () => {
      const ledger = await open();
      const id = await queued(ledger);
      const lease = await claimDelivery(ledger, id, "w1", TTL);
      assert.ok(lease);
      const bases = [{ reference: "debian:12", digest: ONE }];
      assert.equal(await saveFrozen(ledger, id, "api", lease.fence, { ...content(ONE), bases }), true);
      assert.equal(await saveFrozen(ledger, id, "api", lease.fence, content(TWO)), true);
      assert.deepEqual(await pinDigest(ledger, id, "api", lease.fence, content(TWO)), { kind: "pinned" });
      assert.equal(await saveFrozen(ledger, id, "api", lease.fence, { ...content(TWO), frozenOn: "store-2" }), true);
      const [artifact] = await artifactsOf(ledger, id);
      assert.deepEqual(
        [artifact?.digest, artifact?.state, artifact?.frozenOn, artifact?.pinnedFence, artifact?.bases],
        [TWO, "frozen", "store-2", lease.fence, bases],
      );
    });

    it("is the same, in whatever order workers freeze, pin, lose their leases and come back", async () => {
      const ledger = await open();
      const other = await open();
      const id = await queued(ledger);
      const step = fc.record({ worker: fc.nat(2), act: fc.constantFrom("claim", "expire", "freeze", "pin") });
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
          await ledger.db.updateTable("artifacts").set({ digest: null, pinnedFence: null }).execute();
          await expire(ledger);
          const fences = new Map<number, number>();
          const pinned = new Set<string>();
          for (const [i, { worker, act }] of steps.entries()) {
            const on = worker === 0 ? ledger : other;
            const fence = fences.get(worker) ?? 0;
            const digest = `sha256:${worker}-${i}`;
            if (act === "expire") await expire(on);
            else if (act === "claim")
              fences.set(worker, (await claimDelivery(on, id, `w${worker}`, TTL))?.fence ?? fence);
            else if (act === "freeze") await saveFrozen(on, id, "api", fence, content(digest));
            else {
              const holds = (await getDelivery(on, id))?.fence === fence;
              const answer = await pinDigest(on, id, "api", fence, content(digest));
              assert.equal(answer.kind === "stale", !holds);
              if (answer.kind === "pinned") pinned.add(digest);
            }
          }
          assert.ok(pinned.size <= 1, [...pinned].join());
        }),
        { numRuns: 25 },
      );
    });

    it("can be unpinned only while no name points to it", async () => {
      const ledger = await open();
      const id = await queued(ledger);
      const lease = await claimDelivery(ledger, id, "w1", TTL);
      assert.ok(lease);
      await pinDigest(ledger, id, "api", lease.fence, content(ONE));
      assert.equal(await unpinDigest(ledger, id, "api", lease.fence + 1), false);
      assert.equal(await unpinDigest(ledger, id, "api", lease.fence), true);
      assert.deepEqual(await pinDigest(ledger, id, "api", lease.fence, content(TWO)), { kind: "pinned" });
      const name = { registry: "hub", repository: "acme/api", tag: "1.0.0", immutable: true };
      await recordLocation(ledger, {
        ...name,
        deliveryId: id,
        artifact: "api",
        repoId: REPO,
        digest: TWO,
        url: "u",
        pull: "p",
      });
      assert.equal(await unpinDigest(ledger, id, "api", lease.fence), false);
    });

    it("is cleared for the next variant after its release, and not before", async () => {
      const ledger = await open();
      const id = await queued(ledger);
      const lease = await claimDelivery(ledger, id, "w1", TTL);
      assert.ok(lease);
      await pinDigest(ledger, id, "api", lease.fence, content(ONE));
      assert.equal(await resetArtifact(ledger, id, "api", lease.fence), false);
      const { frozenOn: _, ...bytes } = content(ONE);
      await ledger.transaction((tx) =>
        recordRelease(tx, {
          ...bytes,
          ...{ repoId: REPO, sha: SHA, artifact: "api", kind: "image", versions: ["1.0.0"], tagged: [], ref: null },
          ...{ deliveryId: id, fence: lease.fence, committedAt: 1, metadata: {} },
        }),
      );
      assert.equal(await resetArtifact(ledger, id, "api", lease.fence), true);
      assert.deepEqual(await pinDigest(ledger, id, "api", lease.fence, content(TWO)), { kind: "pinned" });
    });
  });
});
