import assert from "node:assert/strict";
import { stringify } from "yaml";
import { addHints } from "../../../src/ledger/hints.ts";
import { listReleases } from "../../../src/ledger/releases.ts";
import { reconcileNames } from "../../../workers/names/reconcile-names.ts";
import { acmeApi, REPO } from "../../support/databases/ledgers.ts";
import { startStation, type TestStation } from "./station.ts";
import { storyOf } from "./story.ts";

const TAGS = ["{version}", "{branch}", "latest", "{major}", "{major}.{minor}"];

/** One image, delivered without CI. */
function pipeline(as = "acme/api", on = { branches: ["main"], tags: ["v*"] }): string {
  const image = { name: "api", kind: "image", publish: [{ to: "local", as, tags: TAGS }] };
  return stringify({ version: 1, ci: "none", on, artifacts: [image] });
}

/** Each as it was reported of another tool. */
describe("The names of an image's versions", function () {
  this.timeout(60_000);
  let at: TestStation;
  let builds: number;
  /** Comes to pass in the middle of the next build. */
  let meanwhile: () => Promise<void>;
  const story = storyOf(() => at);

  beforeEach(async () => {
    at = await startStation();
    builds = 0;
    meanwhile = async () => {};
    const { image } = at.station.builders;
    at.station.builders.image = {
      async build(order, run) {
        builds += 1;
        await meanwhile();
        return image.build(order, run);
      },
    };
  });
  afterEach(() => at.close());

  const commit = (text: string, yaml = pipeline()) =>
    at.repo.commit({ ".deliverd.yml": yaml, Dockerfile: `FROM scratch\n# ${text}\n` });
  async function tag(name: string, sha: string, ...options: string[]): Promise<void> {
    await at.repo.git(["tag", ...options, name, sha]);
    await at.repo.push();
  }
  /** Looks at the commit, delivers it where that says so, and puts the moving names in their places. */
  async function deliver(sha: string): Promise<string> {
    await story.look(sha);
    await story.deliver();
    await reconcileNames(at.station, { repo: REPO, artifact: "api" });
    return story.stands(sha);
  }
  /** The commits whose images stand under these names. */
  async function holders(...names: string[]): Promise<(string | undefined)[]> {
    const { items } = await listReleases(at.station.ledger, { repoId: REPO, limit: 100 });
    const shaOf = (name: string) => {
      const digest = at.registries.local.names.get(name.includes(":") ? name : `acme/api:${name}`)?.digest;
      return items.find((release) => release.digest === digest)?.sha;
    };
    return names.map(shaOf);
  }

  // docker/metadata-action 326, 80 and 40
  for (const [higher, lower] of [
    ["2.5.2", "1.1.1"],
    ["2.0.1", "1.9.1"],
    ["2.5.2", "2.4.9"],
  ] as const) {
    it(`keep latest on ${higher} when ${lower} is tagged later, and when the default branch moves on`, async () => {
      const old = await commit("old");
      const main = await commit("main");
      await tag(`v${higher}`, main);
      await deliver(main);
      await at.repo.git(["checkout", "--quiet", "-b", "old", old]);
      const fix = await commit("fix");
      await tag(`v${lower}`, fix);
      await deliver(fix);
      await at.repo.git(["checkout", "--quiet", "main"]);
      const next = await commit("next");
      await deliver(next);
      const minor = lower.slice(0, 3);
      assert.deepEqual(await holders("latest", "2", lower, minor, "main"), [main, main, fix, fix, next]);
    });
  }

  // goreleaser/goreleaser 1965, 3731 and 4134
  it("include those of its release candidate, and latest moves only with the final version", async () => {
    const before = await commit("before");
    await tag("v1.22.0", before);
    await deliver(before);
    const sha = await commit("candidate");
    await tag("v1.22.1-rc1", sha);
    assert.equal(await deliver(sha), "delivered: released 1.22.1-rc1");
    assert.deepEqual(await holders("1.22.1-rc1", "1.22", "1", "latest"), [sha, before, before, before]);
    await tag("v1.22.1", sha);
    assert.equal(await deliver(sha), "delivered: released 1.22.1-rc1, 1.22.1");
    assert.deepEqual(await holders("1.22.1-rc1", "1.22.1", "1.22", "1", "latest"), Array(5).fill(sha));
    assert.equal(builds, 2);
  });

  // semantic-release/semantic-release 1229 and 1502, packit/packit 2207
  it("stay where they are if a version tag moves from another branch to the default branch", async () => {
    const base = await commit("base");
    await tag("v1.1.1", base);
    await deliver(base);
    await at.repo.git(["checkout", "--quiet", "-b", "side"]);
    const side = await commit("side");
    await tag("v1.1.2", side);
    await deliver(side);
    await at.repo.git(["checkout", "--quiet", "main"]);
    const next = await commit("next");
    // Counted from what it can be reached from.
    assert.equal(await deliver(next), `delivered: released 1.1.2-1.g${next.slice(0, 7)}`);
    assert.deepEqual(await holders("latest", "1.1.2", "main"), [side, side, next]);
    await tag("v1.1.2", next, "--force");
    assert.match(await deliver(next), new RegExp(`^failed: 1\\.1\\.2 belongs to ${side}`));
    await deliver(side);
    assert.deepEqual(await holders("latest", "1.1", "1.1.2", "main"), [side, side, side, next]);
  });

  // woodpecker-ci/woodpecker 274 and 5581
  for (const [first, second] of [
    ["refs/heads/main", "refs/tags/v1.0.0"],
    ["refs/tags/v1.0.0", "refs/heads/main"],
  ] as const) {
    it(`belong to one delivery and one build if ${second} is pushed while ${first} is built`, async () => {
      const sha = await commit("one");
      const { bare } = at.repo;
      await at.repo.git(["tag", "v1.0.0", sha]);
      await at.repo.git(["--git-dir", bare, "update-ref", "-d", "refs/heads/main"]);
      const push = async (ref: string) => {
        await at.repo.git(["push", "--quiet", bare, ref]);
        const of = (event: string, known: string | null) => ({ repo: acmeApi, event, deliveryId: "", ref, sha: known });
        await addHints(at.station.ledger, [of("push", sha), of("create", null)]);
      };
      meanwhile = async () => {
        await push(second);
        await story.look(sha, second);
      };
      await push(first);
      await deliver(sha);
      assert.match(await deliver(sha), /^delivered: released .*1\.0\.0$/);
      assert.deepEqual(await holders("main", "1.0.0", "latest"), [sha, sha, sha]);
      const { items } = await listReleases(at.station.ledger, { repoId: REPO, limit: 10 });
      assert.deepEqual([items.length, builds], [1, 1]);
    });
  }

  // docker/build-push-action 96, docker-archive/github-actions 19
  it("keep moving if somebody creates a branch whose name no repository can have", async () => {
    const one = await commit("one", pipeline("acme/{branch}", { branches: ["**"], tags: [] }));
    await deliver(one);
    for (const name of ["Feature/#6-a=b", "\u{1F4E6}"]) await at.repo.git(["branch", name, one]);
    await at.repo.push();
    assert.match(await deliver(one), /^delivered: /);
    const two = await commit("two", pipeline("acme/{branch}", { branches: ["**"], tags: [] }));
    assert.match(await deliver(two), /^delivered: /);
    const names = ["acme/main:latest", "acme/feature/6-a-b:latest", "acme/main:main"];
    assert.deepEqual(await holders(...names), [two, one, two]);
  });
});
