import assert from "node:assert/strict";
import { UserError } from "../../../src/delivery/errors.ts";
import { requestCancel } from "../../../src/ledger/cancel.ts";
import { retryDelivery } from "../../../src/ledger/deliveries.ts";
import { addHints, pendingTargets } from "../../../src/ledger/hints.ts";
import { attemptsOf } from "../../../src/ledger/leases.ts";
import type { Jobs, QueueName } from "../../../src/queue/queues.ts";
import { deliverNext } from "../../../workers/deliver/deliver.ts";
import { prepareAhead } from "../../../workers/deliver/prepare-ahead.ts";
import { evaluate } from "../../../workers/evaluate/evaluate.ts";
import { reconcileNames } from "../../../workers/names/reconcile-names.ts";
import { sweep } from "../../../workers/sweep/sweep.ts";
import { acmeApi, REPO } from "../../support/databases/ledgers.ts";
import { ci, startStation, type TestStation } from "./station.ts";
import { pipeline, storyOf } from "./story.ts";

describe("The sweep, after the queue lost all messages,", function () {
  this.timeout(60_000);
  let at: TestStation;
  const story = storyOf(() => at);

  beforeEach(async () => {
    at = await startStation();
    at.station.queues.add = async () => false;
  });
  afterEach(() => at.close());

  /** Lets the sweep queue what it finds, and does those jobs: as after a Redis that lost them all. */
  async function swept(): Promise<QueueName[]> {
    const jobs: { name: QueueName; data: Jobs[QueueName] }[] = [];
    at.station.queues.add = async (name, data) => {
      jobs.push({ name, data });
      return true;
    };
    await sweep(at.station, 0);
    at.station.queues.add = async () => false;
    for (const { name, data } of jobs) {
      if (name === "evaluate") await evaluate(at.station, data as Jobs["evaluate"]);
      if (name === "deliver") await deliverNext(at.station, new Set());
      if (name === "prepare") await prepareAhead(at.station, (data as Jobs["prepare"]).delivery, new Set());
      if (name === "names") await reconcileNames(at.station, data as Jobs["names"]);
    }
    return [...new Set(jobs.map(({ name }) => name))].filter((name) => name !== "announce").sort();
  }
  const whileBuilding = (doing: () => Promise<void>): void => {
    const { files } = at.station.builders;
    at.station.builders.files = {
      async build(order, run) {
        await doing();
        return files.build(order, run);
      },
    };
  };
  const hint = (ref: string | null, sha: string | null) =>
    addHints(at.station.ledger, [{ repo: acmeApi, event: "push", deliveryId: "", ref, sha }]);

  it("finds a version tag that was reported with its commit during a build", async () => {
    const sha = await at.repo.commit({ ".deliverd.yml": pipeline() });
    whileBuilding(async () => {
      await at.repo.git(["tag", "v1.0.0", sha]);
      await at.repo.push();
      await hint("refs/tags/v1.0.0", sha);
      await story.look(sha);
    });
    await story.played(sha);
    assert.match(await story.stands(sha), /^delivered: released 0\.0\.1-1\./);
    await swept();
    await swept();
    assert.match(await story.stands(sha), /, 1\.0\.0$/);
    assert.deepEqual(await pendingTargets(at.station.ledger, 10), []);
  });

  it("finds an annotated tag that was reported without its commit during a build", async () => {
    const sha = await at.repo.commit({ ".deliverd.yml": pipeline() });
    whileBuilding(async () => {
      await at.repo.git(["tag", "-a", "-m", "One", "v1.0.0", sha]);
      await at.repo.push();
      await hint("refs/tags/v1.0.0", null);
      await evaluate(at.station, { repo: REPO, sha: null, ref: "refs/tags/v1.0.0" });
    });
    await story.played(sha);
    await swept();
    await swept();
    assert.match(await story.stands(sha), /, 1\.0\.0$/);
  });

  it("does not evaluate hints during their commit's attempt, nor those that the attempt has read", async () => {
    const sha = await at.repo.commit({ ".deliverd.yml": pipeline() });
    await hint("refs/heads/main", sha);
    await at.station.ledger.db.updateTable("hints").set({ receivedAt: 0 }).execute();
    await story.look(sha);
    await hint(null, sha);
    assert.deepEqual(await pendingTargets(at.station.ledger, 10), []);
    await story.deliver();
    assert.deepEqual(await pendingTargets(at.station.ledger, 10), []);
  });

  it("evaluates again when a check has settled, and when an attempt found CI no longer green", async () => {
    const sha = await at.repo.commit({ ".deliverd.yml": pipeline() });
    at.host.ciState = async () => ({ ...ci("pending"), retryAt: at.station.clock.now() - 1 });
    await story.look(sha);
    at.host.ciState = async () => ci("green");
    assert.deepEqual(await swept(), ["evaluate", "prepare"]);
    assert.match(await story.stands(sha), /^queued: /);
    at.host.ciState = async () => ci("pending");
    await story.deliver();
    assert.equal(await story.stands(sha), "waiting: check test is pending");
    at.host.ciState = async () => ci("green");
    assert.ok((await swept()).includes("evaluate"));
    assert.match(await story.stands(sha), /^queued: /);
  });

  it("queues a preparation ahead once, and not again", async () => {
    const sha = await at.repo.commit({ ".deliverd.yml": pipeline() });
    at.host.ciState = async () => ci("pending");
    await story.look(sha);
    assert.deepEqual(await swept(), ["prepare"]);
    assert.equal(at.built.length, 1);
    assert.deepEqual(await swept(), []);
  });

  it("ends a delivery that was cancelled while its worker died, and reports it on the commit", async () => {
    const sha = await at.repo.commit({ ".deliverd.yml": pipeline() });
    await story.look(sha);
    const { ledger } = at.station;
    await ledger.db.updateTable("deliveries").set({ leaseOwner: "x", leaseUntil: 9e15 }).execute();
    assert.equal(await requestCancel(ledger, (await story.delivery(sha)).id), "requested");
    await ledger.db.updateTable("deliveries").set({ leaseUntil: 1 }).execute();
    await swept();
    assert.equal(await story.status(sha), "error: cancelled by a person");
  });

  it("queues a delivery's attempt, and its moving names after the attempt", async () => {
    const sha = await at.repo.commit({ ".deliverd.yml": pipeline() });
    await story.look(sha);
    assert.deepEqual(await swept(), ["deliver"]);
    assert.deepEqual(await swept(), ["names"]);
    assert.deepEqual(await swept(), []);
  });

  describe("if a build failed while its commit waited,", () => {
    let sha: string;
    let tried: number;

    beforeEach(async () => {
      tried = 0;
      at.station.builders.files = {
        build: async () => {
          tried += 1;
          throw new UserError("build-failed", "exit code 1\nand more");
        },
      };
      sha = await at.repo.commit({ ".deliverd.yml": pipeline() });
      at.host.ciState = async () => ci("pending");
      await story.look(sha);
      await swept();
    });
    const willFail = "will fail once CI is green: exit code 1";

    it("reports that at once, and still reports it while CI runs", async () => {
      assert.equal(await story.stands(sha), `waiting: ${willFail}`);
      assert.equal(await story.status(sha), `failure: ${willFail}`);
      await story.look(sha);
      assert.equal(await story.status(sha), `failure: ${willFail}`);
      at.host.ciState = async () => ci("red");
      await story.look(sha);
      assert.equal(await story.status(sha), "failure: check test is red");
    });

    it("does not build the same bytes again when CI is green, but does when a person retries", async () => {
      at.host.ciState = async () => ci("green");
      await story.look(sha);
      assert.deepEqual([await story.stands(sha), tried], ["failed: exit code 1", 1]);
      await story.look(sha);
      assert.deepEqual(await swept(), []);
      assert.equal(tried, 1);
      await retryDelivery(at.station.ledger, (await story.delivery(sha)).id);
      await story.deliver();
      assert.equal(tried, 2);
      assert.equal((await attemptsOf(at.station.ledger, (await story.delivery(sha)).id)).at(-1)?.outcome, "failed");
    });
  });
});
