import assert from "node:assert/strict";
import fc from "fast-check";
import { chooseNext, type DueDelivery, type RepoLoad } from "../../../src/delivery/choose-next.ts";

const NEVER: RepoLoad = { running: 0, servedAt: 0 };
const due = (id: string, createdAt: number, ref: string | null = "refs/heads/main", repoId = "a"): DueDelivery => {
  return { id, repoId, ref, createdAt };
};

/** The ids in the order in which one worker takes them, one ending before the next begins. */
function taken(waiting: DueDelivery[]): string[] {
  const world = new World(waiting);
  return waiting.map(() => world.take()?.id ?? "none");
}

/** Repos whose deliveries are taken, one after the other, and end. */
class World {
  waiting: DueDelivery[];
  readonly running: DueDelivery[] = [];
  readonly #servedAt = new Map<string, number>();
  #now = 0;

  constructor(waiting: DueDelivery[] = []) {
    this.waiting = [...waiting];
  }

  turnOf(repo: string, running = this.running): RepoLoad {
    return { running: running.filter((each) => each.repoId === repo).length, servedAt: this.#servedAt.get(repo) ?? 0 };
  }

  /** Takes the next; it ends at once unless it `goesOn`. */
  take(goesOn = false): DueDelivery | null {
    const next = chooseNext(this.waiting, (repo) => this.turnOf(repo));
    if (next === null) return null;
    assert.ok(this.waiting.includes(next));
    this.waiting = this.waiting.filter((each) => each !== next);
    this.#servedAt.set(next.repoId, ++this.#now);
    if (goesOn) this.running.push(next);
    return next;
  }
}

const REPOS = ["a", "b", "c", "d"];
const REFS = ["refs/heads/main", "refs/heads/dev", "refs/tags/v1.0.0", null];
const deliveries = fc
  .array(fc.record({ repoId: fc.constantFrom(...REPOS), ref: fc.constantFrom(...REFS), createdAt: fc.nat(20) }), {
    minLength: 1,
    maxLength: 25,
  })
  .map((all) => all.map((each, index): DueDelivery => ({ ...each, id: `d${index}` })));

/** What happens in a world: a delivery falls due, the next is taken, or one that runs ends. */
const events = fc.array(
  fc.oneof(
    fc.record({ arrives: fc.constantFrom(...REPOS) }),
    fc.constant("take" as const),
    fc.record({ ends: fc.nat() }),
  ),
  { minLength: 40, maxLength: 120 },
);

describe("the choice of the next delivery", () => {
  it("gives none when none is due", () => {
    assert.equal(
      chooseNext([], () => NEVER),
      null,
    );
  });

  it("takes the oldest within a repo", () => {
    const waiting = [due("3", 3, "refs/tags/v1"), due("1", 1), due("2", 2, "refs/heads/dev"), due("4", 4)];
    assert.deepEqual(taken(waiting), ["1", "2", "3", "4"]);
  });

  it("takes the newest of a branch that is far behind, until it has caught up", () => {
    const waiting = [1, 2, 3, 4, 5].map((at) => due(`${at}`, at));
    assert.deepEqual(taken(waiting), ["5", "4", "3", "1", "2"]);
  });

  it("takes another branch or a tag first if its delivery came earlier", () => {
    const waiting = [due("1", 1), due("2", 2), due("tag", 3, "refs/tags/v1"), due("4", 4)];
    assert.deepEqual(taken(waiting), ["tag", "4", "1", "2"]);
  });

  it("counts a commit without a known ref to no branch", () => {
    assert.deepEqual(taken([due("1", 1, null), due("2", 2, null), due("3", 3, null)]), ["1", "2", "3"]);
  });

  it("takes the repo with the fewest deliveries under way, then the one that waited longest", () => {
    const waiting = [due("a", 1, "main", "a"), due("b", 2, "main", "b"), due("c", 3, "main", "c")];
    const next = (turns: Record<string, RepoLoad>) => chooseNext(waiting, (repo) => turns[repo] ?? NEVER)?.id;
    assert.equal(next({}), "a");
    assert.equal(next({ a: { running: 1, servedAt: 0 }, b: { running: 0, servedAt: 9 } }), "c");
    assert.equal(next({ a: { running: 1, servedAt: 1 }, b: { running: 1, servedAt: 9 }, c: NEVER }), "c");
    assert.equal(next(Object.fromEntries(REPOS.map((repo, at) => [repo, { running: 2, servedAt: 9 - at }]))), "c");
  });

  it("takes every delivery in the end", () => {
    fc.assert(
      fc.property(deliveries, (waiting) => {
        assert.deepEqual(taken(waiting).sort(), waiting.map(({ id }) => id).sort());
      }),
    );
  });

  it("lets an idle repo wait for at most one turn of each other repo", () => {
    fc.assert(
      fc.property(events, (happening) => {
        const world = new World();
        const passed = new Map<string, Set<string>>();
        for (const [at, event] of happening.entries()) {
          if (event === "take") {
            const next = world.take(true);
            for (const repo of next === null ? [] : REPOS) {
              const waits = world.waiting.some((each) => each.repoId === repo) && world.turnOf(repo).running === 0;
              if (!waits || next?.repoId === repo) passed.delete(repo);
              else {
                const others = passed.get(repo) ?? new Set();
                assert.ok(!others.has(next?.repoId ?? ""), `${next?.repoId} went before ${repo} twice`);
                passed.set(repo, others.add(next?.repoId ?? ""));
              }
            }
          } else if ("arrives" in event) world.waiting.push(due(`d${at}`, at, "refs/heads/main", event.arrives));
          else world.running.splice(event.ends % (world.running.length || 1), 1);
        }
      }),
    );
  });

  it("takes none of a repo that has more under way than another with due work", () => {
    fc.assert(
      fc.property(events, (happening) => {
        const world = new World();
        for (const [at, event] of happening.entries()) {
          if (event === "take") {
            const [waiting, running] = [[...world.waiting], [...world.running]];
            const next = world.take(true);
            for (const { repoId } of next === null ? [] : waiting)
              assert.ok(world.turnOf(next?.repoId ?? "", running).running <= world.turnOf(repoId, running).running);
          } else if ("arrives" in event) world.waiting.push(due(`d${at}`, at, "refs/heads/main", event.arrives));
          else world.running.splice(event.ends % (world.running.length || 1), 1);
        }
      }),
    );
  });

  it("takes the newest of a branch with more than two due deliveries", () => {
    fc.assert(
      fc.property(deliveries, (waiting) => {
        const next = chooseNext(waiting, () => NEVER);
        const ofBranch = waiting.filter((each) => each.ref === next?.ref && each.repoId === next?.repoId);
        if (next?.ref == null || ofBranch.length <= 2) return;
        assert.equal(next.createdAt, Math.max(...ofBranch.map(({ createdAt }) => createdAt)));
      }),
    );
  });

  it("takes new deliveries first, and in one turn of four one that failed before", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (count, chance) => {
          const failed = Array.from({ length: count }, (_none, index) => {
            return { ...due(`failed-${index}`, index, null, `repo-${index}`), hasFailed: true };
          });
          const fresh = due("fresh", 1_000, null, "last");
          const servedLast = (repo: string) => ({ running: 0, servedAt: repo === "last" ? 1 : 0 });
          const next = chooseNext([...failed, fresh], servedLast, chance);
          assert.equal(next === fresh, chance >= 0.25);
          assert.equal(chooseNext(failed, servedLast, chance)?.hasFailed, true);
        },
      ),
    );
  });
});
