import type { BoundedCache } from "../src/async/bounded-cache.ts";
import type { BuildCaches, Builder, BuildOrder, FilesOrder } from "../src/builders/builder.ts";
import type { ServerConfig } from "../src/config/server.ts";
import type { Evidence } from "../src/delivery/proof/evidence.ts";
import type { Mirrors } from "../src/git/mirrors.ts";
import type { Host } from "../src/hosts/host.ts";
import type { Ledger } from "../src/ledger/ledger.ts";
import type { Watermark } from "../src/ledger/watermark.ts";
import type { Notifier } from "../src/notices/notice.ts";
import type { Log } from "../src/observe/log.ts";
import type { Mask } from "../src/observe/mask.ts";
import type { Counter, Histogram } from "../src/observe/metrics.ts";
import type { SignerSource } from "../src/proof/signer.ts";
import type { Queues } from "../src/queue/queues.ts";
import type { Registry } from "../src/registries/registry.ts";
import type { Clock } from "../src/run/clock.ts";
import type { Store } from "../src/store/store.ts";
import type { BuildSlots } from "./build-slots.ts";

/** A gate that an evaluation found green. */
export interface RecentGreen {
  /** What there was when the evaluation began to read. */
  seen: Watermark;
  evidence: Evidence;
}

/** All that workers may be handed. Each function takes only the part that it uses. */
export interface Station {
  config: ServerConfig;
  ledger: Ledger;
  queues: Queues;
  hosts: Map<string, Host>;
  mirrors: Mirrors;
  /** By the repo's id: the name under which its host has just shown it. */
  identities: BoundedCache<string>;
  /** By commit: what an evaluation that found its gate green had seen when it began. See commit/recent-green.ts. */
  recentGreen: BoundedCache<RecentGreen>;
  registries: Map<string, Registry>;
  notifiers: Notifier[];
  /** Signs proofs. */
  signer: SignerSource;
  store: Store;
  builders: { image: Builder<BuildOrder>; files: Builder<FilesOrder> };
  /** Bounds what is built at once in this process. */
  buildSlots: BuildSlots;
  /** What builds leave in the engine, for housekeeping. Neither opens a connection to it. */
  engine: { caches: BuildCaches; removeLeftovers(): Promise<void> };
  log: Log;
  mask: Mask;
  clock: Clock;
  /** Counts the immutable names that were found to be no longer what we published. */
  drift: Counter;
  /** Counts the seconds of work that was done before its commit's gate was green, by what became of it. */
  preparedSeconds: Counter;
  /** How long deliveries were in each stage, in seconds. */
  stageSeconds: Histogram;
  /** How long deliveries that were due waited for a worker, in seconds. */
  queueWait: Histogram;
  /** Unique to this process: whose leases are whose. */
  owner: string;
  /** Unique to this dataDir: which store holds a frozen content. */
  storeId: string;
  /** For what a run needs on disk. */
  tmp: string;
}
