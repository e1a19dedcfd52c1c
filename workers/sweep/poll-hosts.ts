import { createHash } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { mapLimit } from "../../src/async/map-limit.ts";
import { choosePolls, pollShare, repoPollInterval } from "../../src/delivery/poll-schedule.ts";
import type { Budget, Host } from "../../src/hosts/host.ts";
import { holdDuty } from "../../src/ledger/duties.ts";
import { recordPolls, type WaitingCommit, waitingCommits } from "../../src/ledger/evaluations.ts";
import { type KnownRepo, listRepos } from "../../src/ledger/repos.ts";
import type { Station } from "../station.ts";
import { discoverRepos, hasBaseline, type SweepRepoParts, sweepRepo } from "./sweep-repos.ts";

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
  /** How many calls polling has cost each account of a host since its rate limit was last reset. */
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
    const { ledger } = this.#station;
    const isActive = (repo: KnownRepo) => now - repo.activeAt < ACTIVE_FOR;
    const repos = (await listRepos(ledger)).filter((repo) => hasBaseline(this.#station, repo, this.#baselined));
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
      const its = waiting.filter(({ repoId }) => repoId.startsWith(`${key}:`));
      for (const [account, commits] of byAccount(host, its)) {
        const chosen = this.#choosePolls(key, account, commits, now, isFirst);
        await recordPolls(ledger, chosen, now);
        for (const { repoId: repo, sha } of chosen) await queues.add("evaluate", { repo, sha, ref: null });
      }
    }
  }

  /** Of the commits whose calls one account pays for. */
  #choosePolls(key: string, name: string, commits: WaitingCommit[], now: number, isFirst: boolean): WaitingCommit[] {
    const host = this.#station.hosts.get(key);
    const budget = host?.budget(name) ?? null;
    const account = this.#accountOf(key, name, budget);
    const sendsCiEvents = host?.sendsCiEvents ?? true;
    const share = pollShare(budget, now, account.spent, sendsCiEvents);
    const { chosen, cost } = choosePolls(commits, now, share, isFirst, sendsCiEvents);
    account.spent += cost;
    return chosen;
  }

  /** Counts the calls that listing repos costs: one for each hundred. */
  async #chargeLists(): Promise<void> {
    const repos = await listRepos(this.#station.ledger);
    for (const [key, host] of this.#station.hosts) {
      const its = repos.filter((repo) => repo.host === key);
      for (const [account, { length }] of byAccount(host, its))
        this.#accountOf(key, account, host.budget(account)).spent += Math.ceil(length / 100);
    }
  }

  #accountOf(host: string, name: string, budget: Budget | null): { resetsAt: number; spent: number } {
    const id = JSON.stringify([host, name]);
    const resetsAt = budget?.resetsAt ?? 0;
    const known = this.#accounts.get(id);
    // The host's clock and ours make the same moment differ by a little.
    if (known !== undefined && Math.abs(known.resetsAt - resetsAt) < 60_000) return known;
    const fresh = { resetsAt, spent: 0 };
    this.#accounts.set(id, fresh);
    return fresh;
  }
}

/** By the account whose limit the calls for them use. */
function byAccount<T extends { owner: string }>(host: Host, items: readonly T[]): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const account = host.accountOf?.(item.owner) ?? "";
    const group = groups.get(account);
    if (group === undefined) groups.set(account, [item]);
    else group.push(item);
  }
  return groups;
}

/** A place within the span (ms), the same for a repo in every process. */
function spread(id: string, span: number): number {
  return createHash("sha256").update(id).digest().readUInt32BE() % span;
}
