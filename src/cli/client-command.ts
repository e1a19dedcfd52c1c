import type { Command } from "commander";
import type { ClientOptions } from "./client.ts";
import { clientOptions } from "./client-options.ts";
import { ENVIRONMENT, examples } from "./help.ts";
import { jsonText, screenOf, terminalSafe } from "./terminal.ts";

/** The options of every command that asks a server. */
export interface ClientFlags {
  server?: string;
  json?: boolean;
}

/** Adds a command that asks a running server. @param calls examples, without the program's name */
export function clientCommand(program: Command, name: string, description: string, calls: string[]): Command {
  return program
    .command(name)
    .description(description)
    .option("--server <url>", "the server to ask")
    .option("--json", "print JSON")
    .addHelpText("after", `${ENVIRONMENT}\n${examples(...calls)}`);
}

/** The server that a command asks. `--config` is an option of the whole program. */
export function connect(command: Command): Promise<ClientOptions> {
  const { server, config } = command.optsWithGlobals<{ server?: string; config?: string }>();
  const isGiven = command.getOptionValueSourceWithGlobals("config") === "cli";
  return clientOptions({ server, config: isGiven ? config : undefined }, process.env);
}

/** Prints data as JSON, or else as text, which has to be safe for a terminal. */
export async function print({ json }: ClientFlags, data: unknown, text: () => string | Promise<string>): Promise<void> {
  process.stdout.write(json ? `${jsonText(data)}\n` : `${await text()}\n`);
}

/** Says something to the person that is not the result, so that a script does not read it. */
export function note(text: string): void {
  process.stderr.write(`${terminalSafe(text)}\n`);
}

/** A note that only a person at a terminal needs. */
export function hint(text: string): void {
  if (screenOf().isTerminal) note(text);
}
