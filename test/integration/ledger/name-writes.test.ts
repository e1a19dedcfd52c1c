import assert from "node:assert/strict";
import { ensureDelivery } from "../../../src/ledger/deliveries.ts";
import { releaseLeasesOf } from "../../../src/ledger/leases.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { getLocation } from "../../../src/ledger/locations.ts";
import {
  endReservation,
  keepReservation,
  ownerOf,
  reserveName,
  settleName,
  type WriteOrder,
} from "../../../src/ledger/name-writes.ts";
import { saveRepos } from "../../../src/ledger/repos.ts";
import { acmeApi, eachLedger, REPO, SHA, withRepo } from "../../support/databases/ledgers.ts";
import { until } from "../../support/processes/process.ts";

const OTHER = "github:2";
const TTL = 60_000;

describe("A name in a registry", () => {
  eachLedger((_name, open) => {
    let number = 0;
    const order = (given: Partial<WriteOrder> = {}): WriteOrder => ({
      ...{ registry: "local", repository: "acme/api", tag: "1.2.3", immutable: true, shared: false },
      ...{ repoId: REPO, artifact: "api", digest: "sha256:a", owner: "host/1", token: `token-${++number}` },
      ...given,
    });

    async function openAll(): Promise<Ledger> {
      const ledger = await withRepo(await open());
      await ledger.transaction((tx) => saveRepos(tx, [{ ...acmeApi, id: OTHER, name: "web" }]));
      return ledger;
    }

    async function settle(ledger: Ledger, wish: WriteOrder): Promise<boolean> {
      const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
      const { id: deliveryId } = await ensureDelivery(ledger, wish.repoId, SHA, facts);
      const { registry, repository, tag, immutable, repoId, artifact, digest } = wish;
      const location = {
        registry,
        repository,
        tag,
        immutable,
        repoId,
        artifact,
        digest,
        deliveryId,
        url: "",
        pull: "",
      };
      return settleName(ledger, wish, location);
    }

    async function write(ledger: Ledger, wish: WriteOrder): Promise<string> {
      const { kind } = await reserveName(ledger, wish, TTL);
      if (kind !== "reserved") return kind;
      return (await settle(ledger, wish)) ? "written" : "lost";
    }

    it("is reserved by one write at a time, over any number of connections", async () => {
      const ledgers = [await openAll(), await open(), await open(), await open()];
      const answers = await Promise.all(
        ledgers.map((ledger, index) => reserveName(ledger, order({ immutable: index % 2 === 0 }), TTL)),
      );
      assert.deepEqual(answers.map(({ kind }) => kind).sort(), ["busy", "busy", "busy", "reserved"]);
    });

    it("stays immutable, whichever of a moving and an immutable write came first", async () => {
      const ledger = await openAll();
      assert.equal(await write(ledger, order({ immutable: false, digest: "sha256:b" })), "written");
      assert.deepEqual(await reserveName(ledger, order({ token: "it" }), TTL), {
        kind: "reserved",
        ours: ["sha256:b"],
      });
      assert.equal((await reserveName(ledger, order({ immutable: false }), TTL)).kind, "busy");
      assert.equal(await settle(ledger, order({ token: "it" })), true);
      assert.equal(await write(ledger, order({ immutable: false, digest: "sha256:c" })), "taken");
      assert.equal(await write(ledger, order()), "stands");
      assert.equal((await getLocation(ledger, order()))?.digest, "sha256:a");
    });

    it("may hold what an unfinished moving write left, even if its process died", async () => {
      const ledger = await openAll();
      await reserveName(ledger, order({ immutable: false, digest: "sha256:b" }), TTL);
      assert.equal((await reserveName(ledger, order(), TTL)).kind, "busy");
      await releaseLeasesOf(ledger, "host/");
      const second = order({ immutable: false, digest: "sha256:c" });
      assert.equal((await reserveName(ledger, second, TTL)).kind, "reserved");
      await endReservation(ledger, second);
      assert.deepEqual(await reserveName(ledger, order(), TTL), { kind: "reserved", ours: ["sha256:c", "sha256:b"] });
    });

    it("is not settled by a write that lost its reservation, and not reserved past its time", async () => {
      const ledger = await openAll();
      const slow = order({ digest: "sha256:b" });
      assert.equal((await reserveName(ledger, slow, 1)).kind, "reserved");
      await until("the reservation has run out", async () => !(await keepReservation(ledger, slow, 1)));
      assert.equal(await write(ledger, order()), "written");
      assert.equal(await settle(ledger, slow), false);
      assert.equal((await getLocation(ledger, slow))?.digest, "sha256:a");
    });

    it("claims its repository once it is published, and not before", async () => {
      const ledger = await openAll();
      const refused = order();
      assert.equal((await reserveName(ledger, refused, TTL)).kind, "reserved");
      assert.equal(await ownerOf(ledger, "local", "acme/api"), null);
      // Another repo waits as long as it may still come to stand, under whatever tag.
      assert.equal((await reserveName(ledger, order({ repoId: OTHER, tag: "other" }), TTL)).kind, "busy");
      await endReservation(ledger, refused);
      assert.equal(await write(ledger, order({ repoId: OTHER, tag: "other" })), "written");
      assert.equal(await ownerOf(ledger, "local", "acme/api"), OTHER);
      assert.deepEqual(await reserveName(ledger, order(), TTL), { kind: "owned", belongsTo: OTHER });
      assert.equal((await reserveName(ledger, order({ shared: true }), TTL)).kind, "reserved");
    });

    it("lets exactly one of two repos own a repository that both publish to for the first time", async () => {
      const ledgers = [await openAll(), await open()];
      const wishes = [order({ tag: "one" }), order({ tag: "two", repoId: OTHER })];
      const answers = await Promise.all(wishes.map((wish, index) => reserveName(ledgers[index] as Ledger, wish, TTL)));
      assert.deepEqual(answers.map(({ kind }) => kind).sort(), ["busy", "reserved"]);
    });

    it("is not settled in a repository that another repo owns meanwhile", async () => {
      const ledger = await openAll();
      const slow = order({ tag: "one" });
      assert.equal((await reserveName(ledger, slow, 1)).kind, "reserved");
      await until("the reservation has run out", async () => !(await keepReservation(ledger, slow, 1)));
      assert.equal(await write(ledger, order({ repoId: OTHER, tag: "two" })), "written");
      assert.equal(await settle(ledger, slow), false);
      assert.equal(await getLocation(ledger, slow), null);
    });

    it("keeps nobody out if an older ledger claimed its repository without a published name", async () => {
      const ledger = await openAll();
      const claim = { registry: "local", repository: "acme/api", repoId: OTHER, at: 0, confirmed: 0 };
      await ledger.db.insertInto("nameOwners").values(claim).execute();
      assert.equal(await write(ledger, order()), "written");
      assert.equal(await ownerOf(ledger, "local", "acme/api"), REPO);
    });

    describe("with two keys for one place", () => {
      const keys = ["hub", "local"];
      const through = (registry: string, given: Partial<WriteOrder> = {}) => order({ registry, keys, ...given });

      it("belongs to the repo that published first in the repository, through either key", async () => {
        const ledger = await openAll();
        assert.equal(await write(ledger, through("local")), "written");
        const theirs = through("hub", { repoId: OTHER, tag: "other" });
        assert.deepEqual(await reserveName(ledger, theirs, TTL), { kind: "owned", belongsTo: REPO });
        assert.equal(await ownerOf(ledger, "hub", "acme/api", keys), REPO);
        assert.equal(await ownerOf(ledger, "hub", "acme/api"), null);
        assert.equal(await write(ledger, through("hub", { tag: "other" })), "written");
      });

      it("belongs to the first repo even if the second key was added later", async () => {
        const ledger = await openAll();
        assert.equal(await write(ledger, order()), "written");
        for (const registry of ["earlier-in-order", "other"]) {
          const theirs = order({ registry, keys: [registry, "local"], repoId: OTHER, tag: registry });
          assert.deepEqual(await reserveName(ledger, theirs, TTL), { kind: "owned", belongsTo: REPO });
        }
      });

      it("stays with the first of two repos that published before the place was known to be one", async () => {
        const ledger = await openAll();
        assert.equal(await write(ledger, order()), "written");
        assert.equal(await write(ledger, order({ registry: "hub", repoId: OTHER, tag: "other" })), "written");
        await ledger.db.updateTable("nameOwners").set({ at: 1 }).where("registry", "=", "hub").execute();
        assert.equal((await reserveName(ledger, through("hub", { repoId: OTHER, tag: "x" }), TTL)).kind, "reserved");
        assert.deepEqual(await reserveName(ledger, through("local", { tag: "y" }), TTL), {
          kind: "owned",
          belongsTo: OTHER,
        });
      });

      it("is reserved by one write at a time, through either key and over any number of connections", async () => {
        const ledgers = [await openAll(), await open(), await open(), await open()];
        const answers = await Promise.all(
          ledgers.map((ledger, index) =>
            reserveName(ledger, through(keys[index % 2] ?? "", { immutable: false }), TTL),
          ),
        );
        assert.deepEqual(answers.map(({ kind }) => kind).sort(), ["busy", "busy", "busy", "reserved"]);
      });

      it("lets exactly one of two repos own the repository, even if they publish through different keys", async () => {
        const ledgers = [await openAll(), await open()];
        const wishes = [through("local", { tag: "one" }), through("hub", { tag: "two", repoId: OTHER })];
        const answers = await Promise.all(
          wishes.map((wish, index) => reserveName(ledgers[index] as Ledger, wish, TTL)),
        );
        assert.deepEqual(answers.map(({ kind }) => kind).sort(), ["busy", "reserved"]);
      });

      it("never changes its first content if it is immutable, and is recorded under the second key too", async () => {
        const ledger = await openAll();
        assert.equal(await write(ledger, through("local")), "written");
        assert.equal(await write(ledger, through("hub", { digest: "sha256:b" })), "taken");
        assert.equal(await write(ledger, through("hub", { digest: "sha256:b", immutable: false })), "taken");
        assert.equal(await write(ledger, through("hub")), "written");
        assert.equal(await write(ledger, through("hub")), "stands");
        assert.deepEqual((await getLocation(ledger, through("hub")))?.digest, "sha256:a");
      });

      it("holds what the last moving write put there, through either key", async () => {
        const ledger = await openAll();
        const moving = (registry: string, digest: string) => through(registry, { immutable: false, digest });
        assert.equal(await write(ledger, moving("local", "sha256:a")), "written");
        assert.equal(await write(ledger, moving("hub", "sha256:b")), "written");
        await ledger.db.updateTable("locations").set({ at: 1 }).where("registry", "=", "local").execute();
        assert.equal((await getLocation(ledger, order(), keys))?.digest, "sha256:b");
        assert.deepEqual(await reserveName(ledger, through("local", { digest: "sha256:c" }), TTL), {
          kind: "reserved",
          ours: ["sha256:b"],
        });
      });

      it("may hold what an unfinished write through the other key left", async () => {
        const ledger = await openAll();
        await reserveName(ledger, through("local", { immutable: false, digest: "sha256:b" }), TTL);
        assert.equal((await reserveName(ledger, through("hub"), TTL)).kind, "busy");
        await releaseLeasesOf(ledger, "host/");
        assert.deepEqual(await reserveName(ledger, through("hub"), TTL), { kind: "reserved", ours: ["sha256:b"] });
      });

      it("is not settled by a write that lost its reservation to a write through the other key", async () => {
        const ledger = await openAll();
        const slow = through("local", { digest: "sha256:b" });
        assert.equal((await reserveName(ledger, slow, 1)).kind, "reserved");
        await until("the reservation has run out", async () => !(await keepReservation(ledger, slow, 1)));
        assert.equal(await write(ledger, through("hub")), "written");
        assert.equal(await settle(ledger, slow), false);
        assert.equal((await getLocation(ledger, slow, keys))?.digest, "sha256:a");
      });
    });
  });
});
