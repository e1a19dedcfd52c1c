import type { BuildCommands } from "../../delivery/types.ts";

/**
 * What the container's shell reads on its standard input, and with it the secrets: so they stand in no configuration, on
 * no disk and in no list of processes. Held in braces, it is read whole before any of it runs. The input then stays open
 * as long as we live: when it ends, everything in the container is killed.
 * @param mark begins the line that tells which command begins
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

/** As a POSIX shell reads it back: in single quotes nothing has a meaning but the quote that ends them. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
