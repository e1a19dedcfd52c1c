import type { BuildCommands } from "../../delivery/types.ts";

/**
 * The script that the container's shell reads from its standard input. It contains the secrets, so that they are in no
 * configuration, on no disk and in no list of processes. Because of the braces, the shell reads all of it before it
 * runs anything. The input stays open while this process lives: when it ends, everything in the container is killed.
 * @param mark the start of a line that says which command starts now
 */
export function scriptOf({ run }: Pick<BuildCommands, "run">, secrets: Record<string, string>, mark: string): string {
  const lines = [
    "exec 3<&0 </dev/null 2>&1",
    "(read -r _; kill -9 -1) <&3 >/dev/null 2>&1 &",
    "exec 3<&-",
    ...Object.entries(secrets).map(([name, value]) => `export ${name}=${quoted(value)}`),
    ...run.map((command, index) => `echo ${quoted(`${mark}${index}`)}; sh -ec ${quoted(command)} || exit`),
    "exit 0",
  ];
  return `{\n${lines.join("\n")}\n}\n`;
}

/** Quotes a text for a POSIX shell: in single quotes, only the closing quote is special. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
