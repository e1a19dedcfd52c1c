import assert from "node:assert/strict";
import { UserError } from "../../../src/delivery/errors.ts";
import { retryDelivery } from "../../../src/ledger/deliveries.ts";
import { attemptsOf } from "../../../src/ledger/leases.ts";
import { readLog } from "../../../src/ledger/logs.ts";
import { listReleases } from "../../../src/ledger/releases.ts";
import { prepareAhead } from "../../../workers/deliver/prepare-ahead.ts";
import { REPO } from "../../support/databases/ledgers.ts";
import { ci, startStation, type TestStation } from "./station.ts";
import { pipeline, storyOf } from "./story.ts";

describe("The version of a commit", function () {
  this.timeout(60_000);
  let at: TestStation;
  const story = storyOf(() => at);
  const { look, deliver, played, stands } = story;

  beforeEach(async () => {
    at = await startStation();
  });
  afterEach(() => at.close());

  const PIPELINE = pipeline({ on: { branches: ["main"], tags: ["v*"] } });
  const commit = (text: string) => at.repo.commit({ ".deliverd.yml": PIPELINE, a: text });
  async function tag(name: string, sha: string): Promise<void> {
    await at.repo.git(["tag", "--force", name, sha]);
    await at.repo.git(["push", "--quiet", "--force", at.repo.bare, `refs/tags/${name}`]);
  }
  const versions = async (sha: string) =>
    (await listReleases(at.station.ledger, { repoId: REPO, sha, limit: 9 })).items.flatMap((one) => one.versions);

  /** A commit whose build fails. */
  async function failed(...tags: string[]): Promise<string> {
    const sha = await commit("broken");
    for (const name of tags) await tag(name, sha);
    const { files } = at.station.builders;
    at.station.builders.files = { build: () => Promise.reject(new UserError("build-failed", "the build failed")) };
    assert.equal(await played(sha), "failed: the build failed");
    at.station.builders.files = files;
    return sha;
  }

  it("passes to the next commit if its tag is moved from a commit that failed", async () => {
    await failed("v1.0.0");
    const fix = await commit("fixed");
    await tag("v1.0.0", fix);
    assert.equal(await played(fix), "delivered: released 1.0.0");
  });

  it("is not that of a watched tag that is no version, and the log says so", async () => {
    const sha = await commit("1");
    await tag("v1.2", sha);
    assert.equal(await played(sha), `delivered: released 0.0.1-1.g${sha.slice(0, 7)}`);
    const chunks = await readLog(at.station.ledger, (await story.delivery(sha)).id);
    const log = chunks.map(({ text }) => text).join("");
    assert.match(
      log,
      /^The tag v1\.2 is no version, as v1\.2\.3 or 1\.2\.3 would be, so it gives this commit none\.$/m,
    );
  });

  it("is computed again when a failed commit is retried", async () => {
    const broken = await failed("v1.0.0");
    const fix = await commit("fixed");
    await tag("v1.0.0", fix);
    await played(fix);
    await retryDelivery(at.station.ledger, (await story.delivery(broken)).id);
    await deliver();
    assert.equal(await stands(broken), `delivered: released 0.0.1-1.g${broken.slice(0, 7)}`);
  });

  it("is not that of a tag that left the commit while CI ran", async () => {
    at.host.ciState = async () => ci("pending");
    const one = await commit("one");
    await tag("v1.0.0", one);
    await played(one);
    await prepareAhead(at.station, (await story.delivery(one)).id, new Set());
    const two = await commit("two");
    await tag("v1.0.0", two);
    at.host.ciState = async () => ci("green");
    assert.equal(await played(one), `delivered: released 0.0.1-1.g${one.slice(0, 7)}`);
    assert.equal(await played(two), "delivered: released 1.0.0");
  });

  it("comes from a new tag if another commit has the first tag's version", async () => {
    const one = await commit("one");
    await tag("v1.0.0", one);
    await played(one);
    const two = await commit("two");
    await tag("v1.0.0", two);
    assert.match(await played(two), /^failed: 1.0.0 belongs to/);
    await tag("v1.0.1", two);
    await look(two);
    await deliver();
    assert.match(await stands(two), /^delivered: released 1.0.1/);
    await look(two);
    assert.match(await stands(two), /^delivered/);
    assert.deepEqual(await versions(two), ["1.0.1"]);
  });

  it("also comes from a new tag if the commit was delivered before", async () => {
    const one = await commit("one");
    await tag("v1.0.0", one);
    await played(one);
    const two = await commit("two");
    await played(two);
    await tag("v1.0.0", two);
    await played(two);
    await tag("v1.0.1", two);
    assert.match(await played(two), /^delivered/);
    assert.ok((await versions(two)).includes("1.0.1"), String(await versions(two)));
  });

  it("comes from a later tag, which also makes a failed commit try again", async () => {
    const sha = await failed();
    await look(sha);
    assert.equal(await stands(sha), "failed: the build failed");
    await tag("v1.0.0", sha);
    assert.match(await played(sha), /^delivered: released/);
    assert.ok((await versions(sha)).includes("1.0.0"));
  });

  it("is decided only when the commit that the tag was moved from is no longer being delivered", async () => {
    const one = await commit("one");
    await tag("v1.0.0", one);
    const two = await commit("two");
    const { files } = at.station.builders;
    at.station.builders.files = {
      build: async () => {
        at.station.builders.files = files;
        await tag("v1.0.0", two);
        assert.match(await played(two), /^queued: trying again in .* 1\.0\.0 is still being delivered from/);
        throw new UserError("build-failed", "the build failed");
      },
    };
    assert.equal(await played(one), "failed: the build failed");
    const { errorCode } = (await attemptsOf(at.station.ledger, (await story.delivery(two)).id)).at(-1) ?? {};
    assert.equal(errorCode, "version-busy");
    await at.station.ledger.db.updateTable("deliveries").set({ retryAt: null }).execute();
    await deliver();
    assert.equal(await stands(two), "delivered: released 1.0.0");
  });
});
