import winston from "winston";
import { printable } from "../delivery/printable.ts";
import type { Mask } from "./mask.ts";
import { currentScope } from "./scope.ts";

/**
 * The daemon's log: one JSON object a line on stdout. Each line has the ids of the work under way (see scope.ts): queue
 * and job, delivery, repo and sha.
 */
export interface Log {
  debug(message: string, facts?: LogFields): void;
  info(message: string, facts?: LogFields): void;
  warn(message: string, facts?: LogFields): void;
  error(message: string, facts?: LogFields): void;
  /** A log that adds these fields to every line. */
  with(facts: LogFields): Log;
}

export type LogFields = Record<string, unknown>;

export function createLog(options: { level?: string; mask: Mask; stream?: NodeJS.WritableStream }): Log {
  const line = winston.format.printf((info) => printable(options.mask(JSON.stringify(inOrder(info)))));
  const logger = winston.createLogger({
    level: options.level ?? "info",
    format: winston.format.combine(winston.format.timestamp(), line),
    transports: [new winston.transports.Stream({ stream: options.stream ?? process.stdout })],
  });
  return wrap(logger, {});
}

/** For tests, and for commands that print only their answer. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  with: () => silentLog,
};

function wrap(logger: winston.Logger, common: LogFields): Log {
  const at = (level: string) => (message: string, facts?: LogFields) => {
    logger.log(level, message, { ...currentScope()?.facts, ...common, ...plain(facts) });
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (facts) => wrap(logger, { ...common, ...facts }),
  };
}

/** Turns an error into fields: message, code and cause, and the stack only of an unexpected error. */
function plain(facts: LogFields | undefined): LogFields {
  const error = facts?.error;
  if (!(error instanceof Error)) return facts ?? {};
  const code = "code" in error ? String(error.code) : undefined;
  const cause = error.cause instanceof Error ? error.cause.message : undefined;
  return { ...facts, error: error.message, code, cause, stack: code === undefined ? error.stack : undefined };
}

function inOrder(info: LogFields): LogFields {
  const { timestamp, level, message, ...rest } = info;
  return { at: timestamp, level, message, ...rest };
}
