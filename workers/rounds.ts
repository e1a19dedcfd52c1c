import type { Log } from "../src/observe/log.ts";

/** Work that is repeated by the clock. */
export interface Round {
  /** ms from one begin to the next. */
  ms: number;
  /** What the log says when a run fails. The next run comes all the same. */
  failure: string;
  run(isFirst: boolean): Promise<void>;
  /** Begins the first run at once, not after `ms`. */
  atStart: boolean;
  level: "warn" | "error";
}

export interface Rounds {
  /** Begins no more runs, and waits for those under way. */
  stop(): Promise<void>;
}

export function every(
  ms: number,
  failure: string,
  run: Round["run"],
  { atStart = false, level = "warn" }: Partial<Pick<Round, "atStart" | "level">> = {},
): Round {
  return { ms, failure, run, atStart, level };
}

/**
 * Repeats each round by its own clock. A run that takes longer than `ms` is not overlapped: the next tick waits for its
 * end.
 */
export function startRounds(log: Log, rounds: readonly Round[]): Rounds {
  const started = rounds.map((round) => start(log, round));
  return {
    async stop() {
      await Promise.all(started.map((round) => round.stop()));
    },
  };
}

function start(log: Log, { ms, failure, run, atStart, level }: Round): Rounds {
  let current: Promise<void> | null = null;
  let isFirst = true;
  const tick = () => {
    if (current !== null) return;
    const running = run(isFirst);
    isFirst = false;
    current = running
      .catch((error: unknown) => log[level](failure, { error }))
      .finally(() => {
        current = null;
      });
  };
  if (atStart) tick();
  const timer = setInterval(tick, ms);
  return {
    async stop() {
      clearInterval(timer);
      await current;
    },
  };
}
