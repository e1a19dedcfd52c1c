import { ConfigError } from "../delivery/errors.ts";
import { EXIT, Failure } from "./exit.ts";
import { explainFileError, explainUnnamedFileError } from "./file-errors.ts";
import { terminalSafe } from "./terminal.ts";

const OUTPUT = { path: "The output", elsewhere: "Write it to another place." };

/** Ends the process if nobody reads its output any more, or if it cannot be written. */
export function endWithoutOutput(error: NodeJS.ErrnoException): never {
  // A reader such as head closes the pipe when it has enough: that is no error.
  if (error.code === "EPIPE") process.exit(process.exitCode ?? EXIT.done);
  printError(explainFileError(error, OUTPUT) ?? `The output cannot be written: ${error.message}`);
  process.exit(EXIT.failed);
}

/** Prints an error for a person: its message, or the stack of an unexpected one. @returns the exit code */
export function reportError(error: unknown): number {
  if (error instanceof Failure) {
    printError(error.message);
    return error.exitCode;
  }
  if (error instanceof ConfigError) {
    printError(error.message);
    return EXIT.usage;
  }
  printError(explainUnnamedFileError(error) ?? messageOf(error));
  return EXIT.failed;
}

/** The message of an error that is expected, which has a code; the stack of any other. */
function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return "code" in error ? error.message : (error.stack ?? error.message);
}

/** The message may hold what a server said, or what stands in a pipeline file. */
function printError(text: string): void {
  process.stderr.write(`${terminalSafe(text)}\n`);
}
