import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { fileURLToPath } from "node:url";
import { freePort, type Server, startServer } from "../test/support/processes/process.ts";

export const SECRET = "a-secret-of-the-bench";

/** `DELIVERD_NODE_OPTIONS`, as in `--import=./trace.mjs`, goes to the deliverd that is measured: to look where its time goes. */
export function daemonEnvironment(): Record<string, string> {
  const options = process.env.DELIVERD_NODE_OPTIONS;
  return { NODE_ENV: "production", ...(options === undefined ? {} : { NODE_OPTIONS: options }) };
}

/** A peer of its own process. */
export interface Peer {
  pid: number;
  port: number;
  stop(): Promise<void>;
}

/** @param script in bench/peers, plain JavaScript, so that no compiler stands in its way; what uses parts of ours is built */
export async function startPeer(script: string, env: Record<string, string> = {}): Promise<Peer> {
  const port = await freePort();
  const server: Server = await startServer(process.execPath, [pathOf(script)], () => answers(port, "/"), {
    env: { PATH: process.env.PATH, NODE_ENV: "production", PORT: `${port}`, WEBHOOK_SECRET: SECRET, ...env },
  });
  return { pid: server.child.pid ?? 0, port, stop: () => server.stop() };
}

export function pathOf(script: string): string {
  const built = fileURLToPath(new URL(`../dist/bench/peers/${script.replace(/mjs$/, "js")}`, import.meta.url));
  return existsSync(built) ? built : fileURLToPath(new URL(`peers/${script}`, import.meta.url));
}

/** What Probot needs to start as an app. Warnings only: a line a request would be counted against it. */
export function probotEnvironment(): Record<string, string> {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const key = privateKey.export({ type: "pkcs1", format: "pem" }).toString();
  return { APP_ID: "1", PRIVATE_KEY: key, HOST: "127.0.0.1", LOG_LEVEL: "warn" };
}

/** Any answer at all. @returns its status */
function answers(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: "127.0.0.1", port, path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.once("error", reject);
    asked.end();
  });
}

/**
 * From the spawn of a process to its first answer of the status wanted, asked every 2 ms.
 * @returns ms, and how to end it
 */
export async function timeToAnswer(
  args: string[],
  env: Record<string, string>,
  asked: { port: number; path: string; accept: (status: number) => boolean },
): Promise<{ ms: number; pid: number; stop(): Promise<void> }> {
  const begin = performance.now();
  const child = spawn(process.execPath, args, {
    stdio: ["ignore", "ignore", "inherit"],
    env: { PATH: process.env.PATH, NODE_ENV: "production", ...env },
  });
  const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const stop = async () => {
    child.kill("SIGTERM");
    await gone;
  };
  for (;;) {
    const status = await answers(asked.port, asked.path).catch(() => 0);
    if (asked.accept(status)) return { ms: performance.now() - begin, pid: child.pid ?? 0, stop };
    if (child.exitCode !== null || performance.now() - begin > 30_000) {
      await stop();
      throw new Error(`${args.join(" ")} did not answer`);
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Bytes that the process holds in memory. */
export async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

/** Seconds of a core that the process has used, by the kernel's clock of 100 ticks a second. */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // The name, in parentheses, may hold spaces: the fields are counted from behind it (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
