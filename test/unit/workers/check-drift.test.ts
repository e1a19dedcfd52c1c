import assert from "node:assert/strict";
import { TransientError } from "../../../src/delivery/errors.ts";
import type { ArtifactName } from "../../../src/delivery/types.ts";
import { ensureDelivery } from "../../../src/ledger/deliveries.ts";
import { claimDelivery } from "../../../src/ledger/leases.ts";
import { recordLocation } from "../../../src/ledger/locations.ts";
import { dueNameUpdates, pendingNameUpdate, queueNameUpdate } from "../../../src/ledger/name-updates.ts";
import { recordRelease } from "../../../src/ledger/releases.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";
import type { Run } from "../../../src/run/run.ts";
import { findChanged } from "../../../workers/names/check-drift.ts";
import { REPO, SHA, useLedger } from "../../support/databases/ledgers.ts";
import { unitStation } from "../../support/fixtures/station.ts";

const DIGEST = `sha256:${"1".repeat(64)}`;
const OTHER = `sha256:${"2".repeat(64)}`;
const job = { repo: REPO, artifact: "api" };

describe("the check of released names in the registries", () => {
  const store = useLedger();
  const run = { signal: new AbortController().signal } as Run;

  beforeEach(async () => {
    const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
    const { id } = await ensureDelivery(store.ledger, REPO, SHA, facts);
    const lease = await claimDelivery(store.ledger, id, "one", 60_000);
    const content = { digest: DIGEST, mediaType: "application/vnd.oci.image.manifest.v1+json", size: 1 };
    await store.ledger.transaction((tx) =>
      recordRelease(tx, {
        ...{ repoId: REPO, sha: SHA, artifact: "api", variant: "", kind: "image", versions: ["1.0.0"], tagged: [] },
        ...{ ...content, ref: null, deliveryId: id, fence: lease?.fence ?? 0, committedAt: 1, metadata: {} },
      } as Parameters<typeof recordRelease>[1]),
    );
    for (const registry of ["down", "well"]) {
      for (const tag of ["1.0.0", "main"]) {
        await recordLocation(store.ledger, {
          ...{ registry, repository: "acme/api", tag, immutable: tag !== "main", deliveryId: id, artifact: "api" },
          ...{ repoId: REPO, digest: DIGEST, url: "", pull: "" },
        });
      }
    }
  });

  const stationWith = (find: (registry: string, tag: string) => string) => {
    const metrics = createMetrics();
    const registry = (key: string) => ({
      find: async ({ tag }: ArtifactName) => ({ digest: find(key, tag) }) as never,
    });
    const registries = { down: registry("down"), well: registry("well") };
    const drift = metrics.counter("drift", "Drift.");
    return { station: unitStation({ ledger: store.ledger, drift, registries }), metrics };
  };

  it("asks each registry by itself: if one is down, the others are checked, and it is asked again", async () => {
    const { station, metrics } = stationWith((registry) => {
      if (registry === "down") throw new TransientError("registry-unavailable", "down");
      return OTHER;
    });
    const changed = await findChanged(station, job, run);
    assert.deepEqual(
      changed.map(({ registry, tag }) => `${registry} ${tag}`),
      ["well main"],
    );
    assert.match(await metrics.text(), /^drift\{registry="well"\} 1$/m);
    const owed = await pendingNameUpdate(store.ledger, { repoId: REPO, artifact: "api" });
    assert.deepEqual([owed?.mustVerify, owed?.isEarly], [true, true]);
    await store.ledger.transaction((tx) =>
      queueNameUpdate(tx, { repoId: REPO, sha: SHA, deliveryId: null, artifact: "api" }),
    );
    assert.equal((await dueNameUpdates(store.ledger))[0]?.mustVerify, true, "a plain look does not take its place");
  });

  it("checks the other names of a registry that refuses to show one", async () => {
    const { station } = stationWith((registry, tag) => {
      if (registry === "down" && tag === "1.0.0") throw new Error("forbidden");
      return OTHER;
    });
    const changed = await findChanged(station, job, run);
    assert.deepEqual(changed.map(({ registry }) => registry).sort(), ["down", "well"]);
  });

  it("schedules no other check when all registries answered", async () => {
    const { station } = stationWith(() => DIGEST);
    assert.deepEqual(await findChanged(station, job, run), []);
    assert.deepEqual(await dueNameUpdates(store.ledger), []);
  });
});
