import type { Report } from "./messages.ts";

/** Counts what runs report. */
export class Tally {
  runs = 0;
  deliveries = 0;
  /** The report with the lowest seed among those with a problem. */
  failing: Report | null = null;
  readonly #began = performance.now();
  readonly #sums = { kills: 0, faults: 0, time: 0 };
  #lost = 0;
  #twice = 0;

  add(report: Report): void {
    this.runs += 1;
    this.deliveries += report.deliveries;
    for (const key of ["kills", "faults", "time"] as const) this.#sums[key] += report[key];
    this.#lost += report.problems.filter((problem) => /no release|no notice|is lost|owed/.test(problem)).length;
    this.#twice += report.problems.filter((problem) => /^two |a notice has no release/.test(problem)).length;
    if (report.problems.length > 0 && report.scenario.seed < (this.failing?.scenario.seed ?? Number.POSITIVE_INFINITY))
      this.failing = report;
  }

  toString(): string {
    const { kills, faults, time } = this.#sums;
    const seconds = (performance.now() - this.#began) / 1_000;
    return [
      `${this.deliveries} deliveries in ${this.runs} runs`,
      `${kills} kills`,
      `${faults} faults of calls`,
      `${this.#lost} lost`,
      `${this.#twice} twice`,
      `${(time / 3_600_000).toFixed(1)} h of virtual time`,
      `${seconds.toFixed(0)} s (${(this.runs / seconds).toFixed(1)} runs a second)`,
    ].join(", ");
  }
}
