import assert from "node:assert/strict";
import { BoundedCache } from "../../../src/async/bounded-cache.ts";
import type { Host } from "../../../src/hosts/host.ts";
import { recordHeads } from "../../../src/ledger/heads.ts";
import { addHints, pendingTargets } from "../../../src/ledger/hints.ts";
import { outboxOfCommit } from "../../../src/ledger/outbox.ts";
import { getRepo, saveRepos } from "../../../src/ledger/repos.ts";
import { announce } from "../../../workers/announce/announcer.ts";
import { confirmIdentity } from "../../../workers/commit/repo-identity.ts";
import { evaluate } from "../../../workers/evaluate/evaluate.ts";
import { sweepRepo } from "../../../workers/sweep/sweep-repos.ts";
import { acmeApi, REPO } from "../../support/databases/ledgers.ts";
import { ci, startStation, type TestStation } from "./station.ts";
import { pipeline, storyOf } from "./story.ts";

const OTHER = "github:2";

describe("The identity of a repo at its host", function () {
  this.timeout(60_000);
  let at: TestStation;
  let now: number;
  let asked: string[];
  /** By their names. */
  let hosted: Record<string, { hostId: string; owner: string; name: string }>;
  const story = storyOf(() => at);

  beforeEach(async () => {
    at = await startStation();
    now = 0;
    asked = [];
    hosted = { "acme/api": { hostId: "1", owner: "acme", name: "api" } };
    at.station.identities = new BoundedCache(100, 5_000, () => now);
    at.host.findRepo = async (owner, name) => {
      asked.push(`${owner}/${name}`);
      const found = hosted[`${owner}/${name}`];
      return found === undefined ? null : { ...found, defaultBranch: "main" };
    };
  });
  afterEach(() => at.close());

  const commit = () => at.repo.commit({ ".deliverd.yml": pipeline() });
  const waits = async () => {
    const sha = await commit();
    at.host.ciState = async () => ci("pending");
    await story.look(sha);
    at.host.ciState = async () => ci("green");
    now += 5_000;
    return sha;
  };
  const replace = () => {
    hosted["acme/api"] = { hostId: "2", owner: "acme", name: "api" };
  };
  const text = "acme/api is another repo on github now: the next webhook of the earlier repo gives its new name";

  it("is requested once in a few seconds, however busy the repo is, and again after them", async () => {
    for (let i = 0; i < 3; i++) await story.played(await commit());
    assert.equal(asked.length, 1);
    now += 5_000;
    await story.look(await commit());
    assert.equal(asked.length, 2);
  });

  it("keeps a recreated repo from being built as the old one, and ends what waited there", async () => {
    const sha = await waits();
    replace();
    await addHints(at.station.ledger, [{ repo: acmeApi, event: "push", deliveryId: "", ref: null, sha }]);
    await story.look(sha);
    assert.equal(await story.stands(sha), `superseded: ${text}`);
    assert.deepEqual(await pendingTargets(at.station.ledger, 10), []);
    assert.equal(at.built.length, 0);
  });

  it("is checked again at the build, if the new repo's first webhook came meanwhile", async () => {
    const sha = await waits();
    await story.look(sha);
    replace();
    await at.station.ledger.transaction((tx) => saveRepos(tx, [{ ...acmeApi, id: OTHER }]));
    await story.deliver();
    assert.equal(await story.stands(sha), `superseded: ${text}`);
    assert.equal(at.built.length, 0);
    await recordHeads(at.station.ledger, OTHER, [{ ref: "refs/heads/main", sha }]);
    await evaluate(at.station, { repo: OTHER, sha, ref: null });
    await story.deliver();
    assert.equal(at.built.length, 1, "the same commit is built anew, as the new repo's");
    assert.deepEqual(await story.releases(), []);
  });

  it("is found by its id where the host redirects no old name, even if another repo has that name now", async () => {
    const host = at.host as Pick<Host, "findRepo" | "findRepoById">;
    const renamed = { hostId: "1", owner: "acme/tools", name: "renamed", defaultBranch: "main" };
    host.findRepoById = async (id) => (id === "1" ? renamed : null);
    hosted = {};
    assert.deepEqual(await confirmIdentity(at.station, acmeApi), {
      ...{ id: REPO, host: "github", owner: "acme/tools", name: "renamed", defaultBranch: "main" },
    });
    replace();
    now += 5_000;
    assert.equal((await confirmIdentity(at.station, acmeApi)).name, "renamed");
    host.findRepoById = async () => null;
    now += 5_000;
    await assert.rejects(confirmIdentity(at.station, acmeApi), { code: "repo-replaced" });
  });

  it("is not changed by an old webhook that brings back the old name", async () => {
    replace();
    await at.station.ledger.transaction((tx) => saveRepos(tx, [{ ...acmeApi, id: OTHER }]));
    await at.station.ledger.transaction((tx) => saveRepos(tx, [acmeApi]));
    const sha = await commit();
    await evaluate(at.station, { repo: OTHER, sha, ref: null });
    await story.deliver();
    assert.equal(at.built.length, 1);
    await story.look(sha);
    assert.equal(at.built.length, 1);
  });

  it("is not confirmed by a host that does not show the repo, and the delivery says what it waits for", async () => {
    const sha = await waits();
    hosted = {};
    await assert.rejects(story.look(sha), { code: "repo-not-shown" });
    assert.match(
      await story.stands(sha),
      /^waiting: waiting for an answer from github \(repo-not-shown\): github shows no repo/,
    );
    assert.equal(at.built.length, 0);
    await assert.rejects(sweepRepo(at.station, { ...acmeApi, activeAt: 0, createdAt: 0, servedAt: 0 }));
    hosted = { "acme/api": { hostId: "1", owner: "acme", name: "api" } };
    assert.match(await story.played(sha), /^delivered: /);
  });

  it("stays the same after a rename or a transfer that no webhook reported", async () => {
    const sha = await waits();
    hosted["acme/api"] = { hostId: "1", owner: "acme", name: "core" };
    hosted["acme/core"] = { hostId: "1", owner: "acme", name: "core" };
    assert.match(await story.played(sha), /^delivered: /);
    assert.equal((await getRepo(at.station.ledger, REPO))?.name, "core");
    const next = await commit();
    hosted["acme/core"] = { hostId: "1", owner: "strangers", name: "core" };
    now += 5_000;
    await story.look(next);
    assert.equal(await story.stands(next).catch(() => "ignored"), "ignored: strangers/core is in no entry of repos");
  });

  it("comes with the default branch that the host showed last", async () => {
    await story.played(await commit());
    at.host.findRepo = async (owner, name) => ({ hostId: "1", owner, name, defaultBranch: "trunk" });
    now += 5_001;
    for (let i = 0; i < 2; i++) {
      const shown = await confirmIdentity(at.station, { ...acmeApi, defaultBranch: "main" });
      assert.equal(shown.defaultBranch, "trunk");
    }
  });

  it("keeps reports about the old repo's commits from the new repo", async () => {
    const sha = await waits();
    replace();
    const said: string[] = [];
    Object.assign(at.host, { report: async () => void said.push("said") });
    await announce(at.station);
    assert.deepEqual(said, []);
    const [row] = await outboxOfCommit(at.station.ledger, REPO, sha);
    assert.deepEqual([row?.state, row?.error], ["dropped", text]);
  });
});
