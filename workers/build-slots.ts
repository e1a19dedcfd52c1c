import type { BuildLimits } from "../src/builders/builder.ts";
import type { ServerConfig } from "../src/config/server.ts";
import type { ArtifactPlan } from "../src/delivery/types.ts";

/** Gives the slots back. */
export type GiveBack = () => void;

/** The weight of a build that may use so many CPUs, however few slots a process has. */
export function buildWeight(cpus: number | null): number {
  return Math.max(1, Math.ceil(cpus ?? 1));
}

/** A pipeline may ask for less than the server allows, never for more. */
export function limitsOf(
  { config }: { config: Pick<ServerConfig, "docker"> },
  { build }: Pick<ArtifactPlan, "build">,
): BuildLimits {
  const { limits, buildTimeout } = config.docker;
  const least = (a: number | null, b: number | null = null) => (a === null || b === null ? (a ?? b) : Math.min(a, b));
  return {
    memoryBytes: least(limits.memory, build?.limits.memoryBytes),
    cpus: least(limits.cpus, build?.limits.cpus),
    time: least(buildTimeout, build?.limits.time) ?? buildTimeout,
  };
}

interface Waiting {
  weight: number;
  start(): void;
}

interface Spare {
  weight: number;
  makeRoom(): void;
}

/**
 * Limits what is built at once. Each build has a weight, and takes as many slots. First come, first served: a heavy
 * build does not wait for a lighter one that came after it. Spare work uses free slots only: it is asked to stop as
 * soon as its slots are needed, and nobody waits for it.
 */
export class BuildSlots {
  readonly slots: number;
  #used = 0;
  readonly #waiting: Waiting[] = [];
  readonly #spare: Spare[] = [];

  constructor(slots: number) {
    this.slots = slots;
  }

  /** How many slots a build takes that may use so many CPUs. */
  weightOf(cpus: number | null): number {
    return Math.min(this.slots, buildWeight(cpus));
  }

  /** How the slots are used now. `ahead`: by spare work, which gives them back as soon as they are needed. */
  usage(): { busy: number; ahead: number; free: number } {
    const ahead = this.#spareUsed();
    return { busy: this.#used, ahead, free: Math.max(0, this.slots - this.#used - ahead) };
  }

  /** Whether the slots are free now. */
  fits(weight: number): boolean {
    return this.#waiting.length === 0 && this.#used + weight <= this.slots;
  }

  /** Waits for its turn. @throws the signal's reason if it is aborted before */
  async take(weight: number, signal: AbortSignal): Promise<GiveBack> {
    signal.throwIfAborted();
    if (this.fits(weight)) this.#use(weight);
    else await this.#turn(weight, signal);
    return once(() => {
      this.#used -= weight;
      this.#advance();
    });
  }

  /**
   * Takes slots that nobody needs now. @returns null if too few are free
   * @param makeRoom called once, when they are needed after all
   */
  takeSpare(weight: number, makeRoom: () => void): GiveBack | null {
    if (!this.fits(this.#spareUsed() + weight)) return null;
    const spare = { weight, makeRoom };
    this.#spare.push(spare);
    return () => this.#leave(spare);
  }

  #turn(weight: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal.reason);
        this.#advance();
      };
      const waiting = {
        weight,
        start: () => {
          signal.removeEventListener("abort", stop);
          resolve();
        },
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#waiting.push(waiting);
    });
  }

  #advance(): void {
    for (let next = this.#waiting[0]; next && this.#used + next.weight <= this.slots; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#use(next.weight);
      next.start();
    }
  }

  #use(weight: number): void {
    this.#used += weight;
    // The work that began last stops first: it loses least.
    while (this.#used + this.#spareUsed() > this.slots) {
      const spare = this.#spare.at(-1);
      if (spare === undefined) return;
      this.#leave(spare);
      spare.makeRoom();
    }
  }

  #leave(spare: Spare): void {
    const at = this.#spare.indexOf(spare);
    if (at >= 0) this.#spare.splice(at, 1);
  }

  #spareUsed(): number {
    return this.#spare.reduce((sum, { weight }) => sum + weight, 0);
  }
}

function once(work: () => void): () => void {
  let isDone = false;
  return () => {
    if (!isDone) work();
    isDone = true;
  };
}
