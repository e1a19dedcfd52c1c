import type Dockerode from "dockerode";
import { engineAddress } from "../builders/engine/address.ts";
import { reasonWithoutAnswer } from "../http/no-answer.ts";
import { EXIT, Failure } from "./exit.ts";

/**
 * Asks the engine for its version, before a command begins what needs it.
 * @param settings the keys that may name its address, besides DOCKER_HOST
 * @throws Failure if it does not answer
 */
export async function requireEngine(
  docker: Dockerode,
  address: Parameters<typeof engineAddress>[0],
  settings: readonly string[] = [],
): Promise<Dockerode.DockerVersion> {
  try {
    return await docker.version();
  } catch (error) {
    const at = engineAddress(address);
    const where = "socket" in at ? `unix://${at.socket}` : `tcp://${at.host}:${at.port}`;
    const code = error instanceof Error && "code" in error ? error.code : null;
    const remedy =
      code === "EACCES"
        ? "Add your user to the group of that socket, mostly docker"
        : `Start it, or set ${["DOCKER_HOST", ...settings].join(" or ")} to where it listens`;
    throw new Failure(
      EXIT.failed,
      `the Docker Engine does not answer at ${where}: ${reasonWithoutAnswer(error)}. ${remedy}.`,
    );
  }
}
