/**
 * Every failure that deliverd foresees, as one of four kinds. Anything else is a bug, and logged with its stack.
 * The codes are listed in docs/reference/errors/.
 */
abstract class DeliverdError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The user's pipeline or build is wrong: shown on the commit, never retried. */
export class UserError extends DeliverdError {}

/** The world is not ready: retried with back-off and jitter. */
export class TransientError extends DeliverdError {
  /** What the other side asked us to wait, in ms; null where it said nothing. */
  readonly retryAfter: number | null;
  /** After so many tries in a row that ended with this code it counts as a failure; null: it is tried for ever. */
  readonly tries: number | null;
  constructor(
    code: string,
    message: string,
    options?: ErrorOptions & { retryAfter?: number | null; tries?: number | null },
  ) {
    super(code, message, options);
    this.retryAfter = options?.retryAfter ?? null;
    this.tries = options?.tries ?? null;
  }
}

/** Policy or immutability says no: shown on the commit, never retried. */
export class Refused extends DeliverdError {}

/** The server cannot start, or a command cannot run, with this configuration: says the key, what was expected, the remedy. */
export class ConfigError extends DeliverdError {}

/** What will pass is tried again before what will not is shown: a destination that is down must not hide behind one that refuses. */
export function throwPreferringTransient(failures: unknown[]): void {
  const worst = failures.find((error) => error instanceof TransientError) ?? failures[0];
  if (worst !== undefined) throw worst;
}
