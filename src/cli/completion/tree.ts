import type { Argument, Command, Option } from "commander";

/** What may follow an option, or stand as an argument. */
export type CompletedValue =
  | { kind: "choice"; choices: string[] }
  | { kind: "file" }
  | { kind: "folder" }
  /** Nothing can be proposed. */
  | { kind: "text" };

export interface CompletedOption {
  /** For example `-o` and `--output`. */
  flags: string[];
  description: string;
  /** Null: the option has no value. */
  value: CompletedValue | null;
}

/** A command with everything that a shell can propose after it. */
export interface CompletedCommand {
  /** The words after the program's name; none for the program itself. */
  path: string[];
  description: string;
  commands: CompletedCommand[];
  options: CompletedOption[];
  arguments: CompletedValue[];
}

/** Reads the tree of commands from commander, so that it cannot differ from what the program takes. */
export function completedCommand(command: Command, path: string[] = []): CompletedCommand {
  const help = command.createHelp();
  const visible = help.visibleCommands(command);
  const options = [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)].map(completedOption);
  // `help` takes the names of the other commands.
  const names = visible.map((each) => each.name()).filter((name) => name !== "help");
  return {
    path,
    description: firstLine(command.description()),
    commands: visible.map((each) =>
      each.name() === "help" ? helpCommand(each, path, names) : completedCommand(each, [...path, each.name()]),
    ),
    options: options.filter((option, at) => options.findIndex((each) => isSame(each, option)) === at),
    arguments: command.registeredArguments.map(argumentValue),
  };
}

/** The command and all below it. */
export function withDescendants(command: CompletedCommand): CompletedCommand[] {
  return [command, ...command.commands.flatMap(withDescendants)];
}

function helpCommand(command: Command, path: string[], choices: string[]): CompletedCommand {
  const description = firstLine(command.description());
  return {
    path: [...path, "help"],
    description,
    commands: [],
    options: [],
    arguments: [{ kind: "choice", choices }],
  };
}

function completedOption(option: Option): CompletedOption {
  const flags = [option.short, option.long].filter((flag) => flag !== undefined);
  const placeholder = /[<[]([^\]>]+)/.exec(option.flags)?.[1];
  const value = placeholder === undefined ? null : completedValue(placeholder, option.argChoices);
  return { flags, description: firstLine(option.description), value };
}

function argumentValue(argument: Argument): CompletedValue {
  return completedValue(argument.name(), argument.argChoices);
}

/** @param placeholder how the help names the value */
function completedValue(placeholder: string, choices: readonly string[] | undefined): CompletedValue {
  if (choices !== undefined) return { kind: "choice", choices: [...choices] };
  switch (placeholder) {
    case "file":
      return { kind: "file" };
    case "dir":
      return { kind: "folder" };
    default:
      return { kind: "text" };
  }
}

function isSame(one: CompletedOption, other: CompletedOption): boolean {
  return one.flags.some((flag) => other.flags.includes(flag));
}

function firstLine(text: string): string {
  return text.split("\n", 1)[0] ?? "";
}
