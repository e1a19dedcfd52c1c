import type { BuildKitFacts } from "../../builders/buildkit/workers.ts";
import { identifyEngine } from "../../builders/engine/identify.ts";
import { type Engine, openEngine } from "../../builders/engine/open.ts";
import { chooseInstallation, type EngineFacts, engineFacts } from "../../builders/engine.ts";
import type { ServerConfig } from "../../config/server.ts";
import { startIntake } from "../../store/intake.ts";
import type { Store } from "../../store/store.ts";
import { type Check, ok, type Result, warn } from "./check.ts";
import { reachesIntake } from "./intake.ts";
import { DATA_DIRECTORY } from "./machine.ts";

const ENGINE = "engine";

/** The engine that builds, and its way back to deliverd. */
export function engineChecks(config: ServerConfig, store: Store): Check[] {
  const group = "Docker Engine";
  return [
    {
      group,
      part: ENGINE,
      run: () => checkEngine(config),
      remedy:
        config.docker.kind === "buildkit"
          ? "Start buildkitd, or set docker.url to where it listens; deliverd must be let in."
          : "Start Docker, or set docker.socket or DOCKER_HOST to where it listens; deliverd's user must be let in.",
    },
    {
      group,
      part: "intake",
      needs: [DATA_DIRECTORY, ENGINE],
      run: () => checkIntake(config, store),
      remedy:
        "Set docker.intake.advertise to an address of deliverd as the engine sees it. One that is not in 127.0.0.0/8 must be among the engine's insecure-registries.",
    },
  ];
}

async function checkEngine(config: ServerConfig): Promise<Result> {
  const engine = await openEngine(config.docker, process.env);
  return engine.protocol === "buildkit" ? checkBuildKit(engine, config) : checkDocker(engine, config);
}

async function checkDocker({ docker: client }: Extract<Engine, { protocol: "docker" }>, { docker }: ServerConfig) {
  const address = { socket: docker.socket ?? undefined, env: process.env };
  const { kind, version, apiVersion, edition } = await identifyEngine(client, address);
  const facts = await engineFacts(client);
  const { memory, cpus } = docker.limits;
  const { installation, because } = chooseInstallation(facts, { memoryBytes: memory, cpus });
  const product = `${kind} ${version}${edition === null ? "" : ` (${edition})`}, API ${apiVersion}`;
  const platforms = await platformsOf(client, facts);
  const how = `builds by ${installation}: ${because}`;
  const text = [
    `${product}, on ${facts.platform}, store ${facts.store}`,
    ...[how, ...missing(facts, installation), `images for ${platforms.join(", ")}`],
  ].join("; ");
  const isOther = (docker.kind === "docker" && kind !== "Docker") || (docker.kind === "podman" && kind !== "Podman");
  return isOther
    ? warn(`${text}; docker.kind says ${docker.kind}`, "Set docker.kind to auto, or to what answers.")
    : ok(text);
}

/** What a pipeline may miss on this engine, and the remedy. */
function missing(facts: EngineFacts, installation: string): string[] {
  return [
    ...(installation === "buildkit" ? [] : ["no secrets for images: they need BuildKit"]),
    ...(facts.bridge ? [] : ["it has no bridge network, so builds have none unless docker.network is set"]),
  ];
}

/** The BuildKit inside Docker knows what the kernel can emulate. */
async function platformsOf(docker: Extract<Engine, { protocol: "docker" }>["docker"], facts: EngineFacts) {
  if (!facts.buildkit) return [facts.platform];
  const [{ buildKitIn }, { askWorkers }] = await Promise.all([
    import("../../builders/buildkit/docker.ts"),
    import("../../builders/buildkit/workers.ts"),
  ]);
  const buildkit = await buildKitIn(docker);
  const { platforms } = await askWorkers(buildkit.client).finally(() => buildkit.close());
  return platforms.length === 0 ? [facts.platform] : distinct(platforms);
}

async function checkBuildKit(
  engine: Extract<Engine, { protocol: "buildkit" }>,
  { docker }: ServerConfig,
): Promise<Result> {
  const { askWorkers } = await import("../../builders/buildkit/workers.ts");
  const buildkit = await engine.connect();
  const facts = await askWorkers(buildkit.client).finally(() => buildkit.close());
  const text = `${nameOf(facts)} at ${engine.address.url}; images for ${distinct(facts.platforms).join(", ")}`;
  const { memory, cpus } = docker.limits;
  if (!memory && !cpus) return ok(`${text}; no artifacts that are made by commands: they need Docker or Podman`);
  return warn(`${text}; it ignores docker.limits`, "Limit buildkitd itself, such as by the limits of its container.");
}

function nameOf({ version }: BuildKitFacts): string {
  return version === null ? "BuildKit" : `BuildKit ${version}`;
}

/** Without variants that every image of the architecture runs on, such as linux/amd64/v2. */
function distinct(platforms: string[]): string[] {
  return [...new Set(platforms.map((platform) => platform.replace(/^(linux\/amd64)\/v\d$/, "$1")))];
}

/** Has the engine reach the intake: one of our own, or that of the deliverd that runs already. */
async function checkIntake(config: ServerConfig, store: Store): Promise<string> {
  const engine = await openEngine(config.docker, process.env);
  const { listen = "127.0.0.1:0", advertise } = config.docker.intake ?? {};
  const intake = await startIntake({ store, listen, advertise }).catch(async (error: unknown) => {
    if (await isIntake(listen)) return null;
    throw error;
  });
  const grant = intake?.grant("doctor", { maxBytes: 0 }) ?? null;
  try {
    const host = grant?.host ?? advertise ?? listen;
    await reachesIntake(engine, host, grant);
    return `the engine reaches ${host}`;
  } finally {
    await grant?.revoke();
    await intake?.stop();
  }
}

async function isIntake(listen: string): Promise<boolean> {
  const answer = await fetch(`http://${listen}/v2/`).catch(() => null);
  await answer?.body?.cancel();
  return answer?.headers.get("www-authenticate")?.includes("deliverd intake") ?? false;
}
