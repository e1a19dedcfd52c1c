import { execFile } from "node:child_process";
import { BIN } from "../../support/world/deliverd.ts";

export interface Ended {
  code: number | string;
  stdout: string;
  stderr: string;
}

/** Runs `deliverd` with exactly this environment, besides PATH. Its output is no terminal. */
export function runCli(args: string[], env: Record<string, string>): Promise<Ended> {
  return run(process.execPath, [BIN, ...args], env);
}

/** Runs `deliverd` on a terminal of its own, which util-linux's `script` makes. `stdout` is all that it showed. */
export function runOnTerminal(args: string[], env: Record<string, string>, columns = 80): Promise<Ended> {
  const quoted = [process.execPath, BIN, ...args].map((each) => `'${each.replaceAll("'", `'\\''`)}'`).join(" ");
  return run("script", ["-qec", `stty cols ${columns}; ${quoted}`, "/dev/null"], { TERM: "xterm", ...env });
}

function run(file: string, args: string[], env: Record<string, string>): Promise<Ended> {
  return new Promise((resolve) => {
    const options = { env: { PATH: process.env.PATH, ...env }, maxBuffer: 1e8 };
    const child = execFile(file, args, options, (error, stdout, stderr) =>
      resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
    child.stdin?.end();
  });
}
