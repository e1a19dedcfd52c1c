import type { Command, Option } from "commander";

/** The part of the help of a command that asks a server. */
export const ENVIRONMENT = `
Environment:
  DELIVERD_SERVER  the address of the server
  DELIVERD_TOKEN   the token for it; DELIVERD_TOKEN_FILE names a file with it
  DELIVERD_CONFIG  a server's configuration on this machine, for port and token`;

/** The part of a command's help that shows how to call it. @param calls without the program's name */
export function examples(...calls: string[]): string {
  return `\nExamples:\n${calls.map((call) => `    deliverd ${call}`).join("\n")}`;
}

/** The options of the program that a command does not list among its own: `--config` stands once in each help. */
export function globalOptions(command: Command): Option[] {
  const own = command.options.map(({ long }) => long);
  const found: Option[] = [];
  for (let above = command.parent; above !== null; above = above.parent)
    found.push(...above.options.filter(({ hidden, long }) => !hidden && !own.includes(long)));
  return found;
}
