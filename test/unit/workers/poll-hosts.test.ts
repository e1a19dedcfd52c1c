import assert from "node:assert/strict";
import type { Host } from "../../../src/hosts/host.ts";
import { ensureDelivery } from "../../../src/ledger/deliveries.ts";
import { saveRepos } from "../../../src/ledger/repos.ts";
import { HostPoller } from "../../../workers/sweep/poll-hosts.ts";
import { useLedger } from "../../support/databases/ledgers.ts";
import { deafQueues, unitStation } from "../../support/fixtures/station.ts";

const HOUR = 60 * 60_000;
const sha = (digit: string) => digit.repeat(40);

describe("polling hosts", () => {
  const store = useLedger();
  let now: number;
  let added: { name: string; job: unknown }[];

  beforeEach(() => {
    now = Date.now();
    added = [];
  });

  async function waits(host: string, owner: string, digit: string): Promise<void> {
    const repo = { id: `${host}:${owner}`, host, owner, name: "api", defaultBranch: "main" };
    await store.ledger.transaction(async (tx) => {
      await saveRepos(tx, [repo]);
      const nothing = { ref: null, because: "CI", message: "", author: "", committedAt: null };
      await ensureDelivery(tx, repo.id, sha(digit), { ...nothing, state: "waiting" });
    });
  }
  const poller = (hosts: Record<string, Partial<Host>>) => {
    const { ledger } = store;
    return new HostPoller(unitStation({ ledger, hosts, queues: deafQueues(added), clock: { now: () => now } }));
  };
  const polled = () => added.splice(0).map(({ job }) => (job as { sha: string }).sha[0]);

  it("asks again after 30 s where no webhook says that CI has ended, and after a minute elsewhere", async () => {
    const budget = () => null;
    await waits("silent", "acme", "a");
    await waits("github", "acme", "b");
    const round = poller({ silent: { budget, sendsCiEvents: false }, github: { budget } });
    await round.round();
    assert.deepEqual(polled(), ["a", "b"], "all at the start");
    now += 35_000;
    await round.round();
    assert.deepEqual(polled(), ["a"]);
    now += 30_000;
    await round.round();
    assert.deepEqual(polled(), ["a", "b"]);
  });

  it("spends of each account's own limit: one that is used up holds up no other", async () => {
    const left: Record<string, number> = { poor: 0, rich: 5_000 };
    const host: Partial<Host> = {
      accountOf: (owner) => owner,
      budget: (account = "poor") => ({ remaining: left[account] ?? 0, resetsAt: now + HOUR / 2 }),
    };
    await waits("github", "poor", "a");
    await waits("github", "rich", "b");
    await poller({ github: host }).round();
    assert.deepEqual(polled(), ["b"]);
  });
});
