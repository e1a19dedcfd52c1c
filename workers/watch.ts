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
  #swept = new Set<string>();
  #discoverAt = 0;

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
    const due = waiting.filter(
      (delivery) => now >= (this.#waiting.get(delivery.id) ?? nextLook(delivery.createdAt, delivery.createdAt)),
    );
    const spent = new Map<string, number>();
    for (const delivery of due) {
      const [host = ""] = delivery.repoId.split(":", 1);
      const share = dueShare(this.#station.hosts.get(host)?.budget() ?? null, now);
      const calls = (spent.get(host) ?? 0) + CALLS_A_LOOK;
      if (calls > share) continue;
      spent.set(host, calls);
      this.#waiting.set(delivery.id, nextLook(delivery.createdAt, now));
      await queues.add("evaluate", { repo: delivery.repoId, sha: delivery.sha, ref: null });
    }
    const alive = new Set(waiting.map((delivery) => delivery.id));
    for (const id of this.#waiting.keys()) if (!alive.has(id)) this.#waiting.delete(id);
  }
}

/** The same place within a span for the same repo, in every process. */
function spread(id: string, span: number): number {
  return createHash("sha256").update(id).digest().readUInt32BE() % span;
}
