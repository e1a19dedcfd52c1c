import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { mapLimit } from "../../src/async/map-limit.ts";
import { matchRepo } from "../../src/delivery/bounds.ts";
import { choosePolls, pollBudget, repoPollInterval } from "../../src/delivery/poll-schedule.ts";
import { holdDuty } from "../../src/ledger/duties.ts";
import { recordPolls, waitingCommits } from "../../src/ledger/evaluations.ts";
import { type KnownRepo, listRepos } from "../../src/ledger/repos.ts";
import type { Station } from "../station.ts";
import { discoverRepos, type SweepRepoParts, sweepRepo } from "./sweep-repos.ts";

const DUTY = "watch";
const TURN = 60_000;
const DISCOVER_EVERY = 10 * 60_000;
const ACTIVE_FOR = 60 * 60_000;
/** Repos of one host that are polled at the same time. */
const REPOS_AT_ONCE = 4;
/** How long a round waits for its hosts (ms). A host that hangs goes on beside the next rounds. */
const PATIENCE = 10_000;

/** What polling uses of the station. */
type PollParts = SweepRepoParts & Pick<Station, "owner" | "clock">;

/**
 * Asks the hosts for changes, so that no commit depends on a webhook: refs of active repos every minute, of all others
 * spread over up to an hour; waiting commits every minute at first, then ever more rarely. One process does it for all.
 */
export class HostPoller {
  readonly #station: PollParts;
  readonly #nextTurn = new Map<string, number>();
  /** Hosts whose repos are being polled. */
  readonly #busy = new Set<string>();
  /** How many calls polling has cost at each host since its rate limit was last reset. */
  readonly #accounts = new Map<string, { resetsAt: number; spent: number }>();
  #baselined = new Set<string>();
  #discoverAt = 0;
  /** Webhooks may have been lost before this process ran: the first round evaluates every waiting commit. */
  #isFirst = true;

  constructor(station: PollParts) {
    this.#station = station;
  }

  async round(): Promise<void> {
    const { ledger, owner, clock } = this.#station;
    if (!(await holdDuty(ledger, DUTY, owner, TURN))) return;
    const now = clock.now();
    if (now >= this.#discoverAt) {
      this.#baselined = await discoverRepos(this.#station);
      this.#discoverAt = now + DISCOVER_EVERY;
      await this.#chargeLists();
    }
    await this.#pollWaitingCommits(now);
    await this.#pollRepos(now);
  }

  async #pollRepos(now: number): Promise<void> {
    const { config, ledger } = this.#station;
    const isActive = (repo: KnownRepo) => now - repo.activeAt < ACTIVE_FOR;
    // Before its entry has a baseline, nobody can say which of a repo's commits are new.
    const repos = (await listRepos(ledger)).filter((repo) =>
      this.#baselined.has(matchRepo(config.repos, repo)?.match ?? ""),
    );
    const idle = repos.filter((repo) => !isActive(repo)).length;
    const due: KnownRepo[] = [];
    for (const repo of repos) {
      const interval = repoPollInterval(isActive(repo), idle);
      const first = isActive(repo) ? now : now + spread(repo.id, interval);
      // A repo that became active does not wait for its idle turn.
      const at = Math.min(this.#nextTurn.get(repo.id) ?? first, now + interval);
      if (at <= now) due.push(repo);
      this.#nextTurn.set(repo.id, at <= now ? now + interval : at);
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

  /** Polls each host by itself: one that hangs holds up no other. */
  async #sweep(host: string, repos: KnownRepo[]): Promise<void> {
    this.#busy.add(host);
    await mapLimit(repos, REPOS_AT_ONCE, (repo) =>
      sweepRepo(this.#station, repo).catch((error: unknown) =>
        this.#station.log.warn("a repo could not be swept; its next turn comes", { repo: repo.id, error }),
      ),
    );
    this.#busy.delete(host);
  }

  async #pollWaitingCommits(now: number): Promise<void> {
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

  /** Counts the calls that listing repos costs: one for each hundred. */
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

/** A place within the span (ms), the same for a repo in every process. */
function spread(id: string, span: number): number {
  return createHash("sha256").update(id).digest().readUInt32BE() % span;
}
