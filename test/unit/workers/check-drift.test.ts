import assert from "node:assert/strict";
import { TransientError } from "../../../src/delivery/errors.ts";
import { ensureDelivery } from "../../../src/ledger/deliveries.ts";
import { claimDelivery } from "../../../src/ledger/leases.ts";
import { type Ledger, openLedger } from "../../../src/ledger/ledger.ts";
import { recordLocation } from "../../../src/ledger/locations.ts";
import { dueNameUpdates, pendingNameUpdate, queueNameUpdate } from "../../../src/ledger/name-updates.ts";
import { recordRelease } from "../../../src/ledger/releases.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";
import type { Registry } from "../../../src/registries/registry.ts";
import type { Run } from "../../../src/run/run.ts";
import { findChanged } from "../../../workers/names/check-drift.ts";
import type { Station } from "../../../workers/station.ts";
import { REPO, SHA, withRepo } from "../../support/ledgers.ts";
import { type TempDir, tempDir } from "../../support/process.ts";

const DIGEST = `sha256:${"1".repeat(64)}`;
const OTHER = `sha256:${"2".repeat(64)}`;
const job = { repo: REPO, artifact: "api" };

describe("the check of released names", () => {
  let dir: TempDir;
  let ledger: Ledger;
  const run = { signal: new AbortController().signal } as Run;

  beforeEach(async () => {
    dir = await tempDir();
    ledger = await withRepo(await openLedger({ dataDir: dir.path }));
    const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
    const { id } = await ensureDelivery(ledger, REPO, SHA, facts);
    const lease = await claimDelivery(ledger, id, "one", 60_000);
    const content = { digest: DIGEST, mediaType: "application/vnd.oci.image.manifest.v1+json", size: 1 };
    await ledger.transaction((tx) =>
      recordRelease(tx, {
        ...{ repoId: REPO, sha: SHA, artifact: "api", variant: "", kind: "image", versions: ["1.0.0"], tagged: [] },
        ...{ ...content, ref: null, deliveryId: id, fence: lease?.fence ?? 0, committedAt: 1, metadata: {} },
      } as Parameters<typeof recordRelease>[1]),
    );
    for (const registry of ["down", "well"]) {
      for (const tag of ["1.0.0", "main"]) {
        await recordLocation(ledger, {
          ...{ registry, repository: "acme/api", tag, immutable: tag !== "main", deliveryId: id, artifact: "api" },
          ...{ repoId: REPO, digest: DIGEST, url: "", pull: "" },
        });
      }
    }
  });

  afterEach(async () => {
    await ledger.close();
    await dir.remove();
  });

  const stationWith = (find: (registry: string, tag: string) => string) => {
    const metrics = createMetrics();
    const registries = ["down", "well"].map((key) => {
      const registry: Partial<Registry> = { find: async ({ tag }) => ({ digest: find(key, tag) }) as never };
      return [key, registry] as const;
    });
    const drift = metrics.counter("drift", "Drift.");
    const station = { ledger, log: silentLog, drift, registries: new Map(registries) } as unknown as Station;
    return { station, metrics };
  };

  it("asks each registry by itself: one that is down blinds none of the others, and is owed another look", async () => {
    const { station, metrics } = stationWith((registry) => {
      if (registry === "down") throw new TransientError("registry-unavailable", "down");
      return OTHER;
    });
    const changed = await findChanged(station, job, run);
    assert.deepEqual(
      changed.map(({ registry, tag }) => `${registry} ${tag}`),
      ["well main"],
    );
    assert.match(metrics.text(), /^drift\{registry="well"\} 1$/m);
    const owed = await pendingNameUpdate(ledger, { repoId: REPO, artifact: "api" });
    assert.deepEqual([owed?.mustVerify, owed?.isEarly], [true, true]);
    await ledger.transaction((tx) =>
      queueNameUpdate(tx, { repoId: REPO, sha: SHA, deliveryId: null, artifact: "api" }),
    );
    assert.equal((await dueNameUpdates(ledger))[0]?.mustVerify, true, "a plain look does not take its place");
  });

  it("looks at the other names of a registry that does not tell of one", async () => {
    const { station } = stationWith((registry, tag) => {
      if (registry === "down" && tag === "1.0.0") throw new Error("forbidden");
      return OTHER;
    });
    const changed = await findChanged(station, job, run);
    assert.deepEqual(changed.map(({ registry }) => registry).sort(), ["down", "well"]);
  });

  it("owes nothing where all answered", async () => {
    const { station } = stationWith(() => DIGEST);
    assert.deepEqual(await findChanged(station, job, run), []);
    assert.deepEqual(await dueNameUpdates(ledger), []);
  });
});
