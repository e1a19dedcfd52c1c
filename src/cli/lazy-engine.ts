import type Dockerode from "dockerode";
import { BUILD_ID } from "../../workers/deliver/build.ts";
import type { BuildCaches } from "../builders/builder.ts";
import type { engineAddress } from "../builders/engine/address.ts";
import { getDelivery } from "../ledger/deliveries.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Parts } from "./parts.ts";

/** The Docker Engine. Its client is a tenth of our memory and of the time to start: it is loaded with the first build. */
export class LazyEngine {
  readonly #parts: Parts;
  readonly #address: Parameters<typeof engineAddress>[0];
  #opened: Promise<Dockerode> | null = null;

  constructor(parts: Parts, address: Parameters<typeof engineAddress>[0]) {
    this.#parts = parts;
    this.#address = address;
  }

  client(): Promise<Dockerode> {
    this.#opened ??= this.#open();
    return this.#opened;
  }

  /** Of workers that died and that no one starts again as well. */
  async removeLeftovers(): Promise<void> {
    if (this.#opened !== null) await removeLeftoversOf(this.#parts, await this.#opened);
  }

  /** As long as nothing was built there are none: housekeeping alone is no reason to load the client. */
  readonly caches: BuildCaches = {
    list: async () => (this.#opened === null ? [] : inTime((await this.#caches()).list())),
    remove: async (name) => inTime((await this.#caches()).remove(name)),
  };

  async #open(): Promise<Dockerode> {
    const { connectEngine } = await import("../builders/engine.ts");
    const docker = connectEngine(this.#address);
    await removeLeftoversOf(this.#parts, docker);
    return docker;
  }

  async #caches(): Promise<BuildCaches> {
    const [{ cachesIn }, docker] = await Promise.all([import("../builders/files/caches.ts"), this.client()]);
    return cachesIn(docker);
  }
}

async function removeLeftoversOf({ ledger, log }: Parts, docker: Dockerode): Promise<void> {
  const { removeBuildLeftovers } = await import("../builders/engine/leftovers.ts");
  await inTime(removeBuildLeftovers(docker, (build) => isDead(ledger, build))).then(
    (names) => names.length > 0 && log.info("removed what dead builds left in the engine", { names }),
    (error: unknown) => log.warn("what dead builds left in the engine could not be removed", { error }),
  );
}

const PATIENCE = 60_000;

/** An engine that hangs must hold up neither housekeeping, for which a stop waits, nor the first build. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("the engine does not answer")), PATIENCE);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Is this build, by its id, one of ours of which the delivery has gone on under another lease, or under none? */
async function isDead(ledger: Ledger, build: string): Promise<boolean> {
  const [, id = "", fence = ""] = BUILD_ID.exec(build) ?? [];
  const delivery = id === "" ? null : await getDelivery(ledger, id);
  return delivery !== null && (delivery.leaseOwner === null || delivery.fence !== Number(fence));
}
