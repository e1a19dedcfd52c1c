import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { matchRepo } from "../../src/delivery/bounds.ts";
import { choosePolls, pollBudget, repoPollInterval } from "../../src/delivery/poll-schedule.ts";
import { holdDuty } from "../../src/ledger/duties.ts";
import { recordPolls, waitingCommits } from "../../src/ledger/evaluations.ts";
import { type KnownRepo, listRepos } from "../../src/ledger/repos.ts";
import type { Station } from "../station.ts";
import { discoverRepos, each, type SweepRepoParts, sweepRepo } from "./sweep-repos.ts";

const DUTY = "watch";
const TURN = 60_000;
const DISCOVER_EVERY = 10 * 60_000;
const ACTIVE_FOR = 60 * 60_000;
/** A round waits so long (ms) for its hosts: one that hangs is left to come to its end beside the next rounds. */
const PATIENCE = 10_000;

/** What polling uses of the station. */
type PollParts = SweepRepoParts & Pick<Station, "owner" | "clock">;

/**
 * The sweep's rounds that ask the hosts, so that nothing hangs on a webhook: refs of active repos every minute, of all
 * others spread over up to an hour; waiting commits every minute at first, then ever more rarely. One process does it for all.
 */
export class HostPoller {
  readonly #station: PollParts;
  readonly #repos = new Map<string, number>();
  /** Hosts whose repos are still being asked for. */
  readonly #busy = new Set<string>();
  /** What looking unasked has cost at each host since its limit was last whole. */
  readonly #accounts = new Map<string, { resetsAt: number; spent: number }>();
  #swept = new Set<string>();
  #discoverAt = 0;
  /** Nobody knows what the hosts told while nobody listened: the first round looks at every commit that waits. */
  #isFirst = true;

  constructor(station: PollParts) {
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
    await this.#lookAtWaiting(now);
    await this.#lookAtRepos(now);
  }

  async #lookAtRepos(now: number): Promise<void> {
    const { config, ledger } = this.#station;
    const isActive = (repo: KnownRepo) => now - repo.activeAt < ACTIVE_FOR;
    // Until its entry has been looked at once, what a repo's refs point to is neither old nor new.
    const repos = (await listRepos(ledger)).filter((repo) =>
      this.#swept.has(matchRepo(config.repos, repo)?.match ?? ""),
    );
    const idle = repos.filter((repo) => !isActive(repo)).length;
    const due: KnownRepo[] = [];
    for (const repo of repos) {
      const interval = repoPollInterval(isActive(repo), idle);
      const first = isActive(repo) ? now : now + spread(repo.id, interval);
      // A repo that has come to life does not wait for its idle turn.
      const at = Math.min(this.#repos.get(repo.id) ?? first, now + interval);
      if (at <= now) due.push(repo);
      this.#repos.set(repo.id, at <= now ? now + interval : at);
    }
    const hosts = [...new Set(due.map(({ host }) => host))].filter((host) => !this.#busy.has(host));
    const asking = hosts.map((host) =>
      this.#sweep(
        host,
        due.filter((repo) => repo.host === host),
      ),
    );
    await Promise.race([Promise.all(asking), delay(PATIENCE, undefined, { ref: false })]);
  }

  /** Each host by itself: one that hangs, or whose repos do, keeps no other's from being looked at. */
  async #sweep(host: string, repos: KnownRepo[]): Promise<void> {
    this.#busy.add(host);
    await each(repos, (repo) =>
      sweepRepo(this.#station, repo).catch((error: unknown) =>
        this.#station.log.warn("a repo could not be swept; its next turn comes", { repo: repo.id, error }),
      ),
    );
    this.#busy.delete(host);
  }

  async #lookAtWaiting(now: number): Promise<void> {
    const { ledger, queues, hosts } = this.#station;
    const waiting = await waitingCommits(ledger);
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    for (const [key, host] of hosts) {
      const budget = host.budget();
      const account = this.#accountOf(key, budget?.resetsAt ?? 0);
      const its = waiting.filter(({ repoId }) => repoId.startsWith(`${key}:`));
      const { chosen, cost } = choosePolls(its, now, pollBudget(budget, now, account.spent), isFirst);
      account.spent += cost;
      await recordPolls(ledger, chosen, now);
      for (const { repoId: repo, sha } of chosen) await queues.add("evaluate", { repo, sha, ref: null });
    }
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
