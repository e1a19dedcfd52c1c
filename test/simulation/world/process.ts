import { createHash } from "node:crypto";
import type { ServerConfig } from "../../../src/config/server.ts";
import type { RepoId } from "../../../src/delivery/types.ts";
import type { Hint } from "../../../src/hosts/host.ts";
import { createHintWriter, type NewHint } from "../../../src/ledger/hints.ts";
import { createMask } from "../../../src/observe/mask.ts";
import type { Counter, Histogram } from "../../../src/observe/metrics.ts";
import type { Signer } from "../../../src/proof/signer.ts";
import { createEnqueuer } from "../../../src/queue/enqueuer.ts";
import { createInbox } from "../../../src/receiver/inbox.ts";
import { BuildSlots } from "../../../workers/build-slots.ts";
import { openRecentGreen } from "../../../workers/commit/recent-green.ts";
import { openIdentities } from "../../../workers/commit/repo-identity.ts";
import { releaseLeftovers, startWorkers } from "../../../workers/main.ts";
import type { Station } from "../../../workers/station.ts";
import type { Network } from "../machine/network.ts";
import type { Random } from "../machine/random.ts";
import type { Actor, Scheduler } from "../machine/scheduler.ts";
import { simBuilder } from "./builder.ts";
import type { History } from "./history.ts";
import { type HostServer, hostClient } from "./host.ts";
import type { Database } from "./ledger.ts";
import { simLog } from "./log.ts";
import { type MirrorDisk, simMirrors } from "./mirror.ts";
import { type NoticeSink, simNotifier } from "./notices.ts";
import type { QueueServer } from "./queue.ts";
import { type RegistryServer, registryClient } from "./registry.ts";
import { SimStore } from "./store.ts";

/** All that is outside of deliverd's processes. */
export interface World {
  scheduler: Scheduler;
  random: Random;
  network: Network;
  database: Database;
  history: History;
  host: HostServer;
  registries: Map<string, RegistryServer>;
  queue: QueueServer;
  notices: NoticeSink;
  config: ServerConfig;
  isReproducible: boolean;
  onBug(message: string, error: Error): void;
}

/** One data folder: its disks outlive the processes that run on it, one after the other. */
export class Machine {
  readonly name: string;
  readonly store: SimStore;
  readonly #mirrors = new Map<RepoId, MirrorDisk>();
  #starts = 0;
  actor: Actor;

  constructor(name: string) {
    this.name = name;
    this.store = new SimStore(name);
    this.actor = { name, isDead: true, pausedUntil: 0 };
  }

  /** A new, empty disk. */
  loseDisk(): void {
    this.store.clear();
    this.#mirrors.clear();
  }

  /** Starts a new process of deliverd with the role of a worker, as src/cli/work.ts does. */
  startWorker(world: World): void {
    const actor = this.#begin(world);
    const station = this.#station(world, actor);
    world.scheduler.in(1, actor, () => {
      releaseLeftovers(station, this.name).then(
        () => void startWorkers(station, world.queue.consumeFor(actor), IGNORED),
        // Nothing can be opened: its supervisor starts it again.
        () => this.#startAgain(actor, () => this.startWorker(world), world),
      );
    });
  }

  /** Starts a process that takes webhooks, as src/cli/serve.ts does. @returns what takes one; it resolves with a 202 */
  startReceiver(world: World): (body: Buffer) => Promise<void> {
    const actor = this.#begin(world);
    const { host, queue, database, scheduler, network } = world;
    const client = hostClient(host, actor, world);
    const inbox = createInbox(createHintWriter(database.ledgerOf(actor, scheduler, network)));
    const evaluations = createEnqueuer(queue.queuesOf(actor), "evaluate", { isBusy: () => inbox.pending() > 0 });
    return async (body) => {
      const reading = await client.readHints({ headers: {}, body });
      const hints = "hints" in reading ? reading.hints.map(toNewHint) : [];
      await inbox.add(hints);
      for (const { repo, sha, ref } of hints) evaluations.add({ repo: repo.id, sha, ref: sha === null ? ref : null });
    };
  }

  #begin({ queue }: World): Actor {
    this.actor.isDead = true;
    queue.leave(this.actor);
    this.#starts += 1;
    this.actor = { name: `${this.name}/${this.#starts}`, isDead: false, pausedUntil: 0 };
    return this.actor;
  }

  #startAgain(actor: Actor, start: () => void, { scheduler }: World): void {
    actor.isDead = true;
    scheduler.in(1_000, null, () => {
      if (this.actor === actor) start();
    });
  }

  #station(world: World, actor: Actor): Station {
    const { scheduler, network, random, history, config, database } = world;
    const host = hostClient(world.host, actor, world);
    const ports = { scheduler, network, store: this.store };
    const builder = simBuilder(actor, { ...world, ...ports });
    const registries = [...world.registries].map(
      ([key, server]) => [key, registryClient(server, actor, ports)] as const,
    );
    return {
      ...{ config, clock: { now: () => scheduler.now }, mask: createMask([]), log: simLog(world.onBug) },
      ledger: database.ledgerOf(actor, scheduler, network),
      queues: world.queue.queuesOf(actor),
      hosts: new Map([["github", host]]),
      mirrors: simMirrors(this.#mirrors, { scheduler, history, server: host.git }),
      ...{ identities: openIdentities(), recentGreen: openRecentGreen() },
      registries: new Map(registries),
      signer: { holder: "simulation", previous: null, open: async () => SIGNER },
      notifiers: [simNotifier(world.notices, actor, network)],
      store: this.store.asStore(),
      builders: { image: builder, files: { build: () => Promise.reject(new Error("no files are built here")) } },
      buildSlots: new BuildSlots(config.workers.slots),
      engine: { caches: { list: async () => [], remove: async () => false }, removeLeftovers: async () => {} },
      ...{ drift: IGNORED, preparedSeconds: IGNORED, stageSeconds: IGNORED, queueWait: IGNORED },
      owner: `${this.name}/${this.#starts}/${random.hex(8)}`,
      storeId: this.name,
      tmp: "/simulated",
    };
  }
}

/** ECDSA gives another signature each time, and the same seed has to give the same bytes. */
const SIGNER: Signer = {
  keyId: "simulation",
  publicKey: "simulation",
  sign: async (bytes) => createHash("sha256").update(bytes).digest(),
};

const IGNORED: Counter & Histogram = { add: () => {}, observe: () => {} };

function toNewHint({ repo, event, deliveryId, ref, sha }: Hint): NewHint {
  const { hostId, owner, name, defaultBranch } = repo;
  return { repo: { id: `github:${hostId}`, host: "github", owner, name, defaultBranch }, event, deliveryId, ref, sha };
}
