import type { Command } from "commander";

/** The file of `--config`, which counts before and after the command. */
export function configOf(program: Command, own: { config?: string }): string | undefined {
  return own.config ?? program.opts<{ config?: string }>().config;
}
