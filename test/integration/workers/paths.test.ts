import assert from "node:assert/strict";
import { findReleasesByVersion } from "../../../src/api/find-releases.ts";
import { artifactsOf } from "../../../src/ledger/artifacts.ts";
import { reconcileNames } from "../../../workers/names/reconcile-names.ts";
import { REPO } from "../../support/databases/ledgers.ts";
import { startStation, type TestStation } from "./station.ts";
import { pipeline, storyOf } from "./story.ts";

const watched = pipeline({ ci: "none" }, { paths: ["api/**"] });

describe("An artifact with paths", function () {
  this.timeout(60_000);
  let at: TestStation;
  const story = storyOf(() => at);

  beforeEach(async () => {
    at = await startStation();
  });
  afterEach(() => at.close());

  const artifact = async (sha: string) => {
    const [tool] = await artifactsOf(at.station.ledger, (await story.delivery(sha)).id);
    return tool?.because;
  };
  const commit = (api: string, more: Record<string, string> = {}) =>
    at.repo.commit({ ".deliverd.yml": watched, "api/a": api, ...more });
  const toucher = async (api: string, parent: string, ...others: string[]) => {
    await at.repo.git(["checkout", "--quiet", parent]);
    await at.repo.git(["merge", "--quiet", "--no-commit", "--no-ff", "--strategy=ours", ...others]);
    return commit(api);
  };

  it("has its own highest version as latest, though an unrelated commit has a higher git tag", async () => {
    const one = await commit("1");
    await at.repo.git(["tag", "v1.0.0", one]);
    await story.played(one);
    const two = await commit("2");
    await at.repo.git(["tag", "v1.1.0", two]);
    const three = await commit("2", { "web/b": "1" });
    await at.repo.git(["tag", "v2.0.0", three]);
    await at.repo.git(["push", "--quiet", "--tags", at.repo.bare]);
    await story.played(two);
    assert.equal(await story.played(three), "delivered: nothing changed that this pipeline releases");
    await reconcileNames(at.station, { repo: REPO, artifact: "tool" });
    const latest = await findReleasesByVersion(at.station.ledger, "tool", "latest", REPO);
    assert.deepEqual(
      latest.map(({ versions }) => versions),
      [["1.1.0"]],
    );
  });

  it("is released again by a revert, though the same content was released last", async () => {
    const a = await commit("good");
    const b = await commit("bad");
    const c = await commit("good");
    await story.played(b);
    await story.played(a);
    assert.match(await story.played(c), /^delivered: released 0\.0\.1-3\./);
    assert.deepEqual((await story.releases()).toSorted(), [a, b, c].toSorted());
  });

  it("is released by a revert of what was never released", async () => {
    const a = await commit("good");
    await commit("bad");
    const c = await commit("good");
    await story.played(a);
    assert.match(await story.played(c), /^delivered: released /);
  });

  it("is unchanged since the nearest release before it, whatever was released last", async () => {
    const a = await commit("one");
    const b = await commit("two");
    const c = await commit("two", { "web/b": "1" });
    await story.played(b);
    await story.played(a);
    assert.equal(await story.played(c), "delivered: nothing changed that this pipeline releases");
    assert.match((await artifact(c)) ?? "", /^unchanged since 0\.0\.1-2\./);
    assert.deepEqual((await story.releases()).toSorted(), [a, b].toSorted());
  });

  it("is unchanged by the merge of an older branch that did not touch it", async () => {
    const a = await commit("one");
    await at.repo.git(["checkout", "--quiet", "-b", "side"]);
    const side = await at.repo.commit({ "web/b": "1" });
    await at.repo.git(["checkout", "--quiet", "main"]);
    const b = await commit("two");
    await at.repo.git(["merge", "--quiet", "--no-edit", "side"]);
    await at.repo.push();
    const merge = await at.repo.git(["rev-parse", "HEAD"]);
    for (const sha of [a, b]) await story.played(sha);
    assert.equal(await story.played(merge), "delivered: nothing changed that this pipeline releases");
    assert.deepEqual(await story.releases(side), []);
  });

  it("is released by a merge that drops the change of one side", async () => {
    const a = await commit("one");
    await at.repo.git(["checkout", "--quiet", "-b", "side"]);
    const side = await commit("two");
    const merge = await toucher("one", "main", side);
    await at.repo.git(["push", "--quiet", at.repo.bare, "HEAD:refs/heads/main"]);
    await story.played(a);
    assert.match(await story.played(merge), /^delivered: released /);
  });
});
