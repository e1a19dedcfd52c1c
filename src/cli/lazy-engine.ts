import type Dockerode from "dockerode";
import { BUILD_ID } from "../../workers/deliver/build.ts";
import { withTimeout } from "../async/with-timeout.ts";
import type { BuildCaches, CacheUses } from "../builders/builder.ts";
import type { engineAddress } from "../builders/engine/address.ts";
import { getDelivery } from "../ledger/deliveries.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Parts } from "./parts.ts";

/** The Docker Engine. Its client takes a tenth of deliverd's memory and start-up time, so the first build loads it. */
export class LazyEngine {
  readonly #parts: Parts;
  readonly #address: Parameters<typeof engineAddress>[0];
  readonly cacheUses: CacheUses = new Map();
  #opened: Promise<Dockerode> | null = null;

  constructor(parts: Parts, address: Parameters<typeof engineAddress>[0]) {
    this.#parts = parts;
    this.#address = address;
  }

  client(): Promise<Dockerode> {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  /** Removes what builds of dead workers left in the engine. */
  async removeLeftovers(): Promise<void> {
    if (this.#opened !== null) await removeLeftoversOf(this.#parts, await this.#opened);
  }

  /** Before the first build there are no caches, so housekeeping need not load the client. */
  readonly caches: BuildCaches = {
    list: async () => (this.#opened === null ? [] : withDeadline((await this.#caches()).list())),
    remove: async (name) => withDeadline((await this.#caches()).remove(name)),
  };

  async #open(): Promise<Dockerode> {
    const { connectEngine } = await import("../builders/engine.ts");
    const docker = connectEngine(this.#address);
    await removeLeftoversOf(this.#parts, docker);
    return docker;
  }

  async #caches(): Promise<BuildCaches> {
    const [{ cachesIn }, docker] = await Promise.all([import("../builders/files/caches.ts"), this.client()]);
    return cachesIn(docker, this.cacheUses);
  }
}

async function removeLeftoversOf({ ledger, log }: Parts, docker: Dockerode): Promise<void> {
  const { removeBuildLeftovers } = await import("../builders/engine/leftovers.ts");
  await withDeadline(removeBuildLeftovers(docker, (build) => isDead(ledger, build))).then(
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
