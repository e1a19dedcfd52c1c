import type { Histogram } from "../../src/observe/metrics.ts";

type Stage = "building" | "publishing";

/** Measures how long one attempt is in each stage. An attempt that fails counts too: its time was spent. */
export class StageTimes {
  readonly #seconds: Histogram;
  #current: { stage: Stage; since: number } | null = null;

  constructor(seconds: Histogram) {
    this.#seconds = seconds;
  }

  enter(stage: Stage): void {
    this.leave();
    this.#current = { stage, since: performance.now() };
  }

  leave(): void {
    if (this.#current === null) return;
    const { stage, since } = this.#current;
    this.#current = null;
    this.#seconds.observe({ stage }, (performance.now() - since) / 1000);
  }
}
