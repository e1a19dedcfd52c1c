import assert from "node:assert/strict";
import { requestCancel } from "../../../src/ledger/cancel.ts";
import { retryDelivery } from "../../../src/ledger/deliveries.ts";
import { recordHeads } from "../../../src/ledger/heads.ts";
import { sweep } from "../../../workers/sweep/sweep.ts";
import { REPO } from "../../support/databases/ledgers.ts";
import { ci, startStation, type TestStation } from "./station.ts";
import { pipeline, storyOf } from "./story.ts";

const superseding = pipeline({ supersede: true, on: { branches: ["main", "release/*"], tags: ["v*"] } });

describe("A request to stop a delivery", function () {
  this.timeout(60_000);
  let at: TestStation;
  const story = storyOf(() => at);

  beforeEach(async () => {
    at = await startStation();
  });
  afterEach(() => at.close());

  const commit = (text: string) => at.repo.commit({ ".deliverd.yml": superseding, a: text });
  const tag = async (name: string, sha: string, ...more: string[]) => {
    await at.repo.git(["tag", ...more, name, sha]);
    await at.repo.push();
  };
  const pending = () => {
    at.host.ciState = async () => ci("pending");
  };
  const green = () => {
    at.host.ciState = async () => ci("green");
  };
  const id = async (sha: string) => (await story.delivery(sha)).id;

  it("does not supersede a commit any more that gets a version tag", async () => {
    const older = await commit("1");
    pending();
    await story.look(older);
    const newer = await commit("2");
    await story.look(newer);
    assert.equal(await story.stands(older), `superseded: superseded by ${newer}`);
    await tag("v1.0.0", older);
    await story.look(older);
    await story.look(newer);
    assert.equal(await story.stands(older), "waiting: check test is pending");
    green();
    assert.equal(await story.played(older), "delivered: released 1.0.0");
  });

  it("does not leave a commit queued that has a version tag and is superseded at once", async () => {
    const older = await commit("1");
    await tag("v2.0.0", older);
    await story.look(older);
    const newer = await commit("2");
    await story.look(newer);
    await sweep(at.station, 0);
    await story.deliver();
    await story.deliver();
    assert.equal(await story.stands(older), "delivered: released 2.0.0");
    assert.match(await story.stands(newer), /^delivered: released 2\.0\.1-1\./);
  });

  it("that came too late does not end the delivery of a later version tag", async () => {
    const sha = await commit("1");
    const { files } = at.registries;
    at.station.registries.set("files", {
      ...files,
      async publish(...given) {
        assert.equal(await requestCancel(at.station.ledger, await id(sha)), "naming");
        return files.publish(...given);
      },
    });
    await story.played(sha);
    assert.equal((await story.delivery(sha)).state, "delivered");
    at.station.registries.set("files", files);
    await tag("v1.0.0", sha);
    await story.played(sha);
    await sweep(at.station, 0);
    assert.match(await story.stands(sha), /^delivered: released 0\.0\.1-1\.\w+, 1\.0\.0$/);
  });

  it("does not end a person's retry of a cancelled or superseded delivery", async () => {
    const older = await commit("1");
    pending();
    await story.look(older);
    assert.equal(await requestCancel(at.station.ledger, await id(older)), "ended");
    const newer = await commit("2");
    assert.equal(await retryDelivery(at.station.ledger, await id(older)), "queued");
    await story.look(newer);
    await sweep(at.station, 0);
    assert.equal(await story.stands(older), "queued: tried again by a person");
    green();
    await story.deliver();
    assert.match(await story.stands(older), /^delivered: /);
  });

  it("ends the delivery if its worker died before it noticed, but no later retry", async () => {
    const sha = await commit("1");
    await story.look(sha);
    const { ledger } = at.station;
    await ledger.db.updateTable("deliveries").set({ state: "building", leaseOwner: "x", leaseUntil: 9e15 }).execute();
    assert.equal(await requestCancel(ledger, await id(sha)), "requested");
    await ledger.db.updateTable("deliveries").set({ leaseUntil: 1 }).execute();
    await story.deliver();
    await sweep(at.station, 0);
    assert.equal(await story.stands(sha), "cancelled: cancelled by a person");
    assert.equal(await story.status(sha), "error: cancelled by a person");
    await retryDelivery(ledger, await id(sha));
    await sweep(at.station, 0);
    await story.deliver();
    assert.match(await story.stands(sha), /^delivered: /);
  });

  it("supersedes an older commit even if the newer one is evaluated first", async () => {
    pending();
    const older = await commit("1");
    const newer = await commit("2");
    await recordHeads(at.station.ledger, REPO, [{ ref: "refs/heads/main", sha: older }]);
    await story.look(newer);
    await story.look(older);
    assert.equal(await story.stands(older), `superseded: superseded by ${newer}`);
  });

  it("does not supersede the newest commit of another branch", async () => {
    pending();
    const older = await commit("1");
    await at.repo.git(["branch", "release/1"]);
    const newer = await commit("2");
    await story.look(older, "refs/heads/main");
    await story.look(newer);
    assert.equal(await story.stands(older), "waiting: check test is pending");
  });
});
