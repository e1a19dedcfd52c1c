import { printable } from "./printable.ts";

/**
 * Every expected failure is one of four kinds. Any other error is a bug, and is logged with its stack.
 * docs/reference/errors/ lists all codes. A message may quote what others wrote (a pipeline file, a host, a registry),
 * and goes to statuses, logs and terminals: here it becomes printable, wherever it is made.
 */
abstract class DeliverdError extends Error {
  readonly code: string;
  constructor(code: string, message: string, options?: ErrorOptions) {
    super(printable(message), options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The user has to change the pipeline or the build. Shown on the commit, never retried. */
export class UserError extends DeliverdError {}

/** Something outside is not ready. Retried with back-off and jitter. */
export class TransientError extends DeliverdError {
  /** ms that the other side asked us to wait. Null: it did not say. */
  readonly retryAfter: number | null;
  /** After this many tries in a row with this code it counts as a failure. Null: no limit. */
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

/** A policy or an immutable name forbids it. Shown on the commit, never retried. */
export class Refused extends DeliverdError {}

/**
 * The server cannot start, or a command cannot run, with this configuration. The message names the key and the remedy.
 */
export class ConfigError extends DeliverdError {}

/**
 * Throws the first transient failure, or else the first one. A permanent error would hide the one that can be retried.
 */
export function throwPreferringTransient(failures: unknown[]): void {
  const worst = failures.find((error) => error instanceof TransientError) ?? failures[0];
  if (worst !== undefined) throw worst;
}
