import type { Budget, HostRepo } from "../src/hosts/host.ts";
import { ensureDelivery } from "../src/ledger/deliveries.ts";
import { addHints } from "../src/ledger/hints.ts";
import { openLedger } from "../src/ledger/ledger.ts";
import { silentLog } from "../src/observe/log.ts";
import { tempDir } from "../test/support/processes/process.ts";
import type { Station } from "../workers/station.ts";
import { HostPoller } from "../workers/sweep/poll-hosts.ts";
import { type Bench, withOpened } from "./bench.ts";
import { type Row, toRow } from "./row.ts";

const REPOS = 2_000;
const ACTIVE = 100;
const WAITING = 200;
const ROUND = 15_000;
const HOUR = 60 * 60_000;
/** GitHub's limit for a token. */
const LIMIT = 5_000;
/** What one look at a waiting commit asks, as workers/sweep/poll-hosts.ts reckons. */
const CALLS_A_LOOK = 5;

/**
 * What an hour of sweeping asks of the host, with 2,000 repos of which 100 were pushed to at its beginning, and 200 commits
 * that wait for their CI all along: the real rounds on a real ledger, with the hour turned by hand and a host that counts.
 */
export function sweep(bench: Bench): Promise<Row[]> {
  return withOpened(async (open) => {
    const dir = await open(tempDir(), (one) => one.remove());
    const ledger = await open(openLedger({ dataDir: dir.path }), (one) => one.close());
    const repos = Array.from({ length: REPOS }, (_, index) => repoOf(index));
    const hinted = repos.slice(0, ACTIVE).map((repo) => ({
      repo: { id: `github:${repo.hostId}`, host: "github", owner: repo.owner, name: repo.name, defaultBranch: "main" },
      event: "push",
      deliveryId: "",
      ref: "refs/heads/main",
      sha: null,
    }));
    await addHints(ledger, hinted);
    for (let index = 0; index < WAITING; index++) {
      const facts = {
        ref: "refs/heads/main",
        state: "waiting" as const,
        because: "",
        message: "",
        author: "",
        committedAt: null,
      };
      await ensureDelivery(ledger, `github:${1 + (index % ACTIVE)}`, index.toString(16).padStart(40, "0"), facts);
    }
    const counted = { lists: 0, refs: 0, looks: 0 };
    let now = Date.now();
    const resetsAt = now + HOUR;
    const budget = (): Budget => ({
      remaining: Math.max(0, LIMIT - counted.lists - counted.looks * CALLS_A_LOOK),
      resetsAt,
    });
    const host = {
      budget,
      async listRepos() {
        counted.lists += REPOS / 100;
        return repos;
      },
      cloneSource: async () => ({ url: "http://127.0.0.1:1/x.git", authorization: null }),
    };
    const mirror = {
      async peek() {
        counted.refs += 1;
        return new Map();
      },
    };
    const station = {
      config: { repos: [{ match: "acme/*", branches: null, tags: null, ci: null, registries: null, secrets: {} }] },
      ledger,
      hosts: new Map([["github", host]]),
      mirrors: { open: () => mirror },
      queues: {
        async add(name: string) {
          if (name === "evaluate") counted.looks += 1;
        },
      },
      log: silentLog,
      clock: { now: () => now },
      owner: "bench",
    } as unknown as Station;
    const watch = new HostPoller(station);
    for (const end = now + HOUR; now < end; now += ROUND) await watch.round();
    bench.say(JSON.stringify(counted));
    const api = counted.lists + counted.looks * CALLS_A_LOOK;
    return [
      toRow(
        {
          row: "sweep-api-calls",
          beside: "each commit and repo asked every minute",
          unit: "calls an hour",
          goal: { of: "ours", is: "≤", bound: Math.round(LIMIT / 3) },
        },
        [api],
        [60 * (REPOS + WAITING * CALLS_A_LOOK)],
      ),
      toRow(
        { row: "sweep-ref-questions", beside: "each repo asked every minute", unit: "git ls-remote an hour" },
        [counted.refs],
        [60 * REPOS],
      ),
    ];
  });
}

function repoOf(index: number): HostRepo {
  return { hostId: String(index + 1), owner: "acme", name: `repo-${index}`, defaultBranch: "main" };
}
