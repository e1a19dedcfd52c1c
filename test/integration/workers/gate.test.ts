import assert from "node:assert/strict";
import { TransientError } from "../../../src/delivery/errors.ts";
import { addHints } from "../../../src/ledger/hints.ts";
import { evaluate } from "../../../workers/evaluate/evaluate.ts";
import { acmeApi, REPO } from "../../support/databases/ledgers.ts";
import { ci, startStation, type TestStation } from "./station.ts";
import { pipeline, storyOf } from "./story.ts";

const HOUR = 3_600_000;
const both = pipeline({ on: { branches: ["main", "release/*"], tags: [] } });

describe("The gate of a commit", function () {
  this.timeout(60_000);
  let at: TestStation;
  const story = storyOf(() => at);

  beforeEach(async () => {
    at = await startStation();
  });
  afterEach(() => at.close());

  /** Lets the clock of the ledger seem to have run on since a commit began to wait. */
  const hasWaited = (ms: number) =>
    at.station.ledger.db
      .updateTable("deliveries")
      .set((eb) => ({ waitingSince: eb("waitingSince", "-", ms) }))
      .execute();
  const answer = (verdict: Parameters<typeof ci>[0]) => {
    at.host.ciState = async () => ci(verdict);
  };

  for (const told of [
    ["refs/heads/main", "refs/heads/release/1"],
    ["refs/heads/release/1", "refs/heads/main"],
  ])
    it(`requires the checks of each of its watched branches if ${told[0]} is reported first`, async () => {
      const sha = await at.repo.commit({ ".deliverd.yml": both });
      await at.repo.git(["branch", "release/1"]);
      await at.repo.git(["branch", "feature"]);
      await at.repo.push();
      const asked: (readonly string[])[] = [];
      at.host.ciState = async (_commit, _gate, branches) => {
        asked.push(branches);
        return ci("pending");
      };
      for (const ref of told)
        await addHints(at.station.ledger, [{ repo: acmeApi, event: "push", deliveryId: "", ref, sha }]);
      await story.look(sha);
      await story.look(sha);
      assert.deepEqual(asked, [
        ["main", "release/1"],
        ["main", "release/1"],
      ]);
    });

  it("counts its timeout from when the commit began to wait, not from when it was ignored", async () => {
    await at.repo.git(["checkout", "--quiet", "-b", "feature"]);
    const sha = await at.repo.commit({ ".deliverd.yml": both });
    await story.look(sha);
    assert.match(await story.stands(sha), /^ignored: /);
    await at.station.ledger.db
      .updateTable("deliveries")
      .set((eb) => ({ createdAt: eb("createdAt", "-", 7 * HOUR) }))
      .execute();
    await at.repo.git(["branch", "main"]);
    await at.repo.push();
    answer("pending");
    await story.look(sha);
    assert.equal(await story.stands(sha), "waiting: check test is pending");
    await hasWaited(7 * HOUR);
    await story.look(sha);
    assert.equal(await story.stands(sha), "failed: CI did not finish in time: check test is pending");
  });

  it("decides again when CI reports after its timeout, also after an attempt that found CI not green", async () => {
    const sha = await at.repo.commit({ ".deliverd.yml": both });
    let asked = 0;
    at.host.ciState = async () => ci(++asked === 1 ? "green" : "pending");
    assert.equal(await story.played(sha), "waiting: check test is pending");
    assert.equal((await story.delivery(sha)).attempts, 1);
    await hasWaited(7 * HOUR);
    await story.look(sha);
    assert.equal((await story.delivery(sha)).state, "failed");
    answer("red");
    await story.look(sha);
    assert.equal(await story.stands(sha), "waiting: check test is red");
    answer("pending");
    await story.look(sha);
    assert.equal((await story.delivery(sha)).state, "waiting", "it has begun to wait anew");
    await hasWaited(7 * HOUR);
    await story.look(sha);
    answer("green");
    assert.match(await story.played(sha), /^delivered: released /);
  });

  it("decides again if the pipeline was bad when the attempt began", async () => {
    const sha = await at.repo.commit({ ".deliverd.yml": both });
    await story.look(sha);
    const { files } = at.station.config.registries;
    at.station.config.registries = {};
    await story.deliver();
    assert.match(
      await story.stands(sha),
      /^failed: \.deliverd\.yml:11: artifacts\[0\]\.publish\[0\]\.to: artifact "tool" goes to "files"/,
    );
    assert.ok(files);
    at.station.config.registries = { files };
    at.station.builders.files = { build: () => Promise.reject(new TransientError("engine", "no engine")) };
    assert.match(await story.played(sha), /^queued: trying again/);
  });

  it("waits for its host, and says so everywhere, while the host gives no useful answer", async () => {
    const sha = await at.repo.commit({ ".deliverd.yml": both });
    answer("red");
    await story.look(sha);
    assert.equal(await story.status(sha), "failure: check test is red");
    let seconds = 60;
    at.host.ciState = async () => {
      throw new TransientError("github-rate-limited", `GitHub limits us, for ${seconds} s`);
    };
    await assert.rejects(story.look(sha), { code: "github-rate-limited" });
    const because = "waiting for an answer from github (github-rate-limited): GitHub limits us, for 60 s";
    assert.equal(await story.stands(sha), `waiting: ${because}`);
    assert.equal(await story.status(sha), `pending: ${because}`);
    seconds = 30;
    await assert.rejects(story.look(sha));
    assert.equal(await story.stands(sha), `waiting: ${because}`, "the same trouble is said once");
    answer("green");
    assert.match(await story.played(sha), /^delivered: /);
  });

  it("waits for a host that did not answer at the first look, and for one whose git does not answer", async () => {
    const sha = await at.repo.commit({ ".deliverd.yml": both });
    at.host.ciState = async () => {
      throw new TransientError("github-answer-unusable", "GitHub's answer is not a check suite");
    };
    await assert.rejects(story.look(sha));
    const text = "waiting for an answer from github (github-answer-unusable): GitHub's answer is not a check suite";
    assert.equal(await story.status(sha), `pending: ${text}`);
    at.host.cloneSource = async () => {
      throw new TransientError("git-host-unreachable", "it cannot be reached");
    };
    await assert.rejects(evaluate(at.station, { repo: REPO, sha, ref: null }));
    assert.match(await story.stands(sha), /^waiting: waiting for an answer from github \(git-host-unreachable\)/);
  });
});
