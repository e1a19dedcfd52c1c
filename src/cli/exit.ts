/** SURFACE: what a command's exit code means. */
export const EXIT = { done: 0, failed: 1, usage: 2, notFound: 3 } as const;

/** The end of every command's help. */
export const EXIT_CODES = `Exit codes:
  ${EXIT.done}  done
  ${EXIT.failed}  failed
  ${EXIT.usage}  wrong usage or configuration
  ${EXIT.notFound}  not found`;

/** Ends a command with this message and exit code. */
export class Failure extends Error {
  readonly exitCode: number;
  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}
