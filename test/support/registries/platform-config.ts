import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { TestRegistry } from "./docker-registry.ts";

/** The configuration of the image that a client on this architecture gets, as skopeo reads it. */
export async function platformConfig(
  { host, username, password }: TestRegistry,
  name: string,
  architecture: string,
): Promise<{ architecture: string; config: { Labels: Record<string, string> } }> {
  const login = username === "" ? [] : ["--creds", `${username}:${password}`];
  const which = ["--override-os=linux", `--override-arch=${architecture}`, "--tls-verify=false"];
  const { stdout } = await promisify(execFile)("skopeo", [
    ...[...which.slice(0, 2), "inspect", "--config", ...which.slice(2), ...login],
    `docker://${host}/${name}`,
  ]);
  return JSON.parse(stdout);
}
