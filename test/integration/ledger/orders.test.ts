import assert from "node:assert/strict";
import { addOrders, dueOrders, finishOrder, ordersOf, postponeOrder } from "../../../src/ledger/orders.ts";
import { deleteOldRows } from "../../../src/ledger/retention.ts";
import { acmeApi, eachLedger, REPO, SHA } from "../../support/databases/ledgers.ts";

const order = { repo: acmeApi, sha: SHA, action: "retry" as const, person: "octocat", event: "rerun", deliveryId: "d" };

describe("Orders of people in the ledger", () => {
  eachLedger((_name, open) => {
    it("are added once for each request, with the repo that they name", async () => {
      const ledger = await open();
      await Promise.all([addOrders(ledger, [order]), addOrders(ledger, [order])]);
      await addOrders(ledger, [{ ...order, action: "cancel" }]);
      assert.deepEqual(
        (await dueOrders(ledger)).map(({ action, person }) => [action, person]),
        [
          ["retry", "octocat"],
          ["cancel", "octocat"],
        ],
      );
    });

    it("without a request's id are different orders", async () => {
      const ledger = await open();
      for (let i = 0; i < 2; i++) await addOrders(ledger, [{ ...order, deliveryId: "" }]);
      assert.equal((await dueOrders(ledger)).length, 2);
    });

    it("are due until one process has recorded what came of them, and not before their next try", async () => {
      const ledger = await open();
      await addOrders(ledger, [order]);
      const [{ id } = { id: 0 }] = await dueOrders(ledger);
      await postponeOrder(ledger, id, "no answer", 60_000);
      assert.deepEqual(await dueOrders(ledger), []);
      await postponeOrder(ledger, id, "no answer", -1);
      assert.equal((await dueOrders(ledger))[0]?.attempts, 2);
      const worked: string[] = [];
      const finish = (because: string) =>
        finishOrder(ledger, id, async () => {
          worked.push(because);
          return because;
        });
      assert.deepEqual(await Promise.all([finish("tried again"), finish("too late")]), ["tried again", null]);
      assert.deepEqual(worked, ["tried again"]);
      assert.deepEqual(await dueOrders(ledger), []);
      assert.equal((await ordersOf(ledger, REPO, SHA))[0]?.because, "tried again");
    });

    it("are deleted long after they were carried out", async () => {
      const ledger = await open();
      await addOrders(ledger, [order, { ...order, deliveryId: "d-2" }]);
      const [{ id } = { id: 0 }] = await dueOrders(ledger);
      await finishOrder(ledger, id, async () => "tried again");
      await ledger.db.updateTable("orders").set({ doneAt: 1 }).where("id", "=", id).execute();
      assert.equal(await deleteOldRows(ledger, 60_000), 1);
      assert.equal((await ordersOf(ledger, REPO, SHA)).length, 1);
    });
  });
});
