import assert from "node:assert/strict";
import { Refused, TransientError } from "../../../src/delivery/errors.ts";
import { requestCancel } from "../../../src/ledger/cancel.ts";
import { retryDelivery } from "../../../src/ledger/deliveries.ts";
import { addHints } from "../../../src/ledger/hints.ts";
import { outboxOfCommit } from "../../../src/ledger/outbox.ts";
import type { Notice } from "../../../src/notices/notice.ts";
import { sweep } from "../../../workers/sweep/sweep.ts";
import { acmeApi, REPO } from "../../support/databases/ledgers.ts";
import { ci, startStation, type TestStation } from "./station.ts";
import { pipeline, storyOf } from "./story.ts";

const twoPlaces = pipeline({}, { publish: [{ to: "files" }, { to: "second" }] });

describe("A delivery at its point of no return", function () {
  this.timeout(60_000);
  let at: TestStation;
  let sha: string;
  /** What the second registry does with each file before it takes it. */
  let second: () => void | Promise<void>;
  const story = storyOf(() => at);

  beforeEach(async () => {
    at = await startStation();
    const target = { target: "sink", send: async () => {} };
    at.station.notifiers = [target as unknown as (typeof at.station.notifiers)[number]];
    const { files } = at.registries;
    at.station.registries.set("second", {
      ...files,
      find: async () => null,
      async publish(...given) {
        await second();
        return { ...(await files.publish(...given)), registry: "second" };
      },
    });
    at.station.config.registries.second = at.station.config.registries.files as never;
    second = isDown;
    sha = await at.repo.commit({ ".deliverd.yml": twoPlaces });
  });
  afterEach(() => at.close());

  const isDown = (): never => {
    throw new TransientError("registry-down", "the second registry is down");
  };
  const again = async () => {
    await at.station.ledger.db.updateTable("deliveries").set({ retryAt: null }).execute();
    await story.deliver();
  };
  /** What the notices that are owed about the commit say, by their ids' first words. */
  const told = async () => {
    const rows = (await outboxOfCommit(at.station.ledger, REPO, sha)).filter(({ kind }) => kind === "notice");
    return rows.map(({ payload }) => (payload as { notice: Notice }).notice.id.replace(/-[0-9a-f]+$/, "")).sort();
  };
  const stuck = async () => {
    assert.match(await story.played(sha), /^queued: trying again in \d+ s: the second registry is down/);
    assert.equal(at.registries.files.names.size, 1, "it stands in the first");
    second = () => {};
  };

  it("reports CI that turns red after the release, and not before", async () => {
    await stuck();
    at.host.ciState = async () => ci("red");
    await addHints(at.station.ledger, [
      { repo: acmeApi, event: "check_run completed", deliveryId: "", ref: null, sha },
    ]);
    await story.look(sha);
    await again();
    assert.match(await story.stands(sha), /^delivered: released 0\.0\.1-1\./);
    assert.deepEqual(await told(), ["release"]);
    await story.look(sha);
    assert.equal(
      await story.stands(sha),
      "delivered: CI turned red after the release: check test is red; what is published stays",
    );
    assert.deepEqual(await told(), ["ci-red", "release"]);
    assert.equal(at.built.length, 1);
  });

  it("reports a force-pushed branch after the release, and no longer reads the commit from the host", async () => {
    await stuck();
    await at.repo.git(["commit", "--quiet", "--amend", "--message", "Another"]);
    await at.repo.push();
    await at.repo.git(["-C", at.repo.bare, "gc", "--quiet", "--prune=now"]);
    at.host.cloneSource = async () => {
      throw new TransientError("git-host-unreachable", "nobody needs it");
    };
    await again();
    assert.match(await story.stands(sha), /^delivered: released /);
    at.host.cloneSource = async () => at.repo.source;
    await story.look(sha);
    assert.match(
      await story.stands(sha),
      /^delivered: the commit was removed while its names were being written: no branch/,
    );
    assert.deepEqual(await told(), ["gone", "release"]);
  });

  it("refuses a person's cancel, and announces it after the release", async () => {
    await stuck();
    const { id } = await story.delivery(sha);
    assert.equal(await requestCancel(at.station.ledger, id), "naming");
    await sweep(at.station, 0);
    await again();
    assert.match(await story.stands(sha), /^delivered: a person cancelled it while its names were being written/);
    assert.deepEqual(await told(), ["cancelled", "release"]);
    await story.look(sha);
    assert.equal((await story.delivery(sha)).state, "delivered", "the request ended with it");
  });

  it("continues despite changed server rules, a newer commit or a recreated repo", async () => {
    await stuck();
    at.station.config.repos = [];
    at.host.findRepo = async () => ({ hostId: "2", owner: "acme", name: "api", defaultBranch: "main" });
    assert.equal(
      await requestCancel(at.station.ledger, (await story.delivery(sha)).id, "newer", "superseded"),
      "naming",
    );
    await again();
    assert.match(await story.stands(sha), /^delivered: released /);
    assert.deepEqual(await told(), ["release"]);
  });

  it("can be retried after a registry refused it, and continues where it was", async () => {
    second = () => {
      throw new Refused("name-taken", "the second registry refuses");
    };
    assert.equal(await story.played(sha), "failed: the second registry refuses");
    at.host.ciState = async () => ci("red");
    await story.look(sha);
    assert.equal(await story.stands(sha), "failed: the second registry refuses");
    second = () => {};
    assert.equal(await retryDelivery(at.station.ledger, (await story.delivery(sha)).id), "queued");
    await story.deliver();
    assert.match(await story.stands(sha), /^delivered: released /);
    assert.equal(at.built.length, 1);
  });

  it("builds again if its bytes are lost before any name is written, whatever CI says", async () => {
    const { files } = at.registries;
    at.station.registries.set("files", { ...files, publish: async () => isDown() });
    assert.match(await story.played(sha), /^queued: trying again/);
    for (const { digest } of await at.station.store.list()) await at.station.store.remove(digest);
    at.host.ciState = async () => ci("red");
    at.station.registries.set("files", files);
    second = () => {};
    await again();
    assert.match(await story.stands(sha), /^delivered: released /);
    assert.equal(at.built.length, 2);
  });

  it("is still cancelled if the cancel came before that point, and writes no name", async () => {
    const { files } = at.station.builders;
    at.station.builders.files = {
      async build(order, run) {
        const built = await files.build(order, run);
        assert.equal(await requestCancel(at.station.ledger, (await story.delivery(sha)).id), "requested");
        return built;
      },
    };
    assert.equal(await story.played(sha), "cancelled: cancelled by a person");
    assert.equal(at.registries.files.names.size, 0);
    assert.equal((await story.delivery(sha)).naming, null);
  });
});
