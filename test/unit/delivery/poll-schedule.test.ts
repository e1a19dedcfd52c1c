import assert from "node:assert/strict";
import fc from "fast-check";
import {
  CALLS_PER_POLL,
  choosePolls,
  nextPollAt,
  type PollCandidate,
  pollBudget,
  pollShare,
  repoPollInterval,
} from "../../../src/delivery/poll-schedule.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

describe("polling the CI of waiting commits", () => {
  it("comes back to a waiting commit after a minute, then ever more rarely, at least every half hour", () => {
    assert.equal(nextPollAt(0, 0), MINUTE);
    assert.equal(nextPollAt(0, HOUR), HOUR + 6 * MINUTE);
    assert.equal(nextPollAt(0, 24 * HOUR), 24 * HOUR + 30 * MINUTE);
  });

  it("asks a host without events of CI every 30 to 60 s in the first 20 minutes, then at least every 5 minutes", () => {
    const waitAt = (age: number) => nextPollAt(0, age, false) - age;
    assert.equal(waitAt(0), 30_000);
    assert.equal(waitAt(10 * MINUTE), 30_000);
    assert.equal(waitAt(20 * MINUTE), MINUTE);
    assert.equal(waitAt(24 * HOUR), 5 * MINUTE);
    const one = { createdAt: 0, unasked: 0, lookedAt: null, calls: null };
    assert.deepEqual(choosePolls([one], 30_000, 100, false, false).chosen, [one]);
    assert.deepEqual(choosePolls([one], 29_999, 100, false, false).chosen, []);
  });

  it("asks a host without events and without a known limit for a bounded number of commits a round", () => {
    assert.equal(pollShare(null, 0, 0, true), Number.POSITIVE_INFINITY);
    const waiting = Array.from({ length: 500 }, () => ({ createdAt: 0, unasked: 0, lookedAt: null, calls: 2 }));
    const { chosen, cost } = choosePolls(waiting, HOUR, pollShare(null, 0, 0, false), false, false);
    assert.deepEqual([chosen.length, cost], [50, 100]);
  });

  it("asks active repos every minute, a few idle ones too, and many at least once an hour", () => {
    assert.equal(repoPollInterval(true, 5_000), MINUTE);
    assert.equal(repoPollInterval(false, 3), MINUTE);
    assert.equal(repoPollInterval(false, 300), 30 * MINUTE);
    assert.equal(repoPollInterval(false, 5_000), HOUR);
  });

  it("is not bounded where the host tells no limit, or the limit is whole again", () => {
    assert.equal(pollBudget(null, 0, 7), Number.POSITIVE_INFINITY);
    assert.equal(pollBudget({ remaining: 0, resetsAt: 5 }, 5, 7), Number.POSITIVE_INFINITY);
  });

  it("never spends more than a third of what the host would take, however often it looks", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 20_000 }), fc.integer({ min: 1, max: 600 }), (limit, rounds) => {
        let spent = 0;
        for (let round = 0; round < rounds; round++) {
          const now = (round * HOUR) / rounds;
          const share = pollBudget({ remaining: limit - spent, resetsAt: HOUR }, now, spent);
          spent += Math.max(0, Math.floor(share));
        }
        assert.ok(spent <= limit / 3);
      }),
    );
  });

  describe("chooses among the waiting commits", () => {
    const old = (createdAt: number, unasked = 1, calls: number | null = CALLS_PER_POLL): PollCandidate => {
      return { createdAt, unasked, lookedAt: createdAt, calls };
    };
    const fresh = (createdAt: number): PollCandidate => ({ createdAt, unasked: 0, lookedAt: null, calls: null });

    it("a new one in the first round that can pay for one look, however many never get an answer", () => {
      fc.assert(
        fc.property(fc.integer({ min: 0, max: 2_000 }), fc.integer({ min: 5, max: 60 }), (count, share) => {
          const now = 10 * HOUR;
          const waiting = Array.from({ length: count }, (_none, index) => old(index, 1 + (index % 7)));
          const one = fresh(now - 2 * MINUTE);
          const { chosen, cost } = choosePolls([...waiting, one], now, share);
          assert.ok(chosen.includes(one));
          assert.ok(cost <= share);
        }),
      );
    });

    it("each in time, while new ones keep coming in every round", () => {
      const now = 10 * HOUR;
      const waiting = Array.from({ length: 50 }, (_none, index) => old(index));
      const first = waiting[0];
      let seen = false;
      for (let round = 0; round < 50 && !seen; round++) {
        const news = Array.from({ length: 20 }, () => fresh(now - 2 * MINUTE));
        const { chosen } = choosePolls([...waiting, ...news], now + round, 4 * CALLS_PER_POLL);
        for (const one of chosen) if (one.unasked > 0) Object.assign(one, { unasked: one.unasked + 1, lookedAt: now });
        seen = first !== undefined && chosen.includes(first);
      }
      assert.ok(seen);
    });

    it("those that cost nothing without end, and saves for one that costs more than is left", () => {
      const now = 10 * HOUR;
      const free = Array.from({ length: 300 }, (_none, index) => old(index, 1, 0));
      assert.equal(choosePolls(free, now, 0).chosen.length, 300);
      const cheap = Array.from({ length: 300 }, (_none, index) => old(index, 1, 1));
      assert.deepEqual(choosePolls([...cheap, fresh(now - 2 * MINUTE)], now, 4), { chosen: [], cost: 0 });
    });

    it("none before its time, except after a start; a clock that was ahead puts none off for long", () => {
      const one = old(0, 1);
      assert.deepEqual(choosePolls([one], 30_000, 100).chosen, []);
      assert.deepEqual(choosePolls([one], 30_000, 100, true).chosen, [one]);
      const ahead = { ...one, lookedAt: 100 * HOUR };
      assert.deepEqual(choosePolls([ahead], 2 * HOUR, 100).chosen, []);
    });
  });
});
