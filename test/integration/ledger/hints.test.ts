import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { recordFailedEvaluation } from "../../../src/ledger/evaluations.ts";
import {
  addHints,
  countPendingHints,
  createHintWriter,
  hintsOf,
  lastHintId,
  markHintsDone,
  type NewHint,
  pendingHintsOf,
  pendingTargets,
  SWEEP_EVENT,
} from "../../../src/ledger/hints.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { findRepo, getRepo, listRepos, saveRepos, setDefaultBranch } from "../../../src/ledger/repos.ts";
import { storeTime } from "../../../src/ledger/sql.ts";
import { hasNewsSince, type Watermark } from "../../../src/ledger/watermark.ts";
import { acmeApi, eachLedger, OTHER_SHA, REPO, SHA } from "../../support/databases/ledgers.ts";

const push: NewHint = { repo: acmeApi, event: "push", deliveryId: "d-1", ref: "refs/heads/main", sha: SHA };

describe("The inbox of hints", () => {
  eachLedger((_name, open) => {
    it("stores hints with the repos they name, under ascending ids", async () => {
      const ledger = await open();
      const ids = await addHints(ledger, [push, { ...push, sha: OTHER_SHA }]);
      const more = await addHints(ledger, [{ ...push, sha: null }]);
      assert.deepEqual(
        [...ids, ...more],
        [...ids, ...more].toSorted((a, b) => a - b),
      );
      assert.equal(await lastHintId(ledger), more[0]);
      assert.deepEqual(
        (await undone(ledger)).map(({ id, sha, event, doneAt }) => ({ id, sha, event, doneAt })),
        [
          { id: ids[0], sha: SHA, event: "push", doneAt: null },
          { id: ids[1], sha: OTHER_SHA, event: "push", doneAt: null },
          { id: more[0], sha: null, event: "push", doneAt: null },
        ],
      );
      assert.equal((await getRepo(ledger, REPO))?.defaultBranch, "main");
    });

    it("stores thousands of hints in one transaction", async () => {
      const ledger = await open();
      const hints = Array.from({ length: 3_000 }, (_, i) => ({
        ...push,
        repo: { ...acmeApi, id: `github:${i % 700}`, name: `n${i % 700}` },
      }));
      assert.equal(new Set(await addHints(ledger, hints)).size, 3_000);
      assert.equal(await countPendingHints(ledger), 3_000);
      assert.equal((await listRepos(ledger)).length, 700);
    });

    it("stores no hint if one of them cannot be stored", async () => {
      const ledger = await open();
      await assert.rejects(addHints(ledger, [push, { ...push, event: "a\0b" }]), TypeError);
      assert.equal(await lastHintId(ledger), 0);
    });

    it("saves a repo again only if it has changed, and not if its hint was not stored", async () => {
      const ledger = await open();
      const keep = createHintWriter(ledger);
      await assert.rejects(keep([{ ...push, event: "a\0b" }]), TypeError);
      await keep([push]);
      await setDefaultBranch(ledger, REPO, "trunk");
      await keep([push]);
      assert.equal((await getRepo(ledger, REPO))?.defaultBranch, "trunk");
      await keep([{ ...push, repo: { ...acmeApi, name: "renamed" } }]);
      assert.equal((await getRepo(ledger, REPO))?.name, "renamed");
      await keep([push]);
      assert.equal((await getRepo(ledger, REPO))?.name, acmeApi.name);
      assert.equal(await countPendingHints(ledger), 4);
    });

    it("finds news after a watermark: later events, and refs that arrived while refs were read", async () => {
      const ledger = await open();
      const isNews = (reading: Watermark) => hasNewsSince(ledger, REPO, SHA, reading);
      await addHints(ledger, [{ ...push, ref: null }]);
      const now = await storeTime(ledger);
      const hint = await lastHintId(ledger);
      assert.equal(await isNews({ lastHintId: hint, refsReadAt: now - 60_000 }), false);
      assert.equal(await isNews({ lastHintId: hint - 1, refsReadAt: now }), true);
      await addHints(ledger, [
        { ...push, ref: null, event: SWEEP_EVENT },
        { ...push, ref: null, sha: OTHER_SHA },
      ]);
      assert.equal(await isNews({ lastHintId: hint, refsReadAt: now - 60_000 }), false);
      await addHints(ledger, [{ ...push, event: SWEEP_EVENT, ref: "refs/tags/v1" }]);
      const last = await lastHintId(ledger);
      assert.equal(await isNews({ lastHintId: last, refsReadAt: now - 60_000 }), true);
      assert.equal(await isNews({ lastHintId: last, refsReadAt: now + 60_000 }), false);
    });

    it("marks only hints done that arrived before the evaluation began", async () => {
      const ledger = await open();
      await addHints(ledger, [push]);
      const seen = await lastHintId(ledger);
      const [late] = await addHints(ledger, [push]);
      assert.equal(await markHintsDone(ledger, REPO, { sha: SHA }, seen, "not green yet"), 1);
      assert.deepEqual(await undoneIds(ledger), [late]);
      assert.equal(await markHintsDone(ledger, REPO, { sha: SHA }, await lastHintId(ledger), "green"), 1);
      assert.deepEqual(
        (await hintsOf(ledger, REPO, SHA)).map((hint) => hint.because),
        ["not green yet", "green"],
      );
    });

    it("answers the hints of a sha, or those of a ref without a sha, and no others", async () => {
      const ledger = await open();
      const tag = { ...push, ref: "refs/tags/v1", sha: null };
      const elsewhere = { ...push, repo: { ...acmeApi, id: "github:2", name: "web" } };
      const [bySha, other, byRef, none, foreign] = await addHints(ledger, [
        push,
        { ...push, sha: OTHER_SHA },
        tag,
        { ...push, ref: null, sha: null },
        elsewhere,
      ]);
      const idsOf = async (target: { sha?: string | null; ref?: string | null }) =>
        (await pendingHintsOf(ledger, REPO, target)).map((hint) => hint.id);
      assert.deepEqual(await idsOf({ sha: SHA }), [bySha]);
      assert.deepEqual(await idsOf({ sha: SHA, ref: "refs/tags/v1" }), [bySha, byRef]);
      assert.deepEqual(await idsOf({ sha: null, ref: "refs/tags/v1" }), [byRef]);
      assert.deepEqual(await idsOf({ ref: "refs/heads/main" }), []);
      assert.deepEqual(await idsOf({}), [none]);
      await markHintsDone(ledger, REPO, { sha: SHA, ref: "refs/tags/v1" }, await lastHintId(ledger), "done");
      assert.deepEqual(await undoneIds(ledger), [other, none, foreign]);
      const why = await hintsOf(ledger, REPO, SHA, ["refs/tags/v1", "refs/heads/main"]);
      assert.deepEqual(
        why.map((hint) => hint.id),
        [bySha, byRef],
      );
    });

    it("lists each commit once, however many hints name it, and a ref only if no commit is named", async () => {
      const ledger = await open();
      const [byRef, byNothing] = [
        { ...push, sha: null },
        { ...push, sha: null, ref: null },
      ];
      const tag = { ...push, ref: "refs/tags/v1" };
      await addHints(ledger, [{ ...push, sha: OTHER_SHA }, push, tag, byRef, byRef, byNothing, push]);
      const target = { repoId: REPO, sha: null, ref: null };
      const all = [
        { ...target, sha: OTHER_SHA },
        { ...target, sha: SHA },
        { ...target, ref: "refs/heads/main" },
        target,
      ];
      assert.deepEqual(await pendingTargets(ledger, 10), all);
      assert.deepEqual(await pendingTargets(ledger, 2), all.slice(0, 2));
    });

    it("lets neither a thousand failing targets nor a repo with thousands of hints block others", async () => {
      const ledger = await open();
      const other = { ...acmeApi, id: "github:2", name: "web" };
      const sha = (n: number) => n.toString(16).padStart(40, "0");
      const of = (repo: typeof acmeApi, n: number) => ({ repo, event: "push", deliveryId: "", ref: null, sha: sha(n) });
      await addHints(
        ledger,
        Array.from({ length: 1_000 }, (_none, n) => of(acmeApi, n)),
      );
      await addHints(ledger, [of(other, 1)]);
      const first = await pendingTargets(ledger, 2);
      assert.deepEqual(first.map(({ repoId }) => repoId).sort(), [REPO, other.id]);
      await ledger.transaction(async (tx) => {
        for (let n = 0; n < 1_000; n++) await recordFailedEvaluation(tx, { repo: REPO, sha: sha(n), ref: null }, -1);
      });
      await addHints(ledger, [of(acmeApi, 5_000)]);
      const next = (await pendingTargets(ledger, 4)).map((target) => `${target.repoId} ${Number(`0x${target.sha}`)}`);
      assert.deepEqual(next.slice(0, 2).sort(), ["github:1 5000", "github:2 1"]);
      assert.equal(next.length, 4, "and they get their share");
      await recordFailedEvaluation(ledger, { repo: REPO, sha: sha(0), ref: null }, 60_000);
      assert.equal((await pendingTargets(ledger, 2_000)).length, 1_001, "not before its time");
    });

    it("compares the age of hints by the database's clock", async () => {
      const ledger = await open();
      await addHints(ledger, [push]);
      assert.equal((await pendingTargets(ledger, 10, 60_000)).length, 0);
      await ledger.db
        .updateTable("hints")
        .set({ receivedAt: Date.now() - 120_000 })
        .execute();
      assert.equal((await pendingTargets(ledger, 10, 60_000)).length, 1);
    });

    it("makes ids visible in ascending order, so that no evaluation marks an unseen hint done", async () => {
      const [slow, quick, reader] = [await open(), await open(), await open()];
      const [written, commit] = [gate(), gate()];
      const first = slow.transaction(async (tx) => {
        const ids = await addHints(tx, [push]);
        written.open();
        await commit.opened;
        return ids;
      });
      await written.opened;
      // Of another repo: writers of one repo wait for each other's row anyway.
      const second = addHints(quick, [{ ...push, repo: { ...acmeApi, id: "github:2", name: "web" } }]);
      await delay(150);
      const seen = await lastHintId(reader);
      commit.open();
      const ids = [...(await first), ...(await second)];
      assert.equal(seen, 0);
      assert.deepEqual(
        ids,
        ids.toSorted((a, b) => a - b),
      );
    });
  });
});

describe("Repos in the ledger", () => {
  eachLedger((_name, open) => {
    const note = (
      ledger: Ledger,
      ...repos: (typeof acmeApi | (Omit<typeof acmeApi, "defaultBranch"> & { defaultBranch: null }))[]
    ) => ledger.transaction((tx) => saveRepos(tx, repos));
    const ids = async (ledger: Ledger, name: string) => (await findRepo(ledger, name)).map((repo) => repo.id);

    it("are found by name with or without the host, in upper or lower case", async () => {
      const ledger = await open();
      await note(
        ledger,
        acmeApi,
        { ...acmeApi, id: "gitlab:7", host: "gitlab" },
        { ...acmeApi, id: "gitlab:8", host: "gitlab", owner: "acme/sub" },
      );
      assert.deepEqual(await ids(ledger, "acme/api"), ["github:1", "gitlab:7"]);
      assert.deepEqual(await ids(ledger, "gitlab/Acme/API"), ["gitlab:7"]);
      assert.deepEqual(await ids(ledger, "acme/sub/api"), ["gitlab:8"]);
      assert.deepEqual(await ids(ledger, "api"), []);
    });

    it("keep their old names as aliases until another repo gets them", async () => {
      const ledger = await open();
      await note(ledger, acmeApi);
      await note(ledger, { ...acmeApi, name: "service" });
      assert.deepEqual(await ids(ledger, "acme/api"), [REPO]);
      assert.deepEqual(await ids(ledger, "acme/service"), [REPO]);
      assert.equal((await getRepo(ledger, REPO))?.name, "service");
      await note(ledger, { ...acmeApi, id: "github:2" });
      assert.deepEqual(await ids(ledger, "acme/api"), ["github:2"]);
    });

    it("keep their default branch if a webhook does not contain it", async () => {
      const ledger = await open();
      await note(ledger, acmeApi);
      await setDefaultBranch(ledger, REPO, "trunk");
      await note(ledger, { ...acmeApi, defaultBranch: null });
      assert.equal((await getRepo(ledger, REPO))?.defaultBranch, "trunk");
    });
  });
});

function undone(ledger: Ledger) {
  return ledger.db.selectFrom("hints").selectAll().where("doneAt", "is", null).orderBy("id").execute();
}

async function undoneIds(ledger: Ledger) {
  return (await undone(ledger)).map((hint) => hint.id);
}

function gate() {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}
