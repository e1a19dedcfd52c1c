import { once } from "node:events";
import { rm } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import { bundleThread } from "../mistakes/plant.ts";
import type { Order, Report } from "./messages.ts";
import type { Scenario } from "./scenario.ts";

/** Scenarios that a thread runs for one message. */
const CHUNK = 5;

/** Threads that run simulations, one for each processor. */
export class Pool {
  readonly #file: string;
  readonly #threads: Worker[];

  private constructor(file: string, threads: Worker[]) {
    this.#file = file;
    this.#threads = threads;
  }

  static async open(size = availableParallelism()): Promise<Pool> {
    const file = await bundleThread();
    const threads = Array.from({ length: size }, () => new Worker(file));
    await Promise.all(threads.map((thread) => once(thread, "message")));
    return new Pool(file, threads);
  }

  /**
   * Runs the scenarios in their order, spread over the threads, until there are none or `take` has enough.
   * @param take gets each report as it comes; false: no further scenarios are begun
   */
  async run(scenarios: Iterable<Scenario>, take: (report: Report) => boolean, planted: string | null = null) {
    const left = scenarios[Symbol.iterator]();
    let goesOn = true;
    await Promise.all(
      this.#threads.map(async (thread) => {
        for (let chunk = nextOf(left, CHUNK); goesOn && chunk.length > 0; chunk = nextOf(left, CHUNK)) {
          for (const report of await ask(thread, { scenarios: chunk, planted })) if (!take(report)) goesOn = false;
        }
      }),
    );
  }

  /** Runs one scenario. */
  async runOne(scenario: Scenario, planted: string | null = null): Promise<Report> {
    const reports: Report[] = [];
    await this.run([scenario], (report) => reports.push(report) > 0, planted);
    const [report] = reports;
    if (report === undefined) throw new Error("the run gave no report");
    return report;
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map((thread) => thread.terminate()));
    await rm(this.#file, { force: true });
  }
}

async function ask(thread: Worker, order: Order): Promise<Report[]> {
  const answered = once(thread, "message") as Promise<[Report[]]>;
  thread.postMessage(order);
  const [reports] = await answered;
  return reports;
}

function nextOf(left: Iterator<Scenario>, most: number): Scenario[] {
  const found: Scenario[] = [];
  for (let next = left.next(); !next.done; next = left.next()) {
    found.push(next.value);
    if (found.length === most) break;
  }
  return found;
}
