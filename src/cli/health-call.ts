import type { Environment } from "../config/environment.ts";

/** A call of `health` as health checks write it. */
export interface HealthCall {
  config: string | undefined;
}

/**
 * Reads `health`, `health --config <file>` and `health --config=<file>`, without the parser of all options. Null: it is
 * another call, or one that the parser has to judge.
 */
export function plainHealthCall(words: readonly string[], env: Environment): HealthCall | null {
  const [command, option, value, ...more] = words;
  if (command !== "health" || more.length > 0) return null;
  if (option === undefined) return { config: env.DELIVERD_CONFIG || undefined };
  const [, joined] = /^--config=(.+)$/.exec(option) ?? [];
  if (joined !== undefined && value === undefined) return { config: joined };
  return option === "--config" && value !== undefined && !value.startsWith("-") ? { config: value } : null;
}
