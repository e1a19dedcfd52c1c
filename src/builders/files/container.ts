import type Dockerode from "dockerode";
import { UserError } from "../../delivery/errors.ts";
import type { FilesOrder } from "../builder.ts";
import { engineFailed } from "../engine/build-failure.ts";
import { engineAnswer } from "../engine/errors.ts";
import { cannotStart } from "../engine/failure-patterns.ts";
import { BUILD_LABEL, containerName } from "../engine/leftovers.ts";
import { cacheVolumes, makeCaches, WORKSPACE } from "./caches.ts";

/**
 * All that is left to root in a build. Package managers and archives set owners and modes (CHOWN, FOWNER), touch files of
 * others (DAC_OVERRIDE) and run parts of themselves as another user (SETUID, SETGID: apt's _apt, su). What else Docker
 * grants by default (raw sockets, device files, chroot, file capabilities, …) no build needs and attacks begin with.
 */
const CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"];
/** Threads of a large parallel build fit easily, a fork bomb does not. */
const MOST_PROCESSES = 4096;

/**
 * Makes the container; it does not run yet.
 * @param network Docker's network mode; null: the engine's own
 * @param cpus how many the engine has: it refuses a limit above them
 */
export async function makeContainer(
  docker: Dockerode,
  order: FilesOrder,
  network: string | null,
  cpus: number,
): Promise<Dockerode.Container> {
  const { artifact, environment, limits } = order;
  const volumes = cacheVolumes(order);
  await makeCaches(docker, volumes);
  const settings: Dockerode.ContainerCreateOptions = {
    name: containerName(order.id),
    Labels: { [BUILD_LABEL]: order.id },
    Image: artifact.build.image,
    Entrypoint: ["/bin/sh"],
    Cmd: [],
    User: "0:0",
    WorkingDir: WORKSPACE,
    Env: Object.entries({ ...artifact.build.env, ...environment }).map(([name, value]) => `${name}=${value}`),
    // When we die, the engine ends the shell's input: see scriptOf.
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    // Nothing in it is worth a farewell: an engine that stops need not wait for it.
    StopSignal: "SIGKILL",
    HostConfig: {
      CapDrop: ["ALL"],
      CapAdd: CAPABILITIES,
      SecurityOpt: ["no-new-privileges"],
      PidsLimit: MOST_PROCESSES,
      // Swap counts with it: equal means none.
      ...(limits.memoryBytes ? { Memory: limits.memoryBytes, MemorySwap: limits.memoryBytes } : {}),
      ...(limits.cpus ? { NanoCpus: Math.round(Math.min(limits.cpus, cpus) * 1e9) } : {}),
      ...(network === null ? {} : { NetworkMode: network }),
      Mounts: volumes.map(({ name, path }) => ({ Type: "volume", Source: name, Target: path })),
      // What it prints comes to us alone, however much it is.
      LogConfig: { Type: "none", Config: {} },
    },
  };
  return acceptable(artifact.build.image, () => docker.createContainer(settings));
}

/** @throws UserError `container-refused` where the engine finds fault with what the pipeline asks for */
async function acceptable<T>(image: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    throw (error as { statusCode?: number }).statusCode === 400 ? containerRefused(image, error) : error;
  }
}

/**
 * @throws UserError `container-refused` where the image has no shell, TransientError `engine-failed` where the engine
 *   could not start a container that it had accepted
 */
export async function explainStart<T>(image: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    const answer = engineAnswer(error);
    if (answer === null) throw error;
    throw cannotStart(answer)
      ? containerRefused(image, error)
      : engineFailed(`It did not start a container: ${answer}`);
  }
}

function containerRefused(image: string, error: unknown): UserError {
  return new UserError(
    "container-refused",
    `The commands cannot be run in ${image}: ${engineAnswer(error)}. The image must have a shell at /bin/sh.`,
  );
}
