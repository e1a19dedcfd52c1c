import http from "node:http";
import type Dockerode from "dockerode";
import { type BuildKitAddress, connectBuildKit } from "../buildkit/address.ts";
import type { BuildKit } from "../buildkit/connection.ts";
import { askWorkers } from "../buildkit/workers.ts";
import { connectEngine } from "../engine.ts";
import { type EngineAddress, engineAddress } from "./address.ts";
import { buildKitAddress, type EngineSettings } from "./settings.ts";

/** An engine, by the API that it speaks. Podman speaks Docker's. */
export type Engine =
  | { protocol: "docker"; docker: Dockerode }
  | { protocol: "buildkit"; address: BuildKitAddress; connect(): Promise<BuildKit> };

const PROBE_TIMEOUT_MS = 10_000;

/**
 * The engine of the configuration. Only `kind: auto` asks it anything: which API it speaks. What does not answer counts
 * as Docker, whose first request says what is wrong.
 * @throws ConfigError `docker-host`
 */
export async function openEngine(settings: EngineSettings, env: NodeJS.ProcessEnv): Promise<Engine> {
  if (settings.kind === "buildkit") return buildKitAt(buildKitAddress(settings, env));
  const where = { socket: settings.socket ?? undefined, env };
  const address = engineAddress(where);
  if (settings.kind === "auto" && "socket" in address && !(await speaksHttp(address))) {
    const buildkit = { url: `unix://${address.socket}`, tls: null };
    if (await isBuildKit(buildkit)) return buildKitAt(buildkit);
  }
  return { protocol: "docker", docker: connectEngine(where) };
}

function buildKitAt(address: BuildKitAddress): Engine {
  return { protocol: "buildkit", address, connect: () => connectBuildKit(address) };
}

/** Whether anything that is HTTP/1 comes back. A BuildKit closes such a connection. */
function speaksHttp({ socket }: Extract<EngineAddress, { socket: string }>): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { socketPath: socket, path: "/_ping", timeout: PROBE_TIMEOUT_MS, agent: false };
    const request = http.get(options, (response) => {
      response.resume();
      resolve(true);
    });
    request.once("error", () => resolve(false));
    request.once("timeout", () => request.destroy(new Error("no answer")));
  });
}

async function isBuildKit(address: BuildKitAddress): Promise<boolean> {
  try {
    const buildkit = await connectBuildKit(address);
    await askWorkers(buildkit.client, AbortSignal.timeout(PROBE_TIMEOUT_MS)).finally(() => buildkit.close());
    return true;
  } catch {
    return false;
  }
}
