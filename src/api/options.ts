import type { RepoId, Sha } from "../delivery/types.ts";
import type { Comparison } from "../git/compare.ts";
import type { Host } from "../hosts/host.ts";
import type { PushedCheck } from "../hosts/host-tools.ts";
import type { Delivery } from "../ledger/deliveries.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { StatusParts } from "../ledger/statuses.ts";
import type { ConcurrencyLimits } from "../receiver/concurrency-limit.ts";
import type { Registry } from "../registries/registry.ts";
import type { Auth } from "./auth.ts";
import type { RepoRules } from "./rules.ts";

/**
 * Saves results of CI and queues the evaluation of their commit.
 * @param pushed `repo` is written as in `requestCommit`; `hosts` are the keys of the hosts that it may be at
 * @returns the full name of the repo
 * @throws Problem
 */
export type KeepCi = (pushed: {
  repo: string;
  hosts: string[];
  sha: string;
  checks: PushedCheck[];
  deliveryId: string;
}) => Promise<string>;

export interface ApiOptions {
  ledger: Ledger;
  auth: Auth;
  /** By their key under `registries`. */
  registries: Map<string, Registry>;
  /**
   * Adds a hint for this commit and queues its evaluation.
   * @param repo the repo as a person writes it: `<owner>/<name>` or `<host>/<owner>/<name>`
   * @throws Problem if no repo has this name, or if `repos` does not allow it
   */
  requestCommit(repo: string, sha: string): Promise<void>;
  /** What `POST /api/v1/ci` needs: the hosts by their key, whose secrets sign such requests, and where results go. */
  ci: { hosts: ReadonlyMap<string, Host>; keep: KeepCi };
  /** Whether `repos` allows the repo, which is written as in `requestCommit`. */
  isConfigured(repo: string): boolean;
  /** What the server allows the repo, which is written as in `requestCommit`. */
  rulesOf(repo: string): Promise<RepoRules>;
  /**
   * What changed between two commits of a repo.
   * @returns null: this process has no mirror of the repo, or the mirror lacks one of them
   * @throws TransientError
   */
  compareCommits(repoId: RepoId, from: Sha, to: Sha): Promise<Comparison | null>;
  /** What the statuses of commits are made from. */
  statuses: StatusParts;
  /** Queues the jobs that follow after a person has retried or cancelled a delivery. */
  onDeliveryChanged(delivery: Delivery): void;
  /** The limits that the API and the pages share; own ones if left out. */
  limits?: ConcurrencyLimits;
}
