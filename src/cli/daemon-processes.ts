import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, resolve } from "node:path";

const COMMANDS = ["start", "receiver", "worker"] as const;

export type DaemonCommand = (typeof COMMANDS)[number];

export interface DaemonProcess {
  command: DaemonCommand;
  /** The file of its `--config`; null: it has none. */
  config: string | null;
}

/**
 * The processes of deliverd that this one can see and reach under 127.0.0.1: those of its network namespace. In a
 * container these are the container's. Empty where there is no /proc, or where it hides the processes of others.
 */
export function daemonProcesses(proc = "/proc"): DaemonProcess[] {
  const network = linkOf(`${proc}/self/ns/net`);
  const found = new Map<string, DaemonProcess>();
  for (const pid of pidsIn(proc)) {
    const read = readCommandLine(textOf(`${proc}/${pid}/cmdline`).split("\0"));
    if (read === null || linkOf(`${proc}/${pid}/ns/net`) !== network) continue;
    const config = read.config === null ? null : resolve(linkOf(`${proc}/${pid}/cwd`) ?? "/", read.config);
    // An init or a shell around the daemon has the same words.
    found.set(`${read.command} ${config}`, { command: read.command, config });
  }
  return [...found.values()];
}

/** `node /usr/local/bin/deliverd --config x start` → start, with x. Null: no daemon of deliverd. */
export function readCommandLine(words: readonly string[]): DaemonProcess | null {
  const at = words.findIndex((word) => basename(word) === "deliverd" || /\/cli\/index\.(?:js|ts)$/.test(word));
  if (at < 0) return null;
  let command: DaemonCommand | undefined;
  let config: string | null = null;
  const rest = words.slice(at + 1).values();
  for (const word of rest) {
    if (word === "--config") config = rest.next().value ?? null;
    else if (word.startsWith("--config=")) config = word.slice("--config=".length);
    else if (command === undefined) command = COMMANDS.find((one) => one === word);
  }
  return command === undefined ? null : { command, config };
}

function pidsIn(proc: string): string[] {
  try {
    return readdirSync(proc).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

/** Processes end while they are listed, and those of other users may be hidden. */
function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function linkOf(file: string): string | null {
  try {
    return readlinkSync(file);
  } catch {
    return null;
  }
}
