import assert from "node:assert/strict";
import fc from "fast-check";
import { type Candidate, holderOf, type RefFacts } from "../../../src/delivery/reconcile.ts";
import type { Destination } from "../../../src/delivery/types.ts";
import { versionsOf } from "../../../src/delivery/version.ts";

const destination: Destination = {
  to: "hub",
  as: "acme/api",
  tags: ["{version}", "{branch}", "latest", "{major}", "{major}.{minor}", "edge", "day-{date}"],
};

/** A delivered commit: `order` is its place on each branch, 0 the newest; `hour` its commit's time. */
function release(id: string, order: Record<string, number>, tags: string[] = [], hour = 0): Candidate {
  const versions = versionsOf(tags);
  return {
    releaseId: id,
    order,
    facts: {
      sha: id.padEnd(40, "0"),
      committedAt: new Date(hour * 3_600_000),
      owner: "acme",
      repo: "api",
      artifact: "api",
      versions: versions.length > 0 ? versions : [`0.0.1-${1000 - (order.main ?? 0)}.gabcdef0`],
      tags,
      branches: Object.keys(order),
    },
  };
}

function holder(tag: string, candidates: Candidate[], given: Partial<RefFacts> = {}): string | null {
  const hasVersionTag = candidates.some(({ facts }) =>
    versionsOf(facts.tags).some((version) => !version.includes("-")),
  );
  const refs = { defaultBranch: "main", hasVersionTag, ...given };
  return holderOf({ repository: "acme/api", tag }, destination, candidates, refs);
}

describe("a branch's name", () => {
  it("is held by the newest delivered commit of the branch", () => {
    assert.equal(
      holder("main", [release("old", { main: 5 }), release("new", { main: 2 }), release("x", { dev: 0 })]),
      "new",
    );
  });

  it("goes back to what is on the branch once its holder has left it", () => {
    assert.equal(holder("main", [release("old", { main: 5 }), release("gone", {})]), "old");
    assert.equal(holder("main", [release("gone", {})]), null);
  });

  it("stays with one of two branches that are written alike, whoever asks", () => {
    const candidates = [release("slash", { "a/b": 0 }), release("dash", { "a-b": 7 })];
    assert.equal(holder("a-b", candidates), "dash");
    assert.equal(holder("a-b", candidates.toReversed()), "dash");
  });
});

describe("latest, major and minor", () => {
  const tagged = [
    release("v1", { main: 9 }, ["v1.9.0"]),
    release("v2", { main: 5 }, ["v2.0.0"]),
    release("fix", { "1.x": 0 }, ["v1.9.1"], 99),
    release("rc", { main: 1 }, ["v3.0.0-rc.1"]),
    release("head", { main: 0 }),
  ];

  it("go after the highest version tag, not the last", () => {
    assert.equal(holder("latest", tagged), "v2");
    assert.equal(holder("2", tagged), "v2");
    assert.equal(holder("1", tagged), "fix");
    assert.equal(holder("1.9", tagged), "fix");
  });

  it("are not given to a pre-release, nor to a commit that only comes before the next version", () => {
    assert.equal(holder("3", tagged), null);
    assert.equal(holder("0.0", tagged), null);
  });

  it("let go of a version whose git tag is gone", () => {
    const gone = release("gone", { main: 0 }, ["v2.0.0"]);
    gone.facts.tags = [];
    assert.equal(holder("latest", [gone, release("v1", { main: 1 }, ["v1.0.0"])]), "v1");
  });

  it("go by each version of a commit that has several", () => {
    assert.equal(
      holder("1.4", [release("both", { main: 0 }, ["v1.4.0", "v2.0.0"]), release("x", { main: 1 }, ["v1.5.0"])]),
      "both",
    );
  });

  it("follow the default branch before the first version tag", () => {
    const untagged = [release("a", { main: 3 }), release("b", { main: 1 }), release("c", { dev: 0 }, [], 99)];
    assert.equal(holder("latest", untagged), "b");
    assert.equal(holder("0", untagged), "b");
    assert.equal(holder("latest", [release("c", { dev: 0 })]), null);
  });

  it("wait for the version tag's delivery where the repo has one", () => {
    assert.equal(holder("latest", [release("head", { main: 0 })], { hasVersionTag: true }), null);
  });
});

describe("any other moving name", () => {
  it("is held by the newest on the default branch", () => {
    assert.equal(holder("edge", [release("main", { main: 3 }), release("dev", { dev: 0 }, [], 99)]), "main");
  });

  it("is held by the newest of all where nothing of the default branch is delivered", () => {
    assert.equal(holder("edge", [release("a", { dev: 0 }, [], 1), release("b", { next: 8 }, [], 2)]), "b");
  });

  it("is only held by a commit that renders it", () => {
    const day = [release("first", { main: 2 }, [], 1), release("second", { main: 1 }, [], 25)];
    assert.equal(holder("day-1970-01-01", day), "first");
    assert.equal(holder("nothing", day), null);
  });
});

describe("who holds a name", () => {
  const tags = fc.constantFrom<string[]>([], [], [], ["v1.0.0"], ["v1.1.0"], ["v2.0.0"], ["v2.0.1-rc.1"]);
  const history = fc
    .array(fc.record({ tags, hour: fc.nat({ max: 5 }), also: fc.boolean() }), { minLength: 1, maxLength: 8 })
    .map((commits) =>
      commits.map((commit, index) => {
        const order: Record<string, number> = commit.also ? { main: index, dev: index } : { main: index };
        return release(`r${index}`, order, commit.tags, commit.hour);
      }),
    );
  const name = fc.constantFrom("main", "dev", "latest", "1", "2.0", "edge");

  it("does not depend on the order in which deliveries finished", () => {
    fc.assert(
      fc.property(history, name, fc.infiniteStream(fc.nat()), (all, tag, random) => {
        // Equal tags on several commits cannot be: git has each once.
        const seen = new Set<string>();
        const candidates = all.filter(({ facts }) => facts.tags.every((one) => !seen.has(one) && seen.add(one)));
        const shuffled = candidates.map((one) => ({ one, key: random.next().value })).sort((a, b) => a.key - b.key);
        assert.equal(
          holder(
            tag,
            shuffled.map(({ one }) => one),
          ),
          holder(tag, candidates),
        );
      }),
    );
  });

  it("is never an older commit that finished late", () => {
    fc.assert(
      fc.property(history, fc.constantFrom("main", "dev", "edge"), fc.nat({ max: 7 }), (all, tag, late) => {
        const before = holder(
          tag,
          all.filter((_, index) => index !== late),
        );
        const after = holder(tag, all);
        if (before !== null && after !== before) assert.ok(Number(after?.slice(1)) < Number(before.slice(1)));
      }),
    );
  });
});
