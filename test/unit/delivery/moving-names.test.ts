import assert from "node:assert/strict";
import fc from "fast-check";
import {
  assignMovingNames,
  type Candidate,
  kindOfNames,
  newestOfEachKind,
} from "../../../src/delivery/moving-names.ts";
import type { Destination } from "../../../src/delivery/types.ts";
import { versionsOf } from "../../../src/delivery/version.ts";
import { knownVersions, type RefFacts } from "../../../src/delivery/version-holder.ts";

const destination: Destination = {
  to: "hub",
  as: "acme/api",
  tags: ["{version}", "{branch}", "latest", "{major}", "{major}.{minor}", "edge", "day-{date}"],
};

const REFS: RefFacts = { defaultBranch: "main", versions: [], delivered: new Map() };

/** A delivered commit: `order` is its place on each branch, 0 the newest; `hour` its commit's time. */
function release(id: string, order: Record<string, number>, tags: string[] = [], hour = 0): Candidate {
  const versions = versionsOf(tags);
  return {
    releaseId: id,
    order,
    destinations: [destination],
    tagged: versions,
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
  const tags = candidates.flatMap(({ facts }) => facts.tags);
  const versions = knownVersions(
    tags,
    candidates.flatMap(({ tagged }) => tagged),
  );
  const refs = { ...REFS, versions, ...given };
  return assignMovingNames(candidates, refs).find(({ name }) => name.tag === tag)?.holder ?? null;
}

describe("the moving name of a branch", () => {
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

describe("the moving names latest, major and minor", () => {
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

  it("stay with a version that was released, whatever becomes of its git tag", () => {
    const gone = release("gone", { main: 0 }, ["v2.0.0"]);
    gone.facts.tags = [];
    assert.equal(holder("latest", [gone, release("v1", { main: 1 }, ["v1.0.0"])]), "gone");
  });

  it("do not go below a version that another tool released, nor take it from its patches", () => {
    const ours = [release("ours", { main: 0 }, ["v4.9.1"])];
    const versions = knownVersions(["v5.0.0", "4.9.0", "v4.9.1"], []);
    assert.equal(holder("latest", ours, { versions }), null);
    assert.equal(holder("4", ours, { versions }), "ours");
    assert.equal(holder("4.9", ours, { versions }), "ours");
    assert.equal(holder("4", ours, { versions: [...versions, "4.10.0"] }), null);
  });

  it("pass over a version whose commit released nothing of the artifact, whenever its git tag came", () => {
    const own = [release("old", { main: 2 }, ["v1.0.0"]), release("new", { main: 1 }, ["v1.1.0"])];
    const versions = ["1.0.0", "1.1.0", "2.0.0"];
    assert.equal(holder("latest", own, { versions }), null);
    assert.equal(holder("latest", own, { versions, delivered: new Map([["2.0.0", new Set(["web"])]]) }), "new");
    assert.equal(holder("latest", own, { versions, delivered: new Map([["2.0.0", new Set(["web", "api"])]]) }), null);
    const snapshot = [release("head", { main: 0 })];
    assert.equal(holder("latest", snapshot, { versions: ["2.0.0"], delivered: new Map([["2.0.0", new Set()]]) }), null);
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
    assert.equal(holder("latest", [release("head", { main: 0 })], { versions: ["1.0.0"] }), null);
  });
});

describe("any other moving name in a registry", () => {
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

describe("the release that holds a moving name", () => {
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

describe("a moving name that several commits ask for", () => {
  const losers = (tag: string, candidates: Candidate[], tags: string[] = [], versions: string[] = []) =>
    assignMovingNames(candidates, { ...REFS, versions }, tags)
      .filter(({ name }) => name.tag === tag)
      .flatMap((each) => each.losers.map(({ releaseId }) => releaseId));

  it("is kept from the other branch's newest, not from its older ones", () => {
    const both = [release("dash", { "a-b": 7 }), release("slash", { "a/b": 0 }), release("older", { "a/b": 1 })];
    assert.deepEqual(losers("a-b", both), ["slash"]);
    assert.deepEqual(losers("a-b", both.toReversed()), ["slash"]);
  });

  it("is kept for the git tag that gives it, also where that is not delivered yet", () => {
    const candidates = [release("branch", { "1.2.3": 0 })];
    assert.deepEqual([holder("1.2.3", candidates), losers("1.2.3", candidates)], ["branch", []]);
    assert.deepEqual(losers("1.2.3", candidates, ["v1.2.3"]), ["branch"]);
    assert.equal(assignMovingNames(candidates, REFS, ["v1.2.3"])[0]?.holder ?? null, null);
  });

  it("is lacked by nobody who has it as an immutable one", () => {
    assert.deepEqual(losers("1.2.3", [release("both", { "1.2.3": 0 }, ["v1.2.3"])], ["v1.2.3"]), []);
  });

  it("is the first artifact's by name where one commit makes several, and the other is told", () => {
    const of = (artifact: string): Candidate => {
      const one = release(artifact, { main: 0 });
      return { ...one, facts: { ...one.facts, sha: "0".repeat(40), artifact } };
    };
    const both = [of("web"), of("api")];
    assert.deepEqual([holder("main", both), losers("main", both)], ["api", ["web"]]);
    assert.deepEqual([holder("main", both.toReversed()), losers("main", both.toReversed())], ["api", ["web"]]);
  });

  it("goes to an artifact that was renamed, and is kept from nobody by that", () => {
    const before = release("before", { main: 1 });
    const renamed = [{ ...before, facts: { ...before.facts, artifact: "aaa" } }, release("after", { main: 0 })];
    assert.deepEqual([holder("main", renamed), losers("main", renamed)], ["after", []]);
  });
});

describe("a moving name that the registry cannot have", () => {
  it("keeps no other from its place, as that of an old plan after the owner was renamed", () => {
    const old = { ...release("old", { main: 1 }), destinations: [{ ...destination, as: "{owner}/{repo}" }] };
    const renamed = [old, release("new", { main: 0 })].map((each) => ({
      ...each,
      facts: { ...each.facts, owner: "Acme" },
    }));
    assert.equal(holder("main", renamed), "new");
    assert.deepEqual(assignMovingNames(renamed.slice(0, 1), REFS, ["v1.0.0"]), []);
  });
});

describe("a release that a newer one keeps from its moving names", () => {
  it("is what differs in nothing that the templates hold", () => {
    const on = (sha: string, kind: string) => ({ sha, kind });
    const list = [on("c", "x"), on("c", "y"), on("b", "x"), on("a", "z")];
    assert.deepEqual(
      newestOfEachKind(list, ({ kind }) => kind),
      [on("c", "x"), on("c", "y"), on("a", "z")],
    );
  });

  it("changes no holder, and no loser", () => {
    const history = fc.array(fc.record({ day: fc.nat({ max: 2 }), on: fc.subarray(["main", "a/b", "a-b"]) }), {
      maxLength: 8,
    });
    fc.assert(
      fc.property(history, (commits) => {
        const all = commits.map(({ day, on }, place) =>
          release(`r${place}`, Object.fromEntries(on.map((branch) => [branch, place])), [], day * 24),
        );
        const pruned = all.map((one) => ({ ...one, order: {} as Record<string, number> }));
        for (const branch of ["main", "a/b", "a-b"]) {
          const list = all.flatMap((one, place) => (branch in one.order ? [{ sha: one.facts.sha, place, one }] : []));
          const kind = ({ one }: { one: Candidate }) => kindOfNames(one.facts, one.destinations);
          for (const { place } of newestOfEachKind(list, kind)) {
            const own = pruned[place];
            if (own !== undefined) own.order[branch] = place;
          }
        }
        for (const one of pruned) one.facts = { ...one.facts, branches: Object.keys(one.order) };
        const told = (candidates: Candidate[]) =>
          assignMovingNames(candidates, REFS)
            .filter(({ holder, losers }) => holder !== null || losers.length > 0)
            .map(({ name, holder, losers }) => [name.tag, holder, losers.map((each) => each.releaseId)].join())
            .sort();
        assert.deepEqual(told(pruned), told(all));
      }),
    );
  });
});
