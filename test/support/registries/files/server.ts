import { execFile } from "node:child_process";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { startServer } from "../../processes/process.ts";

const run = promisify(execFile);

/** A real server that keeps files, with a directory and a process of its own. */
export interface FileServer {
  url: string;
  /** Where it keeps them; empty: in memory. */
  directory: string;
  /** Every file it holds, by path. */
  holds(): Promise<string[]>;
  stop(): Promise<void>;
}

export const LOGIN = { username: "ci", password: "s3cret-canary-files" };
export const TOKEN = "t0ken-canary-files";

export async function writePasswords(directory: string): Promise<string> {
  const path = join(directory, "htpasswd");
  await run("htpasswd", ["-B", "-C", "4", "-b", "-c", path, LOGIN.username, LOGIN.password]);
  return path;
}

/** A server that works in a temporary directory; where it does not start, nothing is left of that. */
export async function startIn(
  dir: { remove(): Promise<void> },
  ...[command, args, ready]: Parameters<typeof startServer>
): Promise<{ stop(): Promise<void> }> {
  const server = await startServer(command, args, ready).catch(async (error) => {
    await dir.remove();
    throw error;
  });
  return {
    async stop() {
      await server.stop();
      await dir.remove();
    },
  };
}

export async function filesBelow(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort();
}
