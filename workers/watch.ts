import { createHash } from "node:crypto";
import { matchRepo } from "../src/delivery/bounds.ts";
import { dueShare, nextLook, repoInterval } from "../src/delivery/sweeping.ts";
import { waitingDeliveries } from "../src/ledger/deliveries.ts";
import { holdDuty } from "../src/ledger/duties.ts";
import { type KnownRepo, listRepos } from "../src/ledger/repos.ts";
import type { Station } from "./station.ts";
import { discoverRepos, each, sweepRepo } from "./sweep-repos.ts";

const DUTY = "watch";
const TURN = 60_000;
const DISCOVER_EVERY = 10 * 60_000;
const ACTIVE_FOR = 60 * 60_000;
/** What evaluating one waiting commit asks of the host: statuses, runs, suites, required checks. */
const CALLS_A_LOOK = 5;

/**
 * The sweep's rounds that ask the hosts, so that nothing hangs on a webhook: refs of active repos every minute, of all
 * others spread over up to an hour; waiting commits every minute at first, then ever more rarely. One process does it for all.
 */
export class Watch {
  readonly #station: Station;
  readonly #repos = new Map<string, number>();
  readonly #waiting = new Map<string, number>();
  /** What looking unasked has cost at each host since its limit was last whole. */
  readonly #accounts = new Map<string, { resetsAt: number; spent: number }>();
  #swept = new Set<string>();
  #discoverAt = 0;
  /** Nobody knows what the hosts told while nobody listened: the first round looks at every commit that waits. */
  #isFirst = true;

  constructor(station: Station) {
    this.#station = station;
  }

  async round(): Promise<void> {
    const { ledger, owner, clock } = this.#station;
    if (!(await holdDuty(ledger, DUTY, owner, TURN))) return;
    const now = clock.now();
    if (now >= this.#discoverAt) {
      this.#swept = await discoverRepos(this.#station);
      this.#discoverAt = now + DISCOVER_EVERY;
      await this.#chargeLists();
    }
    await this.#lookAtRepos(now);
    await this.#lookAtWaiting(now);
  }

  async #lookAtRepos(now: number): Promise<void> {
    const { config, ledger, log } = this.#station;
    const isActive = (repo: KnownRepo) => now - repo.activeAt < ACTIVE_FOR;
    // Until its entry has been looked at once, what a repo's refs point to is neither old nor new.
    const repos = (await listRepos(ledger)).filter((repo) =>
      this.#swept.has(matchRepo(config.repos, repo)?.match ?? ""),
    );
    const idle = repos.filter((repo) => !isActive(repo)).length;
    const due: KnownRepo[] = [];
    for (const repo of repos) {
      const interval = repoInterval(isActive(repo), idle);
      const first = isActive(repo) ? now : now + spread(repo.id, interval);
      // A repo that has come to life does not wait for its idle turn.
      const at = Math.min(this.#repos.get(repo.id) ?? first, now + interval);
      if (at <= now) due.push(repo);
      this.#repos.set(repo.id, at <= now ? now + interval : at);
    }
    await each(due, (repo) =>
      sweepRepo(this.#station, repo).catch((error: unknown) =>
        log.warn("a repo could not be swept; its next turn comes", { repo: repo.id, error }),
      ),
    );
  }

  async #lookAtWaiting(now: number): Promise<void> {
    const { ledger, queues } = this.#station;
    const waiting = await waitingDeliveries(ledger);
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    const due = waiting.filter(
      ({ id, createdAt }) => isFirst || now >= (this.#waiting.get(id) ?? nextLook(createdAt, createdAt)),
    );
    for (const delivery of due) {
      const [host = ""] = delivery.repoId.split(":", 1);
      const budget = this.#station.hosts.get(host)?.budget() ?? null;
      const account = this.#accountOf(host, budget?.resetsAt ?? 0);
      if (dueShare(budget, now, account.spent) < CALLS_A_LOOK) continue;
      account.spent += CALLS_A_LOOK;
      this.#waiting.set(delivery.id, nextLook(delivery.createdAt, now));
      await queues.add("evaluate", { repo: delivery.repoId, sha: delivery.sha, ref: null });
    }
    const alive = new Set(waiting.map((delivery) => delivery.id));
    for (const id of this.#waiting.keys()) if (!alive.has(id)) this.#waiting.delete(id);
  }

  /** Listing repos costs a call for each hundred of them. */
  async #chargeLists(): Promise<void> {
    const repos = await listRepos(this.#station.ledger);
    for (const [key, host] of this.#station.hosts) {
      const listed = repos.filter((repo) => repo.host === key).length;
      this.#accountOf(key, host.budget()?.resetsAt ?? 0).spent += Math.ceil(listed / 100);
    }
  }

  #accountOf(host: string, resetsAt: number): { resetsAt: number; spent: number } {
    const known = this.#accounts.get(host);
    // The host's clock and ours make the same moment differ by a little.
    if (known !== undefined && Math.abs(known.resetsAt - resetsAt) < 60_000) return known;
    const fresh = { resetsAt, spent: 0 };
    this.#accounts.set(host, fresh);
    return fresh;
  }
}

/** The same place within a span for the same repo, in every process. */
function spread(id: string, span: number): number {
  return createHash("sha256").update(id).digest().readUInt32BE() % span;
}
