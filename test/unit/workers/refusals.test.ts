import assert from "node:assert/strict";
import type { ArtifactName, Digest } from "../../../src/delivery/types.ts";
import { pinDigest, saveArtifacts } from "../../../src/ledger/artifacts.ts";
import { ensureDelivery } from "../../../src/ledger/deliveries.ts";
import { claimDelivery } from "../../../src/ledger/leases.ts";
import { recordLocation } from "../../../src/ledger/locations.ts";
import { saveRepos } from "../../../src/ledger/repos.ts";
import { hostOf } from "../../../workers/commit/host-of.ts";
import { confirmIdentity } from "../../../workers/commit/repo-identity.ts";
import type { Work } from "../../../workers/commit/work.ts";
import { pinAll } from "../../../workers/deliver/pin.ts";
import { reuse } from "../../../workers/deliver/standing.ts";
import type { Prepared } from "../../../workers/names/prepared.ts";
import { registryOf } from "../../../workers/names/registry-of.ts";
import { writeName } from "../../../workers/names/write-name.ts";
import { acmeApi, REPO, SHA, useLedger } from "../../support/databases/ledgers.ts";
import { artifactPlan } from "../../support/fixtures/plans.ts";
import { testRun } from "../../support/fixtures/run.ts";
import { unitStation } from "../../support/fixtures/station.ts";

const ONE = `sha256:${"1".repeat(64)}`;
const TWO = `sha256:${"2".repeat(64)}`;
const OTHER = "github:2";
const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
const contentOf = (digest: Digest) => ({ digest, mediaType: "application/octet-stream", size: 1 });

describe("A worker", () => {
  const store = useLedger();

  /** The artifact `api` of a queued delivery, whose lease is ours. */
  async function claimed() {
    const { ledger } = store;
    const delivery = await ensureDelivery(ledger, REPO, SHA, facts);
    await saveArtifacts(ledger, delivery.id, [{ name: "api", kind: "image" }]);
    const lease = await claimDelivery(ledger, delivery.id, "tests/1", 60_000);
    assert.ok(lease);
    return { delivery, fence: lease.fence };
  }

  it("refuses a delivery to a registry that is no longer configured (registry-unknown)", () => {
    assert.throws(() => registryOf(unitStation({}), "gone"), { name: "Refused", code: "registry-unknown" });
  });

  it("refuses a repo whose host is no longer configured (host-gone)", () => {
    assert.throws(() => hostOf(unitStation({}), acmeApi), { name: "Refused", code: "host-gone" });
  });

  it("refuses a repo whose name belongs to another repo on the host now (repo-replaced)", async () => {
    const findRepo = async () => ({ hostId: "2", owner: "acme", name: "api", defaultBranch: "main" });
    const station = unitStation({ ledger: store.ledger, hosts: { github: { findRepo } } });
    await assert.rejects(confirmIdentity(station, acmeApi), { name: "Refused", code: "repo-replaced" });
  });

  it("refuses to publish to a repository in which another repo published first (name-owned)", async () => {
    const { ledger } = store;
    await ledger.transaction((tx) => saveRepos(tx, [{ ...acmeApi, id: OTHER, name: "first" }]));
    const names = new Map<string, Digest>();
    const local = {
      publish: async (content: { digest: Digest }, { repository, tag }: ArtifactName) => {
        names.set(tag, content.digest);
        const name = `${repository}:${tag}`;
        return { registry: "local", repository, tag, name, digest: content.digest, url: "", pull: "" };
      },
      find: async ({ tag }: ArtifactName) => {
        const digest = names.get(tag);
        return digest === undefined ? null : { digest };
      },
    };
    const station = unitStation({ ledger, registries: { local }, config: { registries: {} } as never });
    const write = async (repoId: string, tag: string) => {
      const { id: deliveryId } = await ensureDelivery(ledger, repoId, SHA, facts);
      const name = { registry: "local", repository: "acme/api", tag, immutable: true };
      const of = { repoId, deliveryId, artifact: "api" };
      const content = { ...contentOf(ONE), metadata: {} } as unknown as Parameters<typeof writeName>[1]["content"];
      return writeName(station, { name, content, of, before: async () => {} }, testRun());
    };
    assert.equal(await write(OTHER, "1.0.0"), "written");
    await assert.rejects(write(REPO, "2.0.0"), { name: "Refused", code: "name-owned" });
    assert.deepEqual([...names.keys()], ["1.0.0"]);
  });

  it("refuses to publish other content than the delivery is pinned to (digest-pinned)", async () => {
    const { ledger } = store;
    const { delivery, fence } = await claimed();
    await pinDigest(ledger, delivery.id, "api", fence, { ...contentOf(ONE), frozenOn: "here" });
    const work = { delivery: { ...delivery, naming: {} }, fence } as unknown as Work;
    const built = { kind: "prepared", artifact: artifactPlan(), content: contentOf(TWO) } as unknown as Prepared;
    const station = unitStation({ ledger, storeId: "here" });
    await assert.rejects(pinAll(station, work, [built], null), { name: "Refused", code: "digest-pinned" });
  });

  it("refuses to build a published content again that is gone from the store and every registry (content-lost)", async () => {
    const { ledger } = store;
    const { delivery, fence } = await claimed();
    const content = contentOf(ONE);
    await pinDigest(ledger, delivery.id, "api", fence, { ...content, frozenOn: "here" });
    await recordLocation(ledger, {
      ...{ registry: "local", repository: "acme/api", tag: "1.0.0", immutable: true, deliveryId: delivery.id },
      ...{ artifact: "api", repoId: REPO, digest: ONE, url: "", pull: "" },
    });
    const work = { delivery, fence, repo: acmeApi } as unknown as Work;
    const station = unitStation({ ledger, store: { has: async () => false } as never });
    const share = { versions: ["1.0.0"], variant: "", first: "1.0.0", isFirst: true };
    const lost = reuse(station, work, artifactPlan(), share, content, [], testRun());
    await assert.rejects(lost, { name: "Refused", code: "content-lost" });
  });
});
