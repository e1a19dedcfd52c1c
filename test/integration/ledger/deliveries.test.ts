import assert from "node:assert/strict";
import { deliveryIdOf } from "../../../src/delivery/delivery-id.ts";
import type { DeliveryState } from "../../../src/delivery/types.ts";
import { requestCancel, settleCancelled } from "../../../src/ledger/cancel.ts";
import {
  countDeliveriesByState,
  ensureDelivery,
  findDelivery,
  getDelivery,
  listDeliveries,
  retryDelivery,
  saveVersion,
  setState,
  waitingDeliveries,
} from "../../../src/ledger/deliveries.ts";
import { claimDelivery, dueDeliveries, finishAttempt, renewLease } from "../../../src/ledger/leases.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { eachLedger, OTHER_SHA, REPO, SHA, withRepo } from "../../support/databases/ledgers.ts";

const plan = {
  on: { branches: ["main"], tags: [] },
  gate: { ci: "required" as const, required: [], apps: null, settle: 1, timeout: 2 },
  supersede: false,
  lfs: "warn" as const,
  artifacts: [],
  isDefault: true,
};

describe("Deliveries in the ledger", () => {
  eachLedger((_name, open) => {
    const ensure = (ledger: Ledger, sha = SHA, state: DeliveryState = "queued", ref = "refs/heads/main") =>
      ensureDelivery(ledger, REPO, sha, { ref, state, because: "because", message: "m", author: "a", committedAt: 5 });

    it("exist once per commit, even if many ask at once", async () => {
      const ledgers = [await withRepo(await open()), await open(), await open()];
      const made = await Promise.all(ledgers.map((ledger, i) => ensure(ledger, SHA, "queued", `refs/heads/${i}`)));
      assert.equal(new Set(made.map((delivery) => delivery.id)).size, 1);
      assert.equal(new Set(made.map((delivery) => delivery.ref)).size, 1);
      const [delivery] = made;
      assert.match(delivery?.id ?? "", /^[a-z0-9]{12}$/);
      assert.deepEqual(await findDelivery(ledgers[0] as Ledger, REPO, SHA), delivery);
    });

    it("have an id that follows from the commit, in every ledger", async () => {
      const { id } = await ensure(await withRepo(await open()));
      assert.equal(id, deliveryIdOf(REPO, SHA));
      assert.notEqual(deliveryIdOf(REPO, OTHER_SHA), id);
      assert.notEqual(deliveryIdOf("github:2", SHA), id);
    });

    it("have ids of their own, even if two commits would have the same one", async () => {
      const ledger = await withRepo(await open());
      const fields = { ref: null, state: "queued", because: "", message: "", author: "", committedAt: null } as const;
      const first = await ensureDelivery(ledger, REPO, SHA, { ...fields, id: "aaaaaaaaaaaa" });
      const second = await ensureDelivery(ledger, REPO, OTHER_SHA, { ...fields, id: "aaaaaaaaaaaa" });
      assert.deepEqual([first.id, first.sha, second.sha], ["aaaaaaaaaaaa", SHA, OTHER_SHA]);
      assert.notEqual(second.id, first.id);
      assert.match(second.id, /^[a-z0-9]{12}$/);
      assert.deepEqual(await findDelivery(ledger, REPO, OTHER_SHA), second);
    });

    it("change state only from the allowed states", async () => {
      const ledger = await withRepo(await open());
      const { id } = await ensure(ledger, SHA, "waiting");
      assert.equal(await setState(ledger, id, { from: ["queued"], to: "building", because: "no" }), false);
      assert.equal(
        await setState(ledger, id, { from: ["waiting"], to: "queued", because: "green", plan, ref: "refs/heads/x" }),
        true,
      );
      const queued = await getDelivery(ledger, id);
      assert.deepEqual(
        [queued?.state, queued?.because, queued?.plan, queued?.ref],
        ["queued", "green", plan, "refs/heads/main"],
      );
      await setState(ledger, id, { from: ["queued"], to: "building", because: "" });
      await setState(ledger, id, { from: ["building"], to: "failed", because: "no base" });
      const failed = await getDelivery(ledger, id);
      assert.ok(failed?.startedAt && failed.finishedAt && failed.finishedAt >= failed.startedAt);
    });

    it("are changed by exactly one of many that try at once", async () => {
      const ledger = await withRepo(await open());
      const { id } = await ensure(ledger, SHA, "waiting");
      const others = [ledger, await open(), await open()];
      const moved = await Promise.all(
        others.map((each) => setState(each, id, { from: ["waiting"], to: "queued", because: "" })),
      );
      assert.deepEqual(moved.filter(Boolean), [true]);
    });

    it("keep the version of their first preparation", async () => {
      const ledger = await withRepo(await open());
      const { id } = await ensure(ledger);
      await saveVersion(ledger, id, "1.0.1-1.gaaaaaaa");
      await saveVersion(ledger, id, "2.0.0");
      assert.equal((await getDelivery(ledger, id))?.version, "1.0.1-1.gaaaaaaa");
    });

    it("are listed newest first, page by page, each once", async () => {
      const ledger = await withRepo(await open());
      const shas = Array.from({ length: 7 }, (_, i) => String(i).repeat(40));
      for (const sha of shas) await ensure(ledger, sha);
      // Several of one millisecond, so that the id must decide; the others each of one of its own.
      for (const [i, sha] of shas.entries()) {
        const createdAt = 1_000 + Math.max(0, i - 3);
        await ledger.db.updateTable("deliveries").set({ createdAt }).where("sha", "=", sha).execute();
      }
      const seen: string[] = [];
      let cursor: string | null = null;
      do {
        const page: Awaited<ReturnType<typeof listDeliveries>> = await listDeliveries(ledger, {
          repoId: REPO,
          limit: 3,
          cursor,
        });
        assert.ok(page.items.length <= 3);
        seen.push(...page.items.map((delivery) => delivery.sha));
        cursor = page.next;
      } while (cursor !== null);
      assert.deepEqual(seen.slice(0, 3), shas.slice(4).toReversed());
      assert.deepEqual(seen.toSorted(), shas);
      assert.equal((await listDeliveries(ledger, { state: "failed", limit: 3 })).items.length, 0);
      assert.equal(
        (await listDeliveries(ledger, { sha: "1".repeat(40), limit: 3, cursor: "nonsense" })).items.length,
        1,
      );
    });

    it("are counted by state, and the waiting ones are listed", async () => {
      const ledger = await withRepo(await open());
      await ensure(ledger, SHA, "waiting");
      await ensure(ledger, OTHER_SHA, "ignored");
      const counts = await countDeliveriesByState(ledger);
      assert.deepEqual([counts.waiting, counts.ignored, counts.delivered], [1, 1, 0]);
      assert.deepEqual(
        (await waitingDeliveries(ledger)).map((delivery) => delivery.sha),
        [SHA],
      );
    });

    it("end at once when cancelled if no worker has them", async () => {
      const ledger = await withRepo(await open());
      const { id } = await ensure(ledger, SHA, "waiting");
      assert.equal(await requestCancel(ledger, id), "ended");
      assert.equal(await requestCancel(ledger, id), "too-late");
      assert.equal(await requestCancel(ledger, "no-such-one"), "unknown");
      const delivery = await getDelivery(ledger, id);
      assert.equal(delivery?.state, "cancelled");
      assert.ok(delivery?.finishedAt);
    });

    it("are ended by their worker when cancelled, or by the sweep if the worker is dead", async () => {
      const ledger = await withRepo(await open());
      const { id } = await ensure(ledger);
      const claimed = await claimDelivery(ledger, id, "w1", 60_000);
      assert.ok(claimed);
      assert.equal(await requestCancel(ledger, id), "requested");
      assert.deepEqual(await renewLease(ledger, id, claimed.fence, 60_000), { kind: "stop", end: "cancelled" });
      assert.deepEqual(await settleCancelled(ledger), [], "its worker lives");
      await ledger.db.updateTable("deliveries").set({ leaseUntil: 1 }).execute();
      assert.equal(await claimDelivery(ledger, id, "w2", 60_000), null, "nobody takes it up again");
      assert.deepEqual(await dueDeliveries(ledger), []);
      assert.deepEqual(
        (await settleCancelled(ledger)).map((delivery) => [delivery.id, delivery.state]),
        [[id, "cancelled"]],
      );
      assert.equal(
        (await renewLease(ledger, id, claimed.fence, 60_000)).kind,
        "lost",
        "should the worker live after all, it stops",
      );
    });

    it("lose their lease when they are ended from outside", async () => {
      const ledger = await withRepo(await open());
      const { id } = await ensure(ledger);
      const claimed = await claimDelivery(ledger, id, "w1", 60_000);
      assert.ok(claimed);
      await setState(ledger, id, { from: ["queued"], to: "superseded", because: "newer" });
      assert.equal((await renewLease(ledger, id, claimed.fence, 60_000)).kind, "lost");
      const back = await setState(ledger, id, {
        from: ["superseded"],
        to: "delivered",
        because: "",
        fence: claimed.fence,
      });
      assert.equal(back, false);
    });

    it("can be retried only if they ended without a release, and keep their id and count of attempts", async () => {
      const ledger = await withRepo(await open());
      const { id } = await ensure(ledger);
      const claimed = await claimDelivery(ledger, id, "w1", 60_000);
      assert.ok(claimed);
      assert.equal(await retryDelivery(ledger, id), "impossible");
      await setState(ledger, id, { from: ["queued"], to: "failed", because: "", fence: claimed.fence });
      await finishAttempt(ledger, id, claimed.fence, { outcome: "failed", errorCode: "build-failed" });
      assert.equal(await retryDelivery(ledger, id), "queued");
      const again = await claimDelivery(ledger, id, "w1", 60_000);
      assert.deepEqual([again?.attempt, (again?.fence ?? 0) > claimed.fence], [2, true]);
      assert.equal(await retryDelivery(ledger, "no-such-one"), "unknown");
      assert.equal((await findDelivery(ledger, REPO, SHA))?.id, id);
    });
  });
});
