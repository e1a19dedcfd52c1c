import type Dockerode from "dockerode";
import { UserError } from "../../delivery/errors.ts";
import type { CacheUses, FilesOrder } from "../builder.ts";
import { engineFailed } from "../engine/build-failure.ts";
import { engineAnswer } from "../engine/errors.ts";
import { cannotStart } from "../engine/failure-patterns.ts";
import { BUILD_LABEL, containerName } from "../engine/leftovers.ts";
import { cacheVolumes, makeCaches, WORKSPACE } from "./caches.ts";

/**
 * The capabilities of root in a build. Package managers and archives set owners and modes (CHOWN, FOWNER), change files
 * of other users (DAC_OVERRIDE) and run parts of themselves as another user (SETUID, SETGID: apt's _apt, su). No build
 * needs Docker's other defaults (raw sockets, device files, chroot, file capabilities, …), and attacks start with them.
 */
const CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"];
/** Enough for the threads of a large parallel build, but not for a fork bomb. */
const MAX_PROCESSES = 4096;

/**
 * Makes the container, but does not start it.
 * @param network Docker's network mode. Null: the engine's default
 * @param cpus number of CPUs of the engine: it refuses a higher limit
 */
export async function makeContainer(
  { docker, cacheUses }: { docker: Dockerode; cacheUses: CacheUses },
  order: FilesOrder,
  network: string | null,
  cpus: number,
): Promise<Dockerode.Container> {
  const { artifact, environment, limits } = order;
  const volumes = cacheVolumes(order);
  await makeCaches(docker, volumes, cacheUses);
  const settings: Dockerode.ContainerCreateOptions = {
    name: containerName(order.id),
    Labels: { [BUILD_LABEL]: order.id },
    Image: artifact.build.image,
    Entrypoint: ["/bin/sh"],
    Cmd: [],
    User: "0:0",
    WorkingDir: WORKSPACE,
    Env: Object.entries({ ...artifact.build.env, ...environment }).map(([name, value]) => `${name}=${value}`),
    // If our process dies, the engine ends the shell's input: see scriptOf.
    OpenStdin: true,
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    // An engine that stops need not wait for the container.
    StopSignal: "SIGKILL",
    HostConfig: {
      CapDrop: ["ALL"],
      CapAdd: CAPABILITIES,
      SecurityOpt: ["no-new-privileges"],
      PidsLimit: MAX_PROCESSES,
      // The limit of memory and swap together. Equal limits mean no swap.
      ...(limits.memoryBytes ? { Memory: limits.memoryBytes, MemorySwap: limits.memoryBytes } : {}),
      ...(limits.cpus ? { NanoCpus: Math.round(Math.min(limits.cpus, cpus) * 1e9) } : {}),
      ...(network === null ? {} : { NetworkMode: network }),
      Mounts: volumes.map(({ name, path }) => ({ Type: "volume", Source: name, Target: path })),
      // The output comes only to us, whatever its size.
      LogConfig: { Type: "none", Config: {} },
    },
  };
  return acceptable(artifact.build.image, () => docker.createContainer(settings));
}

/** @throws UserError `container-refused` if the engine refuses what the pipeline asks for */
async function acceptable<T>(image: string, request: () => Promise<T>): Promise<T> {
  try {
    return await request();
  } catch (error) {
    throw (error as { statusCode?: number }).statusCode === 400 ? containerRefused(image, error) : error;
  }
}

/**
 * @throws UserError `container-refused` if the image has no shell, TransientError `engine-failed` if the engine could
 *   not start a container that it had accepted
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
