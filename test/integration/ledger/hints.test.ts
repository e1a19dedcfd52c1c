import assert from "node:assert/strict";
import {
  addHints,
  countUndoneHints,
  hintsOf,
  lastHintId,
  markHintsDone,
  type NewHint,
  undoneHints,
  undoneHintsOf,
} from "../../../src/ledger/hints.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { findRepo, getRepo, listRepos, noteRepos, setDefaultBranch } from "../../../src/ledger/repos.ts";
import { acmeApi, eachLedger, OTHER_SHA, REPO, SHA } from "../../support/ledgers.ts";

const push: NewHint = { repo: acmeApi, event: "push", deliveryId: "d-1", ref: "refs/heads/main", sha: SHA };

describe("The inbox", () => {
  eachLedger((_name, open) => {
    it("keeps hints with the repos they name, and gives them rising ids", async () => {
      const ledger = await open();
      const ids = await addHints(ledger, [push, { ...push, sha: OTHER_SHA }]);
      const more = await addHints(ledger, [{ ...push, sha: null }]);
      assert.deepEqual(
        [...ids, ...more],
        [...ids, ...more].toSorted((a, b) => a - b),
      );
      assert.equal(await lastHintId(ledger), more[0]);
      assert.deepEqual(
        (await undoneHints(ledger, 10)).map(({ id, sha, event, doneAt }) => ({ id, sha, event, doneAt })),
        [
          { id: ids[0], sha: SHA, event: "push", doneAt: null },
          { id: ids[1], sha: OTHER_SHA, event: "push", doneAt: null },
          { id: more[0], sha: null, event: "push", doneAt: null },
        ],
      );
      assert.equal((await getRepo(ledger, REPO))?.defaultBranch, "main");
    });

    it("takes thousands in one transaction", async () => {
      const ledger = await open();
      const hints = Array.from({ length: 3_000 }, (_, i) => ({
        ...push,
        repo: { ...acmeApi, id: `github:${i % 700}`, name: `n${i % 700}` },
      }));
      assert.equal(new Set(await addHints(ledger, hints)).size, 3_000);
      assert.equal(await countUndoneHints(ledger), 3_000);
      assert.equal((await listRepos(ledger)).length, 700);
    });

    it("keeps none of them where one cannot be kept", async () => {
      const ledger = await open();
      await assert.rejects(addHints(ledger, [push, { ...push, event: "a\0b" }]), TypeError);
      assert.equal(await lastHintId(ledger), 0);
    });

    it("marks as done only what came before the evaluation began", async () => {
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

    it("answers a sha's hints, or a ref's that name no sha, and no others", async () => {
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
        (await undoneHintsOf(ledger, REPO, target)).map((hint) => hint.id);
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

    it("tells old hints from fresh ones by the store's clock", async () => {
      const ledger = await open();
      await addHints(ledger, [push]);
      assert.equal((await undoneHints(ledger, 10, 60_000)).length, 0);
      await ledger.db
        .updateTable("hints")
        .set({ receivedAt: Date.now() - 120_000 })
        .execute();
      assert.equal((await undoneHints(ledger, 10, 60_000)).length, 1);
    });

    it("shows no id before all smaller ones, however many write", async () => {
      const ledgers = await Promise.all([open(), open(), open(), open()]);
      const [watcher] = ledgers;
      assert.ok(watcher);
      let writing = true;
      const writers = ledgers.map(async (ledger, i) => {
        for (let n = 0; n < 15; n++)
          await addHints(
            ledger,
            Array.from({ length: 20 }, () => ({ ...push, deliveryId: `${i}-${n}` })),
          );
      });
      const watch = (async () => {
        // What lies at or below an id once seen must never grow: else an evaluation would swallow a hint.
        const seen: { last: number; count: number }[] = [];
        while (writing) {
          const last = await lastHintId(watcher);
          seen.push({ last, count: await countUpTo(watcher, last) });
        }
        for (const { last, count } of seen) assert.equal(await countUpTo(watcher, last), count, `up to ${last}`);
        return seen.length;
      })();
      await Promise.all(writers);
      writing = false;
      assert.ok((await watch) > 1);
      assert.equal(await countUndoneHints(watcher), 1_200);
    });
  });
});

describe("Repos", () => {
  eachLedger((_name, open) => {
    const note = (
      ledger: Ledger,
      ...repos: (typeof acmeApi | (Omit<typeof acmeApi, "defaultBranch"> & { defaultBranch: null }))[]
    ) => ledger.transaction((tx) => noteRepos(tx, repos));
    const ids = async (ledger: Ledger, name: string) => (await findRepo(ledger, name)).map((repo) => repo.id);

    it("are found by name with or without the host, in any case", async () => {
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

    it("keep their old names as aliases until another repo bears them", async () => {
      const ledger = await open();
      await note(ledger, acmeApi);
      await note(ledger, { ...acmeApi, name: "service" });
      assert.deepEqual(await ids(ledger, "acme/api"), [REPO]);
      assert.deepEqual(await ids(ledger, "acme/service"), [REPO]);
      assert.equal((await getRepo(ledger, REPO))?.name, "service");
      await note(ledger, { ...acmeApi, id: "github:2" });
      assert.deepEqual(await ids(ledger, "acme/api"), ["github:2"]);
    });

    it("keep their default branch where a webhook does not say it", async () => {
      const ledger = await open();
      await note(ledger, acmeApi);
      await setDefaultBranch(ledger, REPO, "trunk");
      await note(ledger, { ...acmeApi, defaultBranch: null });
      assert.equal((await getRepo(ledger, REPO))?.defaultBranch, "trunk");
    });
  });
});

async function undoneIds(ledger: Ledger) {
  return (await undoneHints(ledger, 100)).map((hint) => hint.id);
}

async function countUpTo(ledger: Ledger, id: number) {
  const { n } = await ledger.db
    .selectFrom("hints")
    .select((eb) => eb.fn.countAll<number>().as("n"))
    .where("id", "<=", id)
    .executeTakeFirstOrThrow();
  return n;
}
