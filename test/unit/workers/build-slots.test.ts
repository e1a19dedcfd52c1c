import assert from "node:assert/strict";
import fc from "fast-check";
import { BuildSlots, type GiveBack } from "../../../workers/build-slots.ts";

const forever = new AbortController().signal;

describe("the build slots of a worker", () => {
  /** Takes in the background. */
  function asked(capacity: BuildSlots, weight: number, signal = forever) {
    const state = { isIn: false, error: null as unknown, giveBack: (() => {}) as GiveBack };
    const done = capacity.take(weight, signal).then(
      (giveBack) => Object.assign(state, { isIn: true, giveBack }),
      (error: unknown) => Object.assign(state, { error }),
    );
    return Object.assign(state, { done });
  }
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

  it("weigh a build by its CPU limit, rounded up: at least one, at most all slots", () => {
    const capacity = new BuildSlots(4);
    const weights = [null, 0, 0.5, 1, 1.5, 4, 9].map((cpus) => capacity.weightOf(cpus));
    assert.deepEqual(weights, [1, 1, 1, 1, 2, 4, 4]);
  });

  it("admit as many builds as fit, and a heavy one alone", async () => {
    const capacity = new BuildSlots(4);
    const light = [1, 1, 1, 1].map((weight) => asked(capacity, weight));
    const heavy = asked(capacity, 4);
    await settled();
    assert.deepEqual(
      [...light, heavy].map((each) => each.isIn),
      [true, true, true, true, false],
    );
    for (const { giveBack } of light.slice(1)) giveBack();
    await settled();
    assert.equal(heavy.isIn, false);
    light[0]?.giveBack();
    await heavy.done;
    assert.equal(capacity.fits(1), false);
  });

  it("let no light build overtake a heavy one", async () => {
    const capacity = new BuildSlots(2);
    const first = asked(capacity, 1);
    const heavy = asked(capacity, 2);
    const light = asked(capacity, 1);
    await settled();
    assert.deepEqual([first.isIn, heavy.isIn, light.isIn], [true, false, false]);
    first.giveBack();
    await heavy.done;
    assert.equal(light.isIn, false);
    heavy.giveBack();
    await light.done;
  });

  it("drop a waiting build that is cancelled, and admit the next", async () => {
    const capacity = new BuildSlots(2);
    await asked(capacity, 1).done;
    const stop = new AbortController();
    const heavy = asked(capacity, 2, stop.signal);
    const light = asked(capacity, 1);
    const reason = new Error("cancelled");
    stop.abort(reason);
    await Promise.all([heavy.done, light.done]);
    assert.deepEqual([heavy.error, light.isIn], [reason, true]);
    await assert.rejects(capacity.take(1, stop.signal), reason);
  });

  it("count a slot once, however often it is given back", async () => {
    const capacity = new BuildSlots(1);
    const { giveBack } = await asked(capacity, 1).done;
    giveBack();
    giveBack();
    await asked(capacity, 1).done;
    assert.equal(capacity.fits(1), false);
  });

  it("lend free slots, and ask for them back when they are needed, the latest first, without waiting", async () => {
    const capacity = new BuildSlots(3);
    const left: string[] = [];
    assert.ok(capacity.takeSpare(1, () => left.push("first")));
    assert.ok(capacity.takeSpare(1, () => left.push("second")));
    assert.equal(
      capacity.takeSpare(2, () => {}),
      null,
    );
    assert.equal(asked(capacity, 1).isIn, false);
    await settled();
    assert.deepEqual(left, []);
    const heavy = asked(capacity, 1);
    await heavy.done;
    assert.deepEqual(left, ["second"]);
    assert.equal(
      capacity.takeSpare(1, () => {}),
      null,
    );
  });

  it("lend nothing while a build waits", async () => {
    const capacity = new BuildSlots(2);
    await asked(capacity, 1).done;
    const heavy = asked(capacity, 2);
    await settled();
    assert.equal(heavy.isIn, false);
    assert.equal(
      capacity.takeSpare(1, () => {}),
      null,
    );
  });

  it("are never exceeded, keep the order of arrival, and no lent slot delays a build", async () => {
    const slots = 4;
    const doing = fc.oneof(
      fc.record({ take: fc.integer({ min: 1, max: slots }) }),
      fc.record({ spare: fc.integer({ min: 1, max: slots }) }),
      fc.record({ giveBack: fc.nat() }),
      fc.record({ stop: fc.nat() }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(doing, { maxLength: 60 }), async (what) => {
        const capacity = new BuildSlots(slots);
        const all: (ReturnType<typeof asked> & { weight: number; stop: AbortController; isOver: boolean })[] = [];
        const open = () => all.filter((each) => !each.isOver);
        const weightOf = (some: { weight: number }[]) => some.reduce((sum, { weight }) => sum + weight, 0);
        const spared: { weight: number }[] = [];
        for (const each of what) {
          if ("take" in each) {
            const stop = new AbortController();
            const one = { weight: each.take, stop, isOver: false };
            all.push(Object.assign(asked(capacity, each.take, stop.signal), one));
          } else if ("spare" in each) {
            const one = { weight: each.spare };
            const given = capacity.takeSpare(each.spare, () => spared.splice(spared.indexOf(one), 1));
            if (given !== null) spared.push(one);
          } else {
            const some = open().filter(({ isIn }) => isIn === "giveBack" in each);
            const one = some[("giveBack" in each ? each.giveBack : each.stop) % (some.length || 1)];
            if (one === undefined) continue;
            one.isOver = true;
            if ("giveBack" in each) one.giveBack();
            else one.stop.abort(new Error("stopped"));
          }
          await settled();
          const inside = open().filter(({ isIn }) => isIn);
          assert.ok(weightOf(inside) + weightOf(spared) <= slots);
          const waits = open().findIndex(({ isIn }) => !isIn);
          assert.ok(
            waits < 0 ||
              open()
                .slice(waits)
                .every(({ isIn }) => !isIn),
            "one went past another",
          );
          const next = open()[waits];
          assert.ok(next === undefined || weightOf(inside) + next.weight > slots, "one waits that would fit");
        }
      }),
    );
  });
});
