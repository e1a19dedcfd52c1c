import type { Clock } from "./clock.ts";

/** The log of one delivery, as people read it on its page. The writer masks secrets. */
export interface RunLog {
  /** Adds text. The caller adds line ends. */
  write(text: string): void;
  /** Adds one line. */
  line(text: string): void;
}

/** What every step of a delivery gets: its log, a signal to stop, a directory for files, and the clock. */
export interface Run {
  log: RunLog;
  /** Aborted when the delivery is cancelled, the step is over its time limit, or the lease is lost. */
  signal: AbortSignal;
  /** A directory for this run only. It is removed afterwards. */
  tmp: string;
  clock: Clock;
}
