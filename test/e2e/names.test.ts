import assert from "node:assert/strict";
import type { Why } from "../../src/api/why.ts";
import type { ReleaseView } from "../../src/delivery/release-view.ts";
import type { SampleRepo } from "../support/fixtures/sample-repo.ts";
import { until } from "../support/processes/process.ts";
import { image, pipeline, startWorld, stopAndCheck, type World } from "../support/world/world.ts";

const ANY_BRANCH = { on: { branches: ["**"], tags: ["*"] } };

describe("The ownership of names in a registry", function () {
  this.timeout(120_000);
  let world: World;

  before(async () => {
    world = await startWorld();
  });
  after(() => stopAndCheck(world));

  async function repoOf(name: string, publish: Record<string, unknown>, more = ANY_BRANCH): Promise<SampleRepo> {
    const artifact = image(name, { publish: [{ to: "local", ...publish }] });
    return world.repo(name, { ".deliverd.yml": pipeline([artifact], more) });
  }

  /** Pushes what is checked out, and the tag; the CI turns green. @returns the sha */
  async function push(repo: SampleRepo, tag?: string): Promise<string> {
    const sha = await repo.head();
    if (tag !== undefined) await repo.tag(tag);
    // In full: a branch and a tag may have one name.
    await repo.push(await repo.git("symbolic-ref", "HEAD"));
    if (tag !== undefined) await repo.push(tag);
    await world.github.green(repo.repo, sha);
    return sha;
  }

  const delivered = (repo: SampleRepo, sha: string): Promise<ReleaseView> =>
    until(`${repo.name} ${sha.slice(0, 7)} is delivered`, async () => {
      const { state } = await world.delivery(repo, sha);
      return state === "delivered" ? ((await world.releases(repo, sha))[0] ?? null) : null;
    });
  const stands = (repository: string, tag: string, digest: string) =>
    until(`${repository}:${tag} is ${digest}`, async () => (await world.digest(repository, tag)) === digest);

  it("keeps a branch called 1.2.3 from the release 1.2.3, and gives its commit a failure status", async () => {
    const repo = await repoOf("tag-first", { as: "acme/tag-first" });
    const one = await push(repo, "1.2.3");
    const released = await delivered(repo, one);
    assert.equal(released.version, "1.2.3");
    await repo.branch("1.2.3");
    await repo.commit({ "greeting.txt": "a branch\n" });
    const two = await push(repo);
    await delivered(repo, two);
    const { description } = await world.status(repo, two, "tag-first", "failure");
    assert.match(description ?? "", /^acme\/tag-first:1\.2\.3 in local /);
    assert.equal(await world.digest("acme/tag-first", "1.2.3"), released.digest);
    assert.match(await world.log(repo, two), /✗ tag-first: acme\/tag-first:1\.2\.3 in local /);
    const why = await world.deliverd.api<Why>(`/api/v1/why?repo=acme/tag-first&sha=${two}`);
    assert.ok(why.events.some(({ kind, text }) => kind === "name-lost" && text.startsWith("acme/tag-first:1.2.3")));
    const [again] = await world.releases(repo, one);
    assert.ok(again?.locations.some(({ name }) => name === "acme/tag-first:1.2.3"));
  });

  it("gives the name 1.2.3 to the version, though a branch called 1.2.3 had it first", async () => {
    const repo = await repoOf("branch-first", { as: "acme/branch-first" });
    await repo.branch("1.2.3");
    const branch = await delivered(repo, await push(repo));
    await stands("acme/branch-first", "1.2.3", branch.digest);
    await repo.branch("other", "HEAD");
    await repo.commit({ "greeting.txt": "a version\n" });
    const version = await delivered(repo, await push(repo, "v1.2.3"));
    await stands("acme/branch-first", "1.2.3", version.digest);
    await repo.checkout("1.2.3");
    await repo.commit({ "greeting.txt": "the branch goes on\n" });
    const next = await push(repo);
    await delivered(repo, next);
    await world.status(repo, next, "branch-first", "failure");
    assert.equal(await world.digest("acme/branch-first", "1.2.3"), version.digest);
  });

  it("keeps a repo from taking another repo's names by a branch with that repo's name", async () => {
    const victim = await repoOf("victim", { as: "acme/victim", tags: ["{version}", "latest"] });
    const theirs = await delivered(victim, await push(victim, "v1.0.0"));
    await stands("acme/victim", "latest", theirs.digest);
    const thief = await repoOf("thief", { as: "acme/{branch}", tags: ["1.0.0", "latest"] }, ANY_BRANCH);
    const sha = await push(thief);
    const own = await delivered(thief, sha);
    await stands("acme/main", "latest", own.digest);
    // The branch comes after the delivery, so that nothing but moving names is left to write.
    await thief.branch("victim");
    await thief.push();
    const { description } = await world.status(thief, sha, "thief", "failure");
    assert.match(description ?? "", /^acme\/victim in local belongs to another repo/);
    for (const tag of ["1.0.0", "latest"]) assert.equal(await world.digest("acme/victim", tag), theirs.digest);
  });

  it("gives one name to one of two artifacts of a commit, and the other a failure status", async () => {
    const artifacts = [
      image("front", { publish: [{ to: "local", as: "acme/meeting", tags: ["front-{shortSha}", "edge"] }] }),
      image("back", { publish: [{ to: "local", as: "acme/{branch}", tags: ["back-{shortSha}", "edge"] }] }),
    ];
    const repo = await world.repo("meeting", { ".deliverd.yml": pipeline(artifacts, ANY_BRANCH) });
    await repo.branch("meeting");
    const sha = await push(repo);
    await delivered(repo, sha);
    const statuses = await until("one artifact has a failure status", async () => {
      const states = ["front", "back"].map((name) => world.github.lastStatus(repo.repo, sha, `deliverd/${name}`));
      return states.some((status) => status?.state === "failure") ? states : null;
    });
    assert.deepEqual(statuses.map((status) => status?.state).sort(), ["failure", "success"]);
    const lost = statuses.find((status) => status?.state === "failure");
    assert.match(lost?.description ?? "", /^acme\/meeting:edge in local is written out in the pipeline/);
  });

  it("gives one tag to one of two branches, and the other a failure status until it is alone", async () => {
    const repo = await repoOf("alike", { as: "acme/alike" });
    await repo.branch("feature-x");
    await repo.commit({ "greeting.txt": "with a dash\n" });
    const dash = await delivered(repo, await push(repo));
    await stands("acme/alike", "feature-x", dash.digest);
    await repo.branch("feature/x");
    await repo.commit({ "greeting.txt": "with a slash\n" });
    const slash = await push(repo);
    const { description } = await world.status(repo, slash, "alike", "failure");
    assert.match(description ?? "", /^acme\/alike:feature-x in local follows branch feature-x/);
    assert.equal(await world.digest("acme/alike", "feature-x"), dash.digest);
    await repo.deleteRemote("feature-x");
    await repo.commit({ "greeting.txt": "alone\n" });
    const alone = await delivered(repo, await push(repo));
    await stands("acme/alike", "feature-x", alone.digest);
    await world.status(repo, slash, "alike", "success");
  });
});

describe("The tags latest, major and minor", function () {
  this.timeout(120_000);
  let world: World;
  const tags = ["{version}", "{branch}", "latest", "{major}", "{major}.{minor}"];

  before(async () => {
    world = await startWorld();
  });
  after(() => world?.stop());

  async function release(repo: SampleRepo, greeting: string, tag?: string): Promise<ReleaseView> {
    await repo.commit({ "greeting.txt": greeting });
    if (tag !== undefined) {
      await repo.tag(tag);
      await repo.push(tag);
    }
    const sha = await world.release(repo);
    const [released] = await world.releases(repo, sha);
    assert.ok(released);
    return released;
  }
  const repoOf = (name: string) => {
    const artifact = image(name, { publish: [{ to: "local", as: `acme/${name}`, tags }] });
    return world.repo(name, { ".deliverd.yml": pipeline([artifact], ANY_BRANCH) });
  };
  const stands = (repository: string, tag: string, digest: string | null) =>
    until(`${repository}:${tag} is ${digest}`, async () => (await world.digest(repository, tag)) === digest);
  const latest = async (artifact: string): Promise<string | null> => {
    const answer = await world.deliverd.fetch(`/api/v1/releases/${artifact}/latest`);
    return answer.ok ? ((await answer.json()) as ReleaseView).digest : null;
  };

  it("stay where they are if a version tag is moved by force, in the registry and in the API", async () => {
    const repo = await repoOf("forced");
    await release(repo, "one\n", "v1.2.2");
    const three = await release(repo, "two\n", "v1.2.3");
    for (const tag of ["latest", "1", "1.2"]) await stands("acme/forced", tag, three.digest);
    await repo.commit({ "greeting.txt": "moved\n" });
    await repo.tag("v1.2.3");
    await repo.forcePush("v1.2.3");
    await repo.push();
    const sha = await repo.head();
    await world.github.green(repo.repo, sha);
    await world.status(repo, sha, "forced", "failure");
    await repo.branch("side", "v1.2.2");
    // Two of them: once the second one's names stand, the look at the first one's is over.
    for (const greeting of ["something else\n", "and more\n"]) {
      await stands("acme/forced", "side", (await release(repo, greeting)).digest);
    }
    for (const tag of ["latest", "1", "1.2"]) await stands("acme/forced", tag, three.digest);
    assert.equal(await latest("forced"), three.digest);
  });

  it("respect another tool's higher version on adoption: latest stays, and our own major moves", async () => {
    const repo = await repoOf("adopted");
    await repo.tag("v5.0.0");
    await repo.push("v5.0.0");
    await repo.commit({ "greeting.txt": "after five\n" });
    const other = await repoOf("another-tool");
    const theirs = await release(other, "made elsewhere\n", "v1.0.0");
    await repo.branch("4.x");
    const ours = await release(repo, "four\n", "v4.9.1");
    await stands("acme/adopted", "4", ours.digest);
    await stands("acme/adopted", "4.9", ours.digest);
    assert.equal(await world.digest("acme/adopted", "latest"), null);
    assert.equal(await latest("adopted"), null);
    assert.equal(await latest("another-tool"), theirs.digest);
  });

  it("start with latest on the default branch's newest commit, until the first version tag", async () => {
    const repo = await repoOf("untagged");
    const main = await release(repo, "main\n");
    await stands("acme/untagged", "latest", main.digest);
    await repo.branch("side");
    const side = await release(repo, "side\n");
    assert.notEqual(side.digest, main.digest);
    assert.equal(await latest("untagged"), main.digest);
    await stands("acme/untagged", "latest", main.digest);
  });
});
