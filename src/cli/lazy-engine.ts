import { BUILD_ID } from "../../workers/deliver/build.ts";
import { withTimeout } from "../async/with-timeout.ts";
import type { BuildCaches, CacheUses } from "../builders/builder.ts";
import type { Engine } from "../builders/engine/open.ts";
import type { EngineSettings } from "../builders/engine/settings.ts";
import { getDelivery } from "../ledger/deliveries.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Parts } from "./parts.ts";

/** The engine. Its client takes a tenth of deliverd's memory and start-up time, so the first build loads it. */
export class LazyEngine {
  readonly #parts: Parts;
  readonly #settings: EngineSettings;
  readonly cacheUses: CacheUses = new Map();
  #opened: Promise<Engine> | null = null;

  constructor(parts: Parts, settings: EngineSettings) {
    this.#parts = parts;
    this.#settings = settings;
  }

  engine(): Promise<Engine> {
    this.#opened ??= this.#open().catch((error) => {
      this.#opened = null;
      throw error;
    });
    return this.#opened;
  }

  /** Removes what builds of dead workers left in the engine. */
  async removeLeftovers(): Promise<void> {
    if (this.#opened !== null) await removeLeftoversOf(this.#parts, await this.#opened);
  }

  /** Before the first build there are no caches, so housekeeping need not load the client. */
  readonly caches: BuildCaches = {
    list: async () =>
      this.#opened === null ? [] : withDeadline((await this.#caches())?.list() ?? Promise.resolve([])),
    remove: async (name) => withDeadline((await this.#caches())?.remove(name) ?? Promise.resolve(false)),
  };

  async #open(): Promise<Engine> {
    const { openEngine } = await import("../builders/engine/open.ts");
    const engine = await openEngine(this.#settings, process.env);
    await removeLeftoversOf(this.#parts, engine);
    return engine;
  }

  /** A BuildKit has none: it keeps caches by its own rules. */
  async #caches(): Promise<BuildCaches | null> {
    const engine = await this.engine();
    if (engine.protocol === "buildkit") return null;
    const { cachesIn } = await import("../builders/files/caches.ts");
    return cachesIn(engine.docker, this.cacheUses);
  }
}

/** A BuildKit ends a build with its connection, so none is left. */
async function removeLeftoversOf({ ledger, log }: Parts, engine: Engine): Promise<void> {
  if (engine.protocol === "buildkit") return;
  const { removeBuildLeftovers } = await import("../builders/engine/leftovers.ts");
  await withDeadline(removeBuildLeftovers(engine.docker, (build) => isDead(ledger, build))).then(
    (names) => names.length > 0 && log.info("removed what builds of dead workers left in the engine", { names }),
    (error: unknown) => log.warn("could not remove what builds of dead workers left in the engine", { error }),
  );
}

/** An engine that hangs must not block housekeeping (a stop waits for it) or the first build for longer. */
const ENGINE_TIMEOUT_MS = 60_000;

function withDeadline<T>(work: Promise<T>): Promise<T> {
  return withTimeout(ENGINE_TIMEOUT_MS, work, "the engine does not answer");
}

/** Whether the build with this id is dead: no lease, or a newer one, is on its delivery now. */
async function isDead(ledger: Ledger, build: string): Promise<boolean> {
  const [, id = "", fence = ""] = BUILD_ID.exec(build) ?? [];
  const delivery = id === "" ? null : await getDelivery(ledger, id);
  return delivery !== null && (delivery.leaseOwner === null || delivery.fence !== Number(fence));
}
