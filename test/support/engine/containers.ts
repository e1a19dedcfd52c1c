import { execFile } from "node:child_process";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { lendLoopback } from "../network/loopback.ts";
import { tempDir } from "../processes/process.ts";
import { importStandInBase } from "./base-image.ts";
import { deliverdImage } from "./deliverd-image.ts";
import { type Engine, startEngine } from "./engine.ts";

const root = fileURLToPath(new URL("../../..", import.meta.url));
/** A Debian 12 with Node, from which the image is built. */
export const base = "stand-in/node:24-bookworm-slim";

/** The tag of deliverd's own image. */
export const image = "deliverd";

/** Call it inside a `describe`: it adds the hooks that build deliverd's image, and that end what a test started. */
export function useContainers() {
  let engine: Engine;
  /** What a test started, to be ended in the other order. */
  const started: (() => Promise<unknown>)[] = [];

  before(async () => {
    engine = await startEngine();
    await importStandInBase(engine.socket, base);
    await docker("tag", await deliverdImage(engine.socket), image);
  });

  after(async () => {
    await docker("image", "rm", "--force", image, base);
    await engine.stop();
  });

  afterEach(async () => {
    for (const end of started.splice(0).reverse()) await end();
  });

  /** Starts a container of the image, with the engine's socket, in a network of its own if none is named. */
  async function startContainer(
    name: string,
    options: string[],
    environment: Record<string, string>,
    publish: string[],
    { network = name, command = [] as string[] } = {},
  ) {
    if (network === name) {
      await docker("network", "create", network);
      started.push(() => docker("network", "rm", network));
    }
    await docker(
      ...["run", "--detach", `--name=${name}`, `--network=${network}`, ...options, ...publish],
      `--volume=${engine.socket}:/var/run/docker.sock`,
      ...Object.entries(environment).map(([variable, value]) => `--env=${variable}=${value}`),
      ...[image, ...command],
    );
    started.push(() => docker("rm", "--force", "--volumes", name));
  }

  /** A folder with these files, to be mounted. */
  async function configFolder(files: Record<string, string>, mode = 0o644): Promise<string> {
    const dir = await tempDir();
    started.push(() => dir.remove());
    await chmod(dir.path, 0o755);
    for (const [name, text] of Object.entries(files)) await writeFile(join(dir.path, name), text, { mode });
    return dir.path;
  }

  /** Lets the container reach our stand-ins under their own addresses. */
  async function lend(container: string, urls: string[]) {
    const pid = Number(await docker("inspect", "--format={{.State.Pid}}", container));
    const ports = urls.map((url) => Number(new URL(url).port));
    const loopback = await lendLoopback(pid, ports);
    started.push(() => loopback.close());
  }

  /** Asks as HEALTHCHECK does, without waiting for its next turn. @returns what it prints */
  async function checkHealth(container: string): Promise<string> {
    const check = await docker("inspect", "--format={{json .Config.Healthcheck.Test}}", container);
    const [, ...command]: string[] = JSON.parse(check);
    return docker("exec", container, ...command);
  }

  function docker(...args: string[]): Promise<string> {
    return runCommand("/usr/bin/docker", [`--host=unix://${engine.socket}`, ...args]);
  }

  return {
    socket: () => engine.socket,
    endLater: (end: () => Promise<unknown>) => void started.push(end),
    ...{ checkHealth, configFolder, docker, lend, startContainer },
  };
}

/** Runs a command at the root of the repository. @returns what it prints; of logs, both streams */
export async function runCommand(
  command: string,
  args: string[],
  env: NodeJS.ProcessEnv = process.env,
): Promise<string> {
  const { stdout, stderr } = await promisify(execFile)(command, args, { cwd: root, env, maxBuffer: 2 ** 26 });
  return (args.includes("logs") ? stdout + stderr : stdout).trim();
}
