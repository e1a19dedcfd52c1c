import assert from "node:assert/strict";
import { TransientError } from "../../../src/delivery/errors.ts";
import type { Host } from "../../../src/hosts/host.ts";
import { ensureDelivery } from "../../../src/ledger/deliveries.ts";
import { evaluationHistory, recordPolls, waitingCommits } from "../../../src/ledger/evaluations.ts";
import { addHints } from "../../../src/ledger/hints.ts";
import { dueNameUpdates, pendingNameUpdate, queueNameUpdate } from "../../../src/ledger/name-updates.ts";
import type { Jobs } from "../../../src/queue/queues.ts";
import { evaluateMemory, fairly, namesMemory } from "../../../workers/fair-jobs.ts";
import type { Station } from "../../../workers/station.ts";
import { HostPoller } from "../../../workers/sweep/poll-hosts.ts";
import { sweep } from "../../../workers/sweep/sweep.ts";
import { acmeApi, REPO, SHA, useLedger } from "../../support/databases/ledgers.ts";
import { deafQueues, unitStation } from "../../support/fixtures/station.ts";
import { until } from "../../support/processes/process.ts";

const sha = (n: number) => n.toString(16).padStart(40, "0");
const MINUTE = 60_000;

describe("Work that fails again and again", () => {
  const store = useLedger();
  let added: { name: string; job: unknown }[];
  let station: Station;
  let at: number;
  let budget: { remaining: number; resetsAt: number };

  beforeEach(() => {
    added = [];
    at = Date.now();
    budget = { remaining: 5_000, resetsAt: at + 60 * MINUTE };
    const github: Partial<Host> = {
      budget: () => budget,
      counted: async (work) => {
        await work();
        return 0;
      },
    };
    const { ledger } = store;
    station = unitStation({ ledger, queues: deafQueues(added), clock: { now: () => at }, hosts: { github } });
  });

  const evaluating = (places: number, work: (job: Jobs["evaluate"]) => Promise<void>) =>
    fairly(station, "evaluate", places, evaluateMemory(station), work);
  const job = (n: number, repo = REPO): Jobs["evaluate"] => ({ repo, sha: sha(n), ref: null });

  it("is tried less and less often, also by the next process, and after any kind of failure", async () => {
    for (const error of [new TransientError("x", "host down"), new Error("a fault of ours")]) {
      let tries = 0;
      const work = async () => {
        tries++;
        throw error;
      };
      const one = job(tries + (error instanceof TransientError ? 10 : 20));
      await evaluating(8, work)(one);
      await evaluating(8, work)(one);
      assert.equal(tries, 1, "not before its time");
      assert.equal((await evaluationHistory(store.ledger, one))?.failures, 1);
      await store.ledger.db.updateTable("looks").set({ retryAt: 0 }).execute();
      await evaluating(8, async () => {})(one);
      assert.equal(await evaluationHistory(store.ledger, one), null, "answered: nothing is kept");
    }
  });

  it("leaves places to other repos while a host hangs", async () => {
    const done: string[] = [];
    const evaluate = evaluating(4, async ({ repo, sha }) => {
      if (repo === REPO) await new Promise(() => {});
      done.push(`${repo} ${sha}`);
    });
    const real = performance.now.bind(performance);
    let later = 0;
    performance.now = () => real() + later;
    try {
      for (let n = 0; n < 2; n++) void evaluate(job(n));
      await until("they run", () => true);
      await new Promise((resolve) => setTimeout(resolve, 50));
      later = 6_000;
      await evaluate(job(3));
      await evaluate(job(1, "other:1"));
      assert.deepEqual(done, [`other:1 ${sha(1)}`]);
    } finally {
      performance.now = real;
    }
  });

  it("on a name waits in the ledger, and new names go first", async () => {
    const owe = (artifact: string) =>
      store.ledger.transaction((tx) => queueNameUpdate(tx, { repoId: REPO, sha: SHA, deliveryId: null, artifact }));
    await owe("stuck");
    const names = fairly(station, "names", 4, namesMemory(station), async () => {
      throw new TransientError("x", "registry down");
    });
    await names({ repo: REPO, artifact: "stuck" });
    const stuck = await pendingNameUpdate(store.ledger, { repoId: REPO, artifact: "stuck" });
    assert.deepEqual([stuck?.failures, stuck?.isEarly], [1, true]);
    await owe("new");
    assert.deepEqual(
      (await dueNameUpdates(store.ledger)).map(({ artifact }) => artifact),
      ["new"],
    );
    await owe("stuck");
    assert.deepEqual(
      (await dueNameUpdates(store.ledger)).map(({ artifact }) => artifact),
      ["new", "stuck"],
    );
  });

  const wait = (commits: number[]) =>
    store.ledger.transaction(async (tx) => {
      const facts = { ref: null, state: "waiting" as const, because: "", message: "", author: "", committedAt: null };
      for (const n of commits) await ensureDelivery(tx, REPO, sha(n), facts);
      await tx.db
        .updateTable("deliveries")
        .set({ createdAt: at - 10 * MINUTE })
        .execute();
    });
  const many = Array.from({ length: 300 }, (_none, n) => n);

  it("does not delay a new commit, however many red ones wait: the first poll with a free place asks for it", async () => {
    await wait(many);
    const first = new HostPoller(station);
    await first.round();
    await recordPolls(store.ledger, await waitingCommits(store.ledger), at - 5 * MINUTE);
    const watch = new HostPoller(station);
    await watch.round();
    await wait([1_000]);
    added.length = 0;
    for (let round = 0; round < 3 && added.length === 0; round++) {
      at += 15_000;
      await watch.round();
    }
    assert.deepEqual(added[0]?.job, { repo: REPO, sha: sha(1_000), ref: null });
  });

  it("uses nothing of the host's rate limit while its answers do not change", async () => {
    await wait(many);
    await recordPolls(store.ledger, await waitingCommits(store.ledger), at - 5 * MINUTE);
    // As many of their answers as tell what kind they are: the ledger's own pace is no part of this.
    await evaluating(8, async () => {})(job(0));
    const { calls } = await store.ledger.db
      .selectFrom("looks")
      .select("calls")
      .where("sha", "=", sha(0))
      .executeTakeFirstOrThrow();
    assert.equal(calls, 0);
    await store.ledger.db.updateTable("looks").set({ calls }).execute();
    budget = { remaining: 3, resetsAt: at + 60 * MINUTE };
    await new HostPoller(station).round();
    assert.equal(added.filter(({ name }) => name === "evaluate").length, 300);
  });

  it("is swept after new hints", async () => {
    await addHints(store.ledger, [{ repo: acmeApi, event: "push", deliveryId: "", ref: null, sha: sha(1) }]);
    await evaluating(8, () => Promise.reject(new TransientError("x", "gone")))(job(1));
    await addHints(store.ledger, [{ repo: acmeApi, event: "push", deliveryId: "", ref: null, sha: sha(2) }]);
    added.length = 0;
    await sweep(station, 0);
    assert.deepEqual(
      added.filter(({ name }) => name === "evaluate").map(({ job }) => (job as { sha: string }).sha),
      [sha(2)],
    );
  });
});
