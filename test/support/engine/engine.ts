import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Dockerode from "dockerode";
import { type Server, startServer, tempDir } from "../processes/process.ts";
import { endLeftovers, unmountBelow } from "./leftovers.ts";

/** A Docker Engine for tests and the demo. */
export interface Engine {
  socket: string;
  docker: Dockerode;
  /** Of the private dockerd; null where the engine was handed in. */
  pid: number | null;
  /** What dockerd has printed. */
  output(): string;
  /** Ends it and what it started, and removes all it left. Does nothing to an engine that was handed in. */
  stop(): Promise<void>;
}

export interface OwnEngine extends Engine {
  /** Ends it in this way, and starts it anew with what it held. */
  restart(signal: NodeJS.Signals): Promise<void>;
}

export interface EngineOptions {
  /** Never the shared one: for tests that break it, or that look at what it holds. */
  own?: boolean;
  /** Added to dockerd's environment, which is else only PATH. */
  env?: Record<string, string>;
}

/** Holds the socket path of an engine that several test files share. */
export const sharedEngineVariable = "DELIVERD_TEST_ENGINE";

/** Starts a private dockerd without bridge network; 127.0.0.0/8 counts as insecure, so plain-HTTP registries there work. */
export async function startEngine(options: EngineOptions = {}): Promise<Engine> {
  const shared = process.env[sharedEngineVariable];
  if (shared && !options.own) {
    const docker = new Dockerode({ socketPath: shared });
    await docker.ping();
    return { socket: shared, docker, pid: null, output: () => "", stop: async () => {} };
  }
  return startOwnEngine(options);
}

/** As startEngine, and never the shared one. */
export async function startOwnEngine(options: EngineOptions = {}): Promise<OwnEngine> {
  const dir = await tempDir();
  const socket = join(dir.path, "s");
  const docker = new Dockerode({ socketPath: socket });
  const remove = async () => {
    await endLeftovers(dir.path);
    await unmountBelow(dir.path);
    await dir.remove();
  };
  try {
    // Overlay does not stand on overlay: inside a container only vfs is left.
    let driver = "overlay2";
    const start = () => startDockerd(dir.path, docker, options, driver);
    let server = await start().catch(() => {
      driver = "vfs";
      return start();
    });
    return {
      socket,
      docker,
      get pid() {
        return server.child.pid ?? null;
      },
      output: () => server.output(),
      async restart(signal) {
        await server.stop(signal);
        await endLeftovers(dir.path);
        // What lies under /run is gone after a crash of the machine; a containerd that was killed would be taken for alive.
        for (const name of ["p", "e"]) await rm(join(dir.path, name), { recursive: true, force: true });
        server = await start();
      },
      async stop() {
        await server.stop();
        await remove();
      },
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function startDockerd(root: string, docker: Dockerode, options: EngineOptions, driver: string): Promise<Server> {
  // Of its own, so that the machine's /etc/docker/daemon.json has no part in it.
  await writeFile(join(root, "daemon.json"), "{}");
  const args = [
    ["--data-root", join(root, "d")],
    ["--exec-root", join(root, "e")],
    ["--pidfile", join(root, "p")],
    ["--config-file", join(root, "daemon.json")],
    ["--host", `unix://${join(root, "s")}`],
    ["--storage-driver", driver],
    ["--iptables=false", "--ip6tables=false", "--bridge=none"],
  ];
  const env = { PATH: process.env.PATH ?? "/usr/sbin:/usr/bin:/sbin:/bin", ...options.env };
  return startServer("/usr/sbin/dockerd", args.flat(), () => docker.ping(), { env });
}
