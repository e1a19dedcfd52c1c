import crypto from "node:crypto";
import fs from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers/promises";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

/** What Node's clock, timers and randomness are taken from. */
export interface Machine {
  scheduler: Scheduler;
  random: Random;
}

/** A virtual timer, as far as code looks at what `setTimeout` returns. */
class Timer {
  isCleared = false;
  unref(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  hasRef(): boolean {
    return false;
  }
  refresh(): this {
    return this;
  }
}

/**
 * Replaces time, timers, randomness and temporary folders of this JavaScript thread by those of the machine that
 * `current` gives, so that the code under test needs no clock of its own handed in. For a thread that does nothing else.
 * @returns a function that puts Node's own back
 */
export function replaceNodeTime(current: () => Machine): () => void {
  const restore: (() => void)[] = [];
  const replace = <T extends object, K extends keyof T>(target: T, key: K, value: unknown): void => {
    const own = Object.getOwnPropertyDescriptor(target, key);
    Object.defineProperty(target, key, { value, configurable: true, writable: true });
    restore.push(() => {
      if (own === undefined) delete target[key];
      else Object.defineProperty(target, key, own);
    });
  };
  const now = (): number => current().scheduler.now;
  const later = (ms: number, run: () => void): Timer => {
    const { scheduler } = current();
    const timer = new Timer();
    scheduler.in(Math.max(1, ms || 1), scheduler.current, () => timer.isCleared || run(), 0);
    return timer;
  };
  const clear = (timer: unknown): void => {
    if (timer instanceof Timer) timer.isCleared = true;
  };

  replace(Date, "now", now);
  replace(performance, "now", now);
  replace(Math, "random", () => current().random.next());
  replace(globalThis, "setTimeout", (run: (...given: unknown[]) => void, ms = 1, ...given: unknown[]) =>
    later(ms, () => run(...given)),
  );
  replace(globalThis, "setInterval", (run: () => void, ms: number) => {
    const timer = new Timer();
    const again = () => {
      if (timer.isCleared) return;
      later(ms, again);
      run();
    };
    later(ms, again);
    return timer;
  });
  replace(globalThis, "clearTimeout", clear);
  replace(globalThis, "clearInterval", clear);
  replace(AbortSignal, "timeout", (ms: number) => {
    const stop = new AbortController();
    later(ms, () => stop.abort(new DOMException("The operation was aborted due to timeout", "TimeoutError")));
    return stop.signal;
  });
  replace(timers, "setTimeout", (ms: number, value: unknown, { signal }: { signal?: AbortSignal } = {}) =>
    sleep(later, ms, value, signal),
  );
  replace(timers, "setImmediate", (value: unknown) => sleep(later, 0, value));
  replace(crypto, "randomUUID", () => uuid(current().random.hex(32)));
  replace(crypto, "randomInt", (most: number) => current().random.between(0, most - 1));
  // A delivery has a folder of its own; here nothing is ever written to it.
  replace(fs, "mkdir", async () => undefined);
  replace(fs, "mkdtemp", async (prefix: string) => `${prefix}simulated`);
  replace(fs, "rm", async () => undefined);
  replace(fs, "statfs", async () => ({ bavail: 900, blocks: 1_000, bsize: 2 ** 30 }));
  syncBuiltinESMExports();
  return () => {
    for (const each of restore.reverse()) each();
    syncBuiltinESMExports();
  };
}

function sleep(
  later: (ms: number, run: () => void) => Timer,
  ms: number,
  value: unknown,
  signal?: AbortSignal,
): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const stop = () => reject(signal?.reason);
    if (signal?.aborted) return stop();
    signal?.addEventListener("abort", stop, { once: true });
    later(ms, () => {
      signal?.removeEventListener("abort", stop);
      resolve(value);
    });
  });
}

function uuid(hex: string): string {
  const at = (start: number, end: number) => hex.slice(start, end);
  return `${at(0, 8)}-${at(8, 12)}-4${at(13, 16)}-8${at(17, 20)}-${at(20, 32)}`;
}
