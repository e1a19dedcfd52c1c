import type { Command, Option } from "commander";

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
