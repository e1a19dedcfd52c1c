import Dockerode from "dockerode";
import type { BuildLimits } from "./builder.ts";
import { engineAddress } from "./engine/address.ts";
import { compareVersions, pinApiVersion } from "./engine/api-version.ts";

/** What an engine with Docker's API can do. */
export interface EngineFacts {
  product: "Docker" | "Podman";
  version: string;
  apiVersion: string;
  /** As in `linux/amd64`. */
  platform: string;
  /** Its API accepts BuildKit builds. */
  buildkit: boolean;
  /** It has a bridge network. Without one, a build has no network. */
  bridge: boolean;
  /** Its classic builder can enforce memory and CPU limits. */
  honoursLimits: boolean;
  /** Number of CPUs: the highest limit for a container. */
  cpus: number;
  /** What keeps its images, such as `overlay2`. */
  store: string;
  /** It keeps images with containerd. Then its BuildKit can push them by itself. */
  containerd: boolean;
}

/** Which builder the engine uses. They make different layers from one Dockerfile, so an installation uses only one. */
export type Installation = "buildkit" | "classic";

/** The engine at `engineAddress`. It does not connect yet. @throws ConfigError `docker-host` */
export function connectEngine(options: { socket?: string | undefined; env: NodeJS.ProcessEnv }): Dockerode {
  const address = engineAddress(options);
  if (!("socket" in address)) return new Dockerode({ ...address, protocol: "http" });
  // Otherwise docker-modem would prefer a TCP address in the process's own DOCKER_HOST.
  return new Dockerode({ socketPath: address.socket, host: undefined, port: undefined, protocol: "http" });
}

/** Another engine may take the place of this one at any time, but hardly between two builds. */
const MAX_FACTS_AGE_MS = 10_000;

/** Returns a function that gives the facts of the engine, and asks for them again once they are 10 s old. */
export function recentEngineFacts(docker: Dockerode): () => Promise<EngineFacts> {
  let last: { at: number; facts: Promise<EngineFacts> } | null = null;
  return () => {
    if (last !== null && performance.now() - last.at < MAX_FACTS_AGE_MS) return last.facts;
    const facts = engineFacts(docker);
    last = { at: performance.now(), facts };
    // What failed is asked for again.
    facts.catch(() => {
      if (last?.facts === facts) last = null;
    });
    return facts;
  };
}

/** Asks the engine, and speaks a version of its API that both sides know. @throws what the connection throws if no engine answers */
export async function engineFacts(docker: Dockerode): Promise<EngineFacts> {
  const version = await pinApiVersion(docker);
  const [info, networks] = await Promise.all([docker.info(), docker.listNetworks()]);
  const product = isPodman(version) ? "Podman" : "Docker";
  return {
    product,
    version: version.Version,
    apiVersion: version.ApiVersion,
    platform: `${version.Os}/${version.Arch}`,
    // Docker Engine API v1.39 (18.09) is the first with `version=2` outside experimental mode. Podman has no session.
    buildkit: version.Os === "linux" && compareVersions(version.ApiVersion, "1.39") >= 0 && product === "Docker",
    bridge: networks.some((network) => network.Driver === "bridge"),
    honoursLimits: version.Os === "linux" && info.MemoryLimit === true && info.CpuCfsQuota === true,
    cpus: info.NCPU,
    store: isContainerd(info) ? `containerd's ${info.Driver}` : info.Driver,
    containerd: isContainerd(info),
  };
}

/** https://docs.docker.com/engine/storage/containerd/: `docker info` shows the driver's type. */
function isContainerd({ DriverStatus }: { DriverStatus?: [string, string][] | null }): boolean {
  return (DriverStatus ?? []).some(([name, value]) => name === "driver-type" && value.startsWith("io.containerd."));
}

function isPodman({ Components }: Dockerode.DockerVersion): boolean {
  return (Components ?? []).some(({ Name }) => Name === "Podman Engine");
}

/** Which builder to use, and why: BuildKit, unless memory or CPU limits are set, which it would silently ignore. */
export function chooseInstallation(
  facts: EngineFacts,
  limits: Pick<BuildLimits, "memoryBytes" | "cpus">,
): { installation: Installation; because: string } {
  if (facts.product === "Podman") {
    return { installation: "classic", because: `Podman ${facts.version} builds by itself, and has no BuildKit` };
  }
  if (!facts.buildkit) {
    return {
      installation: "classic",
      because: `the engine (${facts.version}) has no BuildKit: it needs Docker 18.09 on Linux`,
    };
  }
  if (limits.memoryBytes || limits.cpus) {
    return { installation: "classic", because: "BuildKit through Docker's API ignores the memory and CPU limits set" };
  }
  return { installation: "buildkit", because: `Docker ${facts.version} has it, and no memory or CPU limit is set` };
}

/**
 * Watches whether the engine goes away during work. The engine's stop looks like a failure of the user (exit code 137).
 */
export interface EngineWatch {
  /** Resolves when the engine has closed the connection: it stopped, was killed, or was restarted. */
  gone: Promise<void>;
  end(): void;
}

/** Keeps a stream of the engine's events open. The stream ends exactly when the engine's process ends. */
export async function watchEngine(docker: Dockerode): Promise<EngineWatch> {
  const over = new AbortController();
  const events = await docker.getEvents({ filters: { type: ["daemon"] }, abortSignal: over.signal });
  const gone = new Promise<void>((resolve) => {
    events.on("error", () => resolve());
    events.on("end", resolve);
    events.on("close", resolve);
  });
  events.resume();
  return { gone, end: () => over.abort() };
}

/**
 * Whether the engine stopped. It kills running containers, and reports that like any failed step, before its connection
 * ends.
 */
export async function hasEngineStopped(watch: Pick<EngineWatch, "gone">, exitCode: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => {
    timer = setTimeout(resolve, exitCode >= 128 ? 2_000 : 200, false);
  });
  const stopped = await Promise.race([watch.gone.then(() => true), late]);
  clearTimeout(timer);
  return stopped;
}
