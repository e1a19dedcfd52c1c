/** Gives back what was taken. */
export type GiveBack = () => void;

interface Waiting {
  weight: number;
  start(): void;
}

interface Spare {
  weight: number;
  makeRoom(): void;
}

/**
 * What may be built at once, by weight: as many slots as there are. First come, first served, so a heavy build waits for
 * no lighter one that came after it. Spare work takes what is left, and is in nobody's way: it is asked to leave as soon
 * as its slots are needed, and not waited for.
 */
export class BuildSlots {
  readonly slots: number;
  #used = 0;
  readonly #waiting: Waiting[] = [];
  readonly #spare: Spare[] = [];

  constructor(slots: number) {
    this.slots = slots;
  }

  /** Of the slots, how many a build that may use so many CPUs takes. */
  weightOf(cpus: number | null): number {
    return Math.min(this.slots, Math.max(1, Math.ceil(cpus ?? 1)));
  }

  /** Would it be given at once? */
  fits(weight: number): boolean {
    return this.#waiting.length === 0 && this.#used + weight <= this.slots;
  }

  /** @throws the signal's reason, when that is aborted before its turn comes */
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
   * Takes what nobody needs now. @returns null: there is not as much
   * @param makeRoom called once, when it is needed after all
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
    // The latest goes first: it loses least.
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
