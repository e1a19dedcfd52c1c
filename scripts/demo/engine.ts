import { hostname } from "node:os";
import { join } from "node:path";
import Dockerode from "dockerode";
import { type Engine, startEngine } from "../../test/support/engine/engine.ts";

/** The engine of this machine where one answers, else a private one that ends with the demo. */
export async function findEngine(env: NodeJS.ProcessEnv): Promise<Engine & { from: string }> {
  for (const socket of socketsOf(env)) {
    if (await answersHere(socket)) return { ...handedIn(socket), from: socket };
  }
  const engine = await startEngine({ own: true });
  return { ...engine, from: `a private one, on ${engine.socket}` };
}

function socketsOf({ DOCKER_HOST, XDG_RUNTIME_DIR }: NodeJS.ProcessEnv): string[] {
  if (DOCKER_HOST) return DOCKER_HOST.startsWith("unix://") ? [DOCKER_HOST.slice("unix://".length)] : [];
  return ["/var/run/docker.sock", ...(XDG_RUNTIME_DIR ? [join(XDG_RUNTIME_DIR, "docker.sock")] : [])];
}

/** An engine in another machine, virtual ones too, does not reach the registry on this one's loopback. */
async function answersHere(socket: string): Promise<boolean> {
  try {
    const { Name, OSType, SecurityOptions } = await new Dockerode({ socketPath: socket, timeout: 3_000 }).info();
    // A rootless engine has a loopback of its own.
    const isRootless = (SecurityOptions ?? []).some((option: string) => option.includes("rootless"));
    return Name === hostname() && OSType === "linux" && !isRootless;
  } catch {
    return false;
  }
}

function handedIn(socket: string): Engine {
  return { socket, docker: new Dockerode({ socketPath: socket }), pid: null, output: () => "", stop: async () => {} };
}
