import assert from "node:assert/strict";
import type { PushedCheck } from "../../../src/hosts/host-tools.ts";
import { ensureDelivery, setState } from "../../../src/ledger/deliveries.ts";
import { hintsOf } from "../../../src/ledger/hints.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { pushedChecksOf, savePushedChecks, TooManyChecks } from "../../../src/ledger/pushed-checks.ts";
import { deleteOldRows } from "../../../src/ledger/retention.ts";
import { eachLedger } from "../../support/databases/ledgers.ts";

const repo = { id: "git:acme/api", host: "git", owner: "acme", name: "api", defaultBranch: "main" };
const other = { ...repo, id: "git:acme/web", name: "web" };
const sha = (digit: string) => digit.repeat(40);
const check = (name: string, state: PushedCheck["state"], at = 1_000, url: string | null = null): PushedCheck => ({
  ...{ name, state, at, url },
});

describe("Results of CI in the ledger", () => {
  eachLedger((_name, open) => {
    const save = (ledger: Ledger, checks: PushedCheck[], of = "a", at = repo) =>
      savePushedChecks(ledger, { repo: at, sha: sha(of), checks, deliveryId: "msg_1" });
    const shown = async (ledger: Ledger, of = "a", at = repo) =>
      (await pushedChecksOf(ledger, at.id, sha(of))).map(({ name, state }) => `${name} ${state}`);

    it("are the newest of each name, whatever the order in which they come, and how often", async () => {
      const ledger = await open();
      await save(ledger, [
        check("test", "success", 2_000, "https://ci.example.com/2"),
        check("lint", "pending", 1_000),
      ]);
      await save(ledger, [check("test", "pending", 1_000)]);
      await save(ledger, [check("test", "failure", 1_500), check("lint", "failure", 3_000)]);
      assert.deepEqual(await shown(ledger), ["lint failure", "test success"]);
      await save(ledger, [check("test", "success", 2_000, "https://ci.example.com/2")]);
      assert.deepEqual((await pushedChecksOf(ledger, repo.id, sha("a")))[1], {
        ...{ name: "test", state: "success", at: 2_000, url: "https://ci.example.com/2" },
      });
    });

    it("of one time are the last that came, also within one request", async () => {
      const ledger = await open();
      await save(ledger, [check("test", "pending"), check("test", "failure"), check("test", "success")]);
      assert.deepEqual(await shown(ledger), ["test success"]);
      await save(ledger, [check("test", "failure")]);
      assert.deepEqual(await shown(ledger), ["test failure"]);
    });

    it("count for their own commit of their own repo only, and are a hint for it", async () => {
      const ledger = await open();
      await save(ledger, [check("test", "success")]);
      await save(ledger, [check("test", "failure")], "b");
      await save(ledger, [check("test", "pending")], "a", other);
      assert.deepEqual(await shown(ledger), ["test success"]);
      assert.deepEqual(await shown(ledger, "b"), ["test failure"]);
      assert.deepEqual(await shown(ledger, "a", other), ["test pending"]);
      const hints = await hintsOf(ledger, repo.id, sha("a"));
      assert.deepEqual(
        hints.map(({ event, deliveryId, ref }) => [event, deliveryId, ref]),
        [["ci", "msg_1", null]],
      );
    });

    it("are at most 1,000 of one commit: more are refused whole, with their hint", async () => {
      const ledger = await open();
      const many = Array.from({ length: 1_000 }, (_, index) => check(`check ${index}`, "success"));
      await save(ledger, many);
      await assert.rejects(
        save(ledger, [check("one more", "failure")]),
        (error) => error instanceof TooManyChecks && error.of === "commit",
      );
      await save(ledger, [check("check 0", "failure", 2_000)]);
      assert.equal((await shown(ledger)).length, 1_000);
      assert.equal((await hintsOf(ledger, repo.id, sha("a"))).length, 2);
    });

    it("are deleted when they are old, unless their delivery has not ended", async () => {
      const ledger = await open();
      const facts = { ref: null, because: "CI", message: "", author: "", committedAt: null, state: "waiting" as const };
      for (const of of ["a", "b", "c"]) await save(ledger, [check("test", "success")], of);
      await ledger.transaction(async (tx) => {
        await ensureDelivery(tx, repo.id, sha("a"), facts);
        const { id } = await ensureDelivery(tx, repo.id, sha("b"), facts);
        await setState(tx, id, { from: ["waiting"], to: "superseded", because: "newer" });
      });
      await deleteOldRows(ledger, 60_000);
      assert.deepEqual(await shown(ledger, "c"), ["test success"], "they are not old yet");
      await deleteOldRows(ledger, -60_000);
      assert.deepEqual(
        [await shown(ledger, "a"), await shown(ledger, "b"), await shown(ledger, "c")],
        [["test success"], [], []],
      );
    });
  });
});
