import { type Base, type DockerfileFacts, readDockerfile } from "../../delivery/dockerfile/index.ts";
import { Refused, UserError } from "../../delivery/errors.ts";
import type { RunLog } from "../../run/run.ts";
import type { BuildOrder } from "../builder.ts";
import { chooseInstallation, type EngineFacts, type Installation } from "../engine.ts";

/** Everything that a build needs. */
export interface BuildPlan {
  order: BuildOrder;
  facts: EngineFacts;
  installation: Installation;
  dockerfile: DockerfileFacts;
  /** Images to pull before the build, with their platforms. Null: the engine's own platform. */
  bases: Base[];
  /** Null: the engine's own. */
  platform: string | null;
  network: string | null;
  /** Aborted when the build is cancelled or over its time limit. */
  signal: AbortSignal;
}

export interface PlanOptions {
  network?: string | undefined;
  installation?: Installation | undefined;
}

/**
 * The plan of a build for one platform.
 * @throws UserError `dockerfile-invalid`, `label-with-variable`, Refused `secrets-need-buildkit`
 */
export function planBuild(options: PlanOptions, facts: EngineFacts, order: BuildOrder, signal: AbortSignal): BuildPlan {
  const [platform = facts.platform] = order.artifact.platforms;
  const chosen = chooseInstallation(facts, order.limits);
  const installation = options.installation ?? chosen.installation;
  if (installation === "classic") refuseSecrets(order, chosen.because);
  if (facts.product === "Podman") refuseVariables(order);
  // The platform is named only if it differs: older engines accept it only in experimental mode.
  const named = (wanted: string) => (wanted === facts.platform ? null : wanted);
  const dockerfile = readDockerfile(order.dockerfile, {
    file: order.artifact.dockerfile,
    args: order.args,
    target: order.artifact.target,
    platform,
    buildPlatform: facts.platform,
    everyStage: installation === "classic",
  });
  return {
    order,
    facts,
    installation,
    dockerfile,
    bases: dockerfile.images.map((base) => ({ ...base, platform: named(base.platform ?? platform) })),
    platform: named(platform),
    network: options.network ?? (facts.bridge ? null : "none"),
    signal,
  };
}

/** The classic builder would have to put a secret into a build argument, which every layer and image shows. */
function refuseSecrets({ artifact }: BuildOrder, because: string): void {
  if (artifact.secrets.length === 0) return;
  throw new Refused(
    "secrets-need-buildkit",
    `artifacts.${artifact.name}.secrets: only BuildKit can give a build secrets, and this server builds without it: ` +
      `${because}. Build without secrets, or ask the administrator for an engine with BuildKit.`,
  );
}

/** Podman replaces variables in the values of labels, and knows no way to write a dollar sign. */
function refuseVariables({ artifact, labels }: BuildOrder): void {
  const found = Object.keys(labels).find((name) => labels[name]?.includes("$"));
  if (found === undefined) return;
  throw new UserError(
    "label-with-variable",
    `artifacts.${artifact.name}: the label ${found} has a dollar sign, and Podman would put a variable in its place. ` +
      "Use another text, or ask the administrator for an engine with BuildKit.",
  );
}

/** Writes to the build's log what a reader would otherwise not expect. */
export function reportPlan(
  { facts, installation, network, order }: BuildPlan,
  options: PlanOptions,
  log: RunLog,
): void {
  const { product, version } = facts;
  const builder = installation === "buildkit" ? "BuildKit of " : product === "Docker" ? "the classic builder of " : "";
  log.line(`Building with ${builder}${product} ${version}.`);
  if (network === "none" && options.network === undefined)
    log.line("The engine has no bridge network: the steps of this build have no network.");
  const { memoryBytes, cpus } = order.limits;
  if ((memoryBytes || cpus) && (installation === "buildkit" || !facts.honoursLimits))
    log.line("This engine's builder ignores the memory and CPU limits that are set.");
}
