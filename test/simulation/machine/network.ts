import type { Random } from "./random.ts";
import type { Actor, Scheduler } from "./scheduler.ts";

/**
 * What can happen to one call: it does not arrive, its answer does not arrive, both take long, it arrives twice, the
 * other side refuses, the caller dies while it waits, the caller stops for a while.
 */
export const FAULTS = ["lost", "answer-lost", "slow", "twice", "refused", "kill", "pause"] as const;
export type Fault = (typeof FAULTS)[number];
export type FaultRates = Record<Fault, number>;

/** A call of a process to something outside it. */
export interface Call<T> {
  caller: Actor;
  /** What is called, for the trace. */
  to: string;
  /** Happens at the other side, when the request arrives. What it throws is the answer. */
  serve(): T;
  /** The error that the caller gets where there is no answer. */
  failure(why: string): Error;
  signal?: AbortSignal | undefined;
  /** Least and most virtual ms of one way. */
  latency: readonly [number, number];
  /** Virtual ms after which a caller without an answer gives up. */
  patience: number;
  /** Whether something on the way may send the request a second time. */
  mayRepeat?: boolean;
}

export interface NetworkEvents {
  kill(actor: Actor): void;
  pause(actor: Actor, ms: number): void;
  /** For the trace. */
  noteFault(fault: Fault, caller: Actor, to: string): void;
}

/** A request or an answer that is slow takes this much longer at most (ms): see README.md, "What is assumed". */
const SLOW_MS = 6_000;

/** Carries calls, and lets the seed decide what becomes of each. */
export class Network {
  /** None once the world is well. */
  rates: FaultRates | null;
  faults = 0;
  readonly #scheduler: Scheduler;
  readonly #random: Random;
  readonly #events: NetworkEvents;

  constructor(scheduler: Scheduler, random: Random, rates: FaultRates, events: NetworkEvents) {
    this.#scheduler = scheduler;
    this.#random = random;
    this.rates = rates;
    this.#events = events;
  }

  call<T>(call: Call<T>): Promise<T> {
    const { caller, signal, latency } = call;
    const fault = this.roll(caller, call.to);
    return new Promise<T>((resolve, reject) => {
      let isOver = false;
      const end = (settle: () => void) => {
        if (isOver) return;
        isOver = true;
        signal?.removeEventListener("abort", abort);
        settle();
      };
      const abort = () => end(() => reject(signal?.reason));
      if (signal?.aborted) return abort();
      signal?.addEventListener("abort", abort, { once: true });
      const answer = (ms: number, settle: () => void) => this.#scheduler.in(ms, caller, () => end(settle));
      const way = () => this.#random.between(...latency);
      const failLate = (why: string) => answer(call.patience, () => reject(call.failure(why)));
      const serve = (answers: boolean): void => {
        const settle = attempt(call.serve, resolve, reject);
        if (answers) answer(way(), settle);
      };
      const slowness = fault === "slow" ? this.#random.between(500, SLOW_MS) : 0;
      switch (fault) {
        case "refused":
          return answer(way(), () => reject(call.failure("it refused the call")));
        case "lost":
          return failLate("the request was lost");
        case "answer-lost":
          this.#scheduler.in(way(), null, () => serve(false));
          return failLate("the answer was lost");
        case "twice": {
          const first = way();
          if (call.mayRepeat) this.#scheduler.in(first, null, () => serve(false));
          this.#scheduler.in(first + this.#random.between(0, SLOW_MS), null, () => serve(true));
          return;
        }
        case "kill":
          this.#dieDuring(call, serve, way);
          return;
        case "pause":
          this.#scheduler.in(way(), null, () => serve(true));
          this.#events.pause(caller, this.#random.between(1_000, 30_000));
          return;
        default:
          this.#scheduler.in(way() + slowness, null, () => serve(true));
      }
    });
  }

  /** Before the request leaves, while it travels, or before its answer comes: what was sent may still arrive. */
  #dieDuring<T>({ caller }: Call<T>, serve: (answers: boolean) => void, way: () => number): void {
    const hasLeft = this.#random.chance(0.7);
    const arrives = way() + (this.#random.chance(0.2) ? this.#random.between(500, SLOW_MS) : 0);
    this.#scheduler.in(this.#random.between(0, arrives + 5), null, () => this.#events.kill(caller));
    if (hasLeft) this.#scheduler.in(arrives, null, () => serve(true));
  }

  /** What happens to a call, if anything. */
  roll(caller: Actor, to: string): Fault | null {
    const chance = this.#random.next();
    if (this.rates === null) return null;
    let left = chance;
    for (const fault of FAULTS) {
      left -= this.rates[fault];
      if (left >= 0) continue;
      this.faults += 1;
      this.#events.noteFault(fault, caller, to);
      return fault;
    }
    return null;
  }
}

function attempt<T>(serve: () => T, resolve: (value: T) => void, reject: (error: unknown) => void): () => void {
  try {
    const value = serve();
    return () => resolve(value);
  } catch (error) {
    return () => reject(error);
  }
}
