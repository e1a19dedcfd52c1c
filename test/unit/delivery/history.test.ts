import assert from "node:assert/strict";
import fc from "fast-check";
import { findUnchangedSince, type HistoryCommit, isOvertakenBy } from "../../../src/delivery/history.ts";

/** Each commit by its parents and by what stands under the artifact's paths. */
type History = Record<string, { parents?: string[]; has: string }>;

function stepsOf(history: History): Map<string, HistoryCommit> {
  const steps = Object.entries(history).map(([sha, { parents = [], has }]): [string, HistoryCommit] => {
    return [sha, { parents: parents.map((parent) => ({ sha: parent, differs: history[parent]?.has !== has })) }];
  });
  return new Map(steps);
}

function sources(history: History, commit: string, released: string[], underWay: string[] = []) {
  return findUnchangedSince(commit, {
    steps: stepsOf(history),
    released: new Set(released),
    underWay: new Set(underWay),
  });
}

describe("The search for unchanged artifacts in the history", () => {
  const line: History = { a: { has: "1" }, b: { parents: ["a"], has: "2" }, c: { parents: ["b"], has: "1" } };

  it("finds an artifact unchanged if the commit differs in nothing from an earlier release", () => {
    const quiet: History = { a: { has: "1" }, b: { parents: ["a"], has: "1" }, c: { parents: ["b"], has: "1" } };
    assert.deepEqual(sources(quiet, "c", ["a"]), ["a"]);
    assert.deepEqual(sources(quiet, "c", ["a", "b"]), ["b"], "the nearest");
  });

  it("finds an artifact changed by a revert, whether the reverted commit is released or not", () => {
    for (const released of [["a"], ["b"], ["a", "b"], ["b", "a"]]) assert.equal(sources(line, "c", released), null);
  });

  it("finds an artifact changed if no earlier release is within the history that was read", () => {
    assert.equal(sources(line, "c", []), null);
    assert.equal(findUnchangedSince("c", { steps: new Map(), released: new Set(["a"]), underWay: new Set() }), null);
  });

  const merge = (side: string, merged: string): History => ({
    a: { has: "1" },
    main: { parents: ["a"], has: "2" },
    side: { parents: ["a"], has: side },
    merge: { parents: ["main", "side"], has: merged },
  });

  it("finds an artifact unchanged by the merge of a branch that does not touch it", () => {
    assert.deepEqual(sources(merge("1", "2"), "merge", ["a", "main"]), ["main"]);
  });

  it("finds an artifact changed by a merge if the branch touches it, or a commit of it is not released yet", () => {
    assert.equal(sources(merge("3", "2"), "merge", ["a", "main"]), null);
    assert.equal(sources(merge("1", "2"), "merge", ["main"]), null);
    assert.equal(sources(merge("1", "2"), "merge", ["a", "main"], ["side"]), null);
  });

  it("finds an artifact changed by a merge that drops the change of one side", () => {
    assert.equal(sources(merge("3", "3"), "merge", ["a", "main", "side"]), null);
    assert.deepEqual(sources(merge("2", "2"), "merge", ["a", "main", "side"]), ["main", "side"]);
  });

  it("leaves a branch's newest release with the content of its tip, in whatever order CI ends", () => {
    const commit = fc.record({
      has: fc.integer({ min: 0, max: 2 }),
      parents: fc.array(fc.nat(), { minLength: 1, maxLength: 2 }),
      isRed: fc.boolean(),
      date: fc.nat(20),
      decided: fc.nat(1_000),
      takes: fc.nat(300),
    });
    fc.assert(
      fc.property(fc.array(commit, { minLength: 1, maxLength: 9 }), (commits) => {
        const tip = commits.length - 1;
        const history: History = {};
        for (const [i, { has, parents }] of commits.entries())
          history[i] = { has: String(has), parents: i === 0 ? [] : [...new Set(parents.map((at) => String(at % i)))] };
        const released = playedOut(history, commits, String(tip));
        const newest = newestFirst(history, commits, String(tip)).find((sha) => released.has(sha));
        assert.equal(history[newest ?? ""]?.has, history[tip]?.has);
      }),
      { numRuns: 3_000 },
    );
  });
});

interface Fate {
  isRed: boolean;
  date: number;
  /** When its delivery decides whether it is concerned, and how long its release takes from there. */
  decided: number;
  takes: number;
}

/** Lets each green commit decide at its time and be released at its own. @returns the released ones */
function playedOut(history: History, fates: Fate[], tip: string): Set<string> {
  const released = new Set<string>();
  const underWay = new Set<string>();
  const events = fates.flatMap(({ isRed, decided, takes }, i) => {
    const sha = String(i);
    if (isRed && sha !== tip) return [];
    const decide = () => {
      if (findUnchangedSince(sha, { steps: stepsOf(history), released, underWay }) === null) underWay.add(sha);
    };
    const record = () => {
      if (underWay.delete(sha)) released.add(sha);
    };
    return [
      { at: decided, run: decide },
      { at: decided + takes + 1, run: record },
    ];
  });
  for (const { run } of events.toSorted((a, b) => a.at - b.at)) run();
  return released;
}

/** As git's --date-order: no commit before one that descends from it, else the newer first. */
function newestFirst(history: History, fates: Fate[], tip: string): string[] {
  const reachable = new Set([tip]);
  for (const sha of reachable) for (const parent of history[sha]?.parents ?? []) reachable.add(parent);
  const order: string[] = [];
  while (order.length < reachable.size) {
    const isFree = (sha: string) =>
      !order.includes(sha) &&
      [...reachable].every((child) => order.includes(child) || !history[child]?.parents?.includes(sha));
    const [next = ""] = [...reachable]
      .filter(isFree)
      .sort((a, b) => (fates[Number(b)]?.date ?? 0) - (fates[Number(a)]?.date ?? 0) || Number(b) - Number(a));
    order.push(next);
  }
  return order;
}

describe("Superseding an older commit", () => {
  const on = (branches: string[], tags: string[] = []) => ({ branches, tags });

  it("lets a newer commit supersede one if it is on each branch that holds the older", () => {
    assert.equal(isOvertakenBy(on(["main"]), on(["main", "next"])), true);
    assert.equal(isOvertakenBy(on(["main", "release/1"]), on(["main"])), false);
  });

  it("never supersedes a commit with a watched tag, nor one that no branch holds", () => {
    assert.equal(isOvertakenBy(on(["main"], ["v1.0.0"]), on(["main"])), false);
    assert.equal(isOvertakenBy(on([]), on(["main"])), false);
  });
});
