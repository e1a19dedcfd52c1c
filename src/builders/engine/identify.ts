import http, { type IncomingHttpHeaders } from "node:http";
import type Dockerode from "dockerode";
import { engineAddress } from "./address.ts";

/** Which program answers Docker's API, and its version. */
export interface EngineIdentity {
  kind: "Docker" | "Podman";
  version: string;
  apiVersion: string;
  /** What the engine calls its edition, such as "Docker Desktop 4.30.0". Null: it does not say, or it adds nothing. */
  edition: string | null;
}

const PING_TIMEOUT_MS = 10_000;

/** Asks the engine who it is. @throws what the connection throws if no engine answers */
export async function identifyEngine(
  docker: Dockerode,
  address: Parameters<typeof engineAddress>[0],
): Promise<EngineIdentity> {
  const headers = await pingHeaders(address);
  const version: Dockerode.DockerVersion & { Platform?: { Name?: string } } = await docker.version();
  const named = (version.Components ?? []).map(({ Name }) => Name);
  // Podman names itself in headers of every answer, and its newer versions also in /version.
  const isPodman =
    headers["libpod-api-version"] !== undefined ||
    /^libpod\b/i.test(String(headers.server)) ||
    named.includes("Podman Engine");
  return {
    kind: isPodman ? "Podman" : "Docker",
    version: version.Version,
    apiVersion: version.ApiVersion,
    edition: isPodman ? null : version.Platform?.Name || null,
  };
}

/** https://docs.docker.com/reference/api/engine/version/v1.47/#tag/System/operation/SystemPing */
function pingHeaders(options: Parameters<typeof engineAddress>[0]): Promise<IncomingHttpHeaders> {
  const address = engineAddress(options);
  const where = "socket" in address ? { socketPath: address.socket } : address;
  return new Promise((resolve, reject) => {
    const request = http.get({ ...where, path: "/_ping", timeout: PING_TIMEOUT_MS, agent: false }, (response) => {
      response.resume();
      resolve(response.headers);
    });
    request.once("error", reject);
    request.once("timeout", () => request.destroy(new Error(`no answer within ${PING_TIMEOUT_MS / 1000} s`)));
  });
}
