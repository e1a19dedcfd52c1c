import type { Clock } from "./clock.ts";

/** A delivery's own log: what a person reads on its page. Lines never hold a secret (the writer masks them). */
export interface RunLog {
  /** Adds text as it comes; line ends are the caller's. */
  write(text: string): void;
  /** Adds one line. */
  line(text: string): void;
}

/** What every step of a delivery is handed: where to tell, when to stop, where to put things, what time it is. */
export interface Run {
  log: RunLog;
  /** Aborted on cancellation, on the step's deadline, and when the lease is lost. */
  signal: AbortSignal;
  /** A directory of this run alone, removed after it. */
  tmp: string;
  clock: Clock;
}
