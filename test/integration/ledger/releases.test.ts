import assert from "node:assert/strict";
import { Refused, TransientError } from "../../../src/delivery/errors.ts";
import { ensureDelivery, setState } from "../../../src/ledger/deliveries.ts";
import { recordHeads } from "../../../src/ledger/heads.ts";
import { claimDelivery } from "../../../src/ledger/leases.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { getLocation, locationsOfDelivery, locationsOfRelease, recordLocation } from "../../../src/ledger/locations.ts";
import {
  addReleaseVersion,
  findReleases,
  getRelease,
  listReleases,
  type NewRelease,
  recordRelease,
  releasesOfDelivery,
  reposWithArtifact,
  taggedVersions,
} from "../../../src/ledger/releases.ts";
import { saveRepos } from "../../../src/ledger/repos.ts";
import { claimedVersions, claimVersion, versionsOfOthers } from "../../../src/ledger/versions.ts";
import { acmeApi, eachLedger, OTHER_SHA, REPO, SHA, withRepo } from "../../support/databases/ledgers.ts";

const ONE = `sha256:${"1".repeat(64)}`;
const TWO = `sha256:${"2".repeat(64)}`;

async function delivery(ledger: Ledger, sha = SHA, repoId = REPO): Promise<{ deliveryId: string; fence: number }> {
  const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
  const { id } = await ensureDelivery(ledger, repoId, sha, facts);
  const lease = await claimDelivery(ledger, id, "w", 60_000);
  assert.ok(lease);
  return { deliveryId: id, fence: lease.fence };
}

const about = (
  sha: string,
  work: { deliveryId: string; fence: number },
  more: Partial<NewRelease> = {},
): NewRelease => ({
  ...{ repoId: REPO, sha, artifact: "api", kind: "image", versions: ["1.0.0"], tagged: ["1.0.0"], digest: ONE },
  ...{ mediaType: "m", size: 1, ref: "refs/heads/main", committedAt: 5, metadata: { bases: [] } },
  ...work,
  ...more,
});

describe("A version in the ledger", () => {
  eachLedger((_name, open) => {
    it("belongs to the first of many commits that claim it at once", async () => {
      const first = await withRepo(await open());
      const ledgers = [first, ...(await Promise.all([open(), open(), open()]))];
      const shas = ledgers.map((_, i) => String(i).repeat(40));
      const claims = await Promise.all(ledgers.map((ledger, i) => claimVersion(ledger, REPO, "1.2.3", shas[i] ?? "")));
      const winners = shas.filter((_, i) => claims[i]?.kind === "claimed");
      assert.equal(winners.length, 1);
      for (const claimed of claims) if (claimed.kind !== "claimed") assert.equal(claimed.belongsTo, winners[0]);
      assert.deepEqual(await claimVersion(first, REPO, "1.2.3", winners[0] ?? ""), { kind: "claimed" });
      assert.deepEqual(await claimedVersions(first, REPO, winners[0] ?? ""), ["1.2.3"]);
    });

    it("can be taken over if nothing was published under it, but not while its delivery is active", async () => {
      const ledger = await withRepo(await open());
      const { deliveryId } = await delivery(ledger);
      await claimVersion(ledger, REPO, "1.2.3", SHA);
      const again = () => claimVersion(ledger, REPO, "1.2.3", OTHER_SHA);
      assert.deepEqual(await again(), { kind: "busy", belongsTo: SHA });
      await setState(ledger, deliveryId, { from: ["queued"], to: "failed", because: "" });
      assert.deepEqual([...(await versionsOfOthers(ledger, REPO, OTHER_SHA, ["1.2.3"]))], []);
      assert.deepEqual(await again(), { kind: "claimed" });
      assert.deepEqual(await claimVersion(ledger, REPO, "1.2.3", SHA), { kind: "taken", belongsTo: OTHER_SHA });
      assert.deepEqual([...(await versionsOfOthers(ledger, REPO, SHA, ["1.2.3"]))], ["1.2.3"]);
    });
  });
});

describe("A location in the ledger", () => {
  eachLedger((_name, open) => {
    it("gets the new content if it is moving, and keeps its first if it is immutable", async () => {
      const ledger = await withRepo(await open());
      const { deliveryId } = await delivery(ledger);
      const on = { deliveryId, artifact: "api", repoId: REPO, url: "u", pull: "p" };
      const main = { registry: "hub", repository: "acme/api", tag: "main", immutable: false };
      const version = { ...main, tag: "1.0.0", immutable: true };
      assert.equal(await recordLocation(ledger, { ...main, ...on, digest: ONE }), true);
      assert.equal(await recordLocation(ledger, { ...main, ...on, digest: TWO }), true);
      assert.equal((await getLocation(ledger, main))?.digest, TWO);
      assert.equal(await recordLocation(ledger, { ...version, ...on, digest: ONE }), true);
      assert.equal(await recordLocation(ledger, { ...version, ...on, digest: ONE }), true);
      assert.equal(await recordLocation(ledger, { ...version, ...on, digest: TWO }), false);
      assert.equal((await getLocation(ledger, version))?.digest, ONE);
      assert.deepEqual(
        (await locationsOfDelivery(ledger, deliveryId)).map(({ tag, immutable }) => [tag, immutable]),
        [
          ["1.0.0", true],
          ["main", false],
        ],
      );
      const tags = async (digest: string) =>
        (await locationsOfRelease(ledger, { repoId: REPO, artifact: "api", digest })).map((location) => location.tag);
      assert.deepEqual([await tags(ONE), await tags(TWO)], [["1.0.0"], ["main"]]);
    });
  });
});

describe("A release in the ledger", () => {
  eachLedger((_name, open) => {
    const record = (ledger: Ledger, release: NewRelease) => ledger.transaction((tx) => recordRelease(tx, release));

    it("is recorded once under an id that every process computes, and later only gains versions", async () => {
      const ledger = await withRepo(await open());
      const work = await delivery(ledger);
      const first = await record(ledger, about(SHA, work));
      const again = await record(await open(), about(SHA, work, { versions: ["1.0.0", "1.0.1"], digest: TWO }));
      assert.deepEqual(again, { ...first, versions: ["1.0.0", "1.0.1"] });
      assert.deepEqual(first.metadata, { bases: [] });
      assert.deepEqual(await releasesOfDelivery(ledger, work.deliveryId), [again]);
      assert.equal(await getRelease(ledger, "none"), null);
    });

    it("is not recorded under a stale fence", async () => {
      const ledger = await withRepo(await open());
      const { deliveryId, fence } = await delivery(ledger);
      await assert.rejects(
        record(ledger, about(SHA, { deliveryId, fence: fence - 1 })),
        (error) => error instanceof TransientError && error.code === "lease-lost",
      );
      assert.deepEqual(await releasesOfDelivery(ledger, deliveryId), []);
    });

    it("is not recorded if another release has its version", async () => {
      const ledger = await withRepo(await open());
      const first = await record(ledger, about(SHA, await delivery(ledger)));
      const other = await delivery(ledger, OTHER_SHA);
      await assert.rejects(
        record(ledger, about(OTHER_SHA, other)),
        (error) => error instanceof Refused && error.code === "version-taken",
      );
      assert.deepEqual(await releasesOfDelivery(ledger, other.deliveryId), []);
      assert.deepEqual(await addReleaseVersion(ledger, first, { version: "2.0.0", tagged: true }), { ok: true });
      const second = await record(ledger, about(OTHER_SHA, other, { versions: ["1.1.0"] }));
      assert.deepEqual(await addReleaseVersion(ledger, second, { version: "2.0.0", tagged: true }), {
        ok: false,
        belongsTo: SHA,
      });
    });

    it("has one variant per version if the bytes contain the version", async () => {
      const ledger = await withRepo(await open());
      const work = await delivery(ledger);
      const first = await record(ledger, about(SHA, work));
      const second = await record(ledger, about(SHA, work, { variant: "1.1.0", versions: ["1.1.0"], digest: TWO }));
      assert.notEqual(first.id, second.id);
      assert.equal((await listReleases(ledger, { sha: SHA, limit: 10 })).items.length, 2);
    });

    it("is found by artifact and version, in every repo that has one", async () => {
      const ledger = await withRepo(await open());
      await ledger.transaction((tx) => saveRepos(tx, [{ ...acmeApi, id: "github:2", name: "web" }]));
      const mine = await record(
        ledger,
        about(SHA, await delivery(ledger), { versions: ["1.0.1-1.gaaaaaaa", "1.0.1"], tagged: ["1.0.1"] }),
      );
      const theirs = await record(
        ledger,
        about(SHA, await delivery(ledger, SHA, "github:2"), { repoId: "github:2", versions: ["1.0.1"], tagged: [] }),
      );
      const ids = async (version: string, repoId?: string) =>
        (await findReleases(ledger, "api", version, repoId)).map((release) => release.id);
      assert.deepEqual(await ids("1.0.1"), [mine.id, theirs.id]);
      assert.deepEqual(await ids("1.0.1", "github:2"), [theirs.id]);
      assert.deepEqual(await ids("9.9.9"), []);
      assert.deepEqual(await taggedVersions(ledger, REPO, "api"), [{ version: "1.0.1", releaseId: mine.id }]);
      assert.deepEqual(await reposWithArtifact(ledger, "api"), [REPO, "github:2"]);
      assert.deepEqual(await reposWithArtifact(ledger, "web"), []);
    });

    it("is also found by another branch that is known to have pointed to its commit", async () => {
      const ledger = await withRepo(await open());
      const work = await delivery(ledger);
      await ledger.transaction((tx) => recordRelease(tx, about(SHA, work)));
      const listed = async () => (await listReleases(ledger, { ref: "refs/heads/release", limit: 10 })).items.length;
      assert.equal(await listed(), 0);
      await recordHeads(ledger, REPO, [{ ref: "refs/heads/release", sha: OTHER_SHA }]);
      assert.equal(await listed(), 0);
      await recordHeads(ledger, REPO, [{ ref: "refs/heads/release", sha: SHA }]);
      assert.equal(await listed(), 1);
    });

    it("is listed newest first, page by page, by repo, artifact, sha and ref", async () => {
      const ledger = await withRepo(await open());
      const shas = Array.from({ length: 5 }, (_, i) => String(i).repeat(40));
      for (const [i, sha] of shas.entries()) {
        const { id } = await record(
          ledger,
          about(sha, await delivery(ledger, sha), { versions: [`1.0.${i}`], ref: `refs/heads/${i % 2}` }),
        );
        await ledger.db
          .updateTable("releases")
          .set({ releasedAt: 1_000 + Math.min(i, 3) })
          .where("id", "=", id)
          .execute();
      }
      const first = await listReleases(ledger, { repoId: REPO, artifact: "api", limit: 2 });
      const second = await listReleases(ledger, { repoId: REPO, artifact: "api", limit: 2, cursor: first.next });
      const third = await listReleases(ledger, { repoId: REPO, artifact: "api", limit: 2, cursor: second.next });
      const all = [...first.items, ...second.items, ...third.items].map((release) => release.sha);
      assert.equal(third.next, null);
      assert.deepEqual(all.toSorted(), shas);
      assert.deepEqual(all.slice(2), shas.slice(0, 3).toReversed());
      assert.equal((await listReleases(ledger, { ref: "refs/heads/1", limit: 10 })).items.length, 2);
      assert.equal((await listReleases(ledger, { artifact: "web", limit: 10 })).items.length, 0);
    });
  });
});
