import assert from "node:assert/strict";
import { TransientError } from "../../../src/delivery/errors.ts";
import type { Host } from "../../../src/hosts/host.ts";
import { decisionsOf } from "../../../src/ledger/decisions.ts";
import { setState } from "../../../src/ledger/deliveries.ts";
import { addOrders, dueOrders, type NewOrder, ordersOf } from "../../../src/ledger/orders.ts";
import { carryOutOrders } from "../../../workers/evaluate/carry-out-orders.ts";
import { acmeApi, REPO, SHA } from "../../support/databases/ledgers.ts";
import { ci, startStation, type TestStation } from "./station.ts";
import { pipeline, storyOf } from "./story.ts";

const IDLE: (answer: boolean) => void = () => {};

describe("An order of a person at the host", function () {
  this.timeout(60_000);
  let at: TestStation;
  let host: Pick<Host, "mayWrite">;
  let sha: string;
  const story = storyOf(() => at);

  beforeEach(async () => {
    at = await startStation();
    host = at.host as Pick<Host, "mayWrite">;
    host.mayWrite = async (repo, person) => repo.id === REPO && person === "octocat";
    sha = await at.repo.commit({ ".deliverd.yml": pipeline() });
  });
  afterEach(() => at.close());

  const failed = async () => {
    assert.match(await story.played(sha), /^delivered/);
    const { id } = await story.delivery(sha);
    await setState(at.station.ledger, id, { from: ["delivered"], to: "failed", because: "the registry said no" });
  };
  const given = (order: Partial<NewOrder> = {}) => {
    const said = { person: "octocat", event: "check_run rerequested", deliveryId: "d-1" };
    return addOrders(at.station.ledger, [{ repo: acmeApi, sha, action: "retry", ...said, ...order }]);
  };
  const outcome = async (of = sha) => (await ordersOf(at.station.ledger, REPO, of)).map(({ because }) => because);
  const lastDecision = async () => (await decisionsOf(at.station.ledger, REPO, sha)).at(-1)?.because;

  it("retries a failed delivery as the API does, and says who asked", async () => {
    await failed();
    await given();
    await carryOutOrders(at.station);
    assert.equal(await story.stands(sha), "queued: tried again by octocat");
    assert.equal(await story.status(sha), "pending: tried again by octocat");
    assert.equal(await lastDecision(), "octocat asked to retry it (check_run rerequested): it is tried again");
    assert.deepEqual(await dueOrders(at.station.ledger), []);
    await story.deliver();
    assert.match(await story.stands(sha), /^delivered/);
  });

  it("cancels a delivery that waits", async () => {
    at.host.ciState = async () => ci("pending");
    await story.played(sha);
    await given({ action: "cancel" });
    await carryOutOrders(at.station);
    assert.equal(await story.stands(sha), "cancelled: cancelled by octocat");
  });

  it("is refused in a state that cannot be retried, as the API refuses it", async () => {
    at.host.ciState = async () => ci("pending");
    await story.played(sha);
    await given();
    await carryOutOrders(at.station);
    assert.deepEqual(await outcome(), ["a delivery that is waiting cannot be retried"]);
  });

  it("is refused to a person without write access, and where the host cannot say", async () => {
    await failed();
    await given({ person: "mallory" });
    await carryOutOrders(at.station);
    delete host.mayWrite;
    await given({ deliveryId: "d-2" });
    await carryOutOrders(at.station);
    assert.deepEqual(await outcome(), [
      "refused: mallory may not write to github/acme/api",
      "refused: github cannot say whether octocat may write to the repo",
    ]);
    assert.match(await story.stands(sha), /^failed/);
    assert.match((await lastDecision()) ?? "", /^octocat asked to retry it .* and was refused/);
  });

  it("waits while the host does not say who may write, and is not lost", async () => {
    await failed();
    await given();
    host.mayWrite = async () => {
      throw new TransientError("github-unavailable", "GitHub is down", { retryAfter: 60_000 });
    };
    await carryOutOrders(at.station);
    assert.deepEqual(await dueOrders(at.station.ledger), [], "not due before the host asked for");
    assert.deepEqual(await outcome(), ["GitHub is down"]);
    await at.station.ledger.db.updateTable("orders").set({ retryAt: 1 }).execute();
    host.mayWrite = async () => true;
    await carryOutOrders(at.station);
    assert.match(await story.stands(sha), /^queued/);
  });

  it("is carried out once, though its webhook comes twice and two workers read it", async () => {
    await failed();
    await given();
    await given();
    // Both have read the order before one of them carries it out.
    let first = IDLE;
    host.mayWrite = () =>
      new Promise((resolve) => {
        first(true);
        if (first !== IDLE) resolve(true);
        first = resolve;
      });
    await Promise.all([carryOutOrders(at.station), carryOutOrders(at.station)]);
    assert.deepEqual(await outcome(), ["it is tried again"]);
    const said = (await decisionsOf(at.station.ledger, REPO, sha)).filter(({ because }) => /octocat/.test(because));
    assert.equal(said.length, 1);
  });

  it("about a commit without a delivery, or from the day before, is refused in words", async () => {
    await failed();
    await given({ sha: SHA });
    await carryOutOrders(at.station);
    assert.deepEqual(await outcome(SHA), ["refused: this commit has no delivery"]);
    await given();
    await at.station.ledger.db.updateTable("orders").set({ receivedAt: 1 }).execute();
    await carryOutOrders(at.station);
    assert.deepEqual(await outcome(), ["refused: it could not be carried out within a day"]);
  });
});
