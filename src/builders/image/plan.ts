import { UserError } from "../../delivery/errors.ts";
import type { RunLog } from "../../run.ts";
import type { BuildOrder } from "../builder.ts";
import { chooseInstallation, type EngineFacts, type Installation } from "../engine.ts";
import { type DockerfileFacts, readDockerfile } from "./dockerfile.ts";

/** Everything a build is made with, once it is known. */
export interface Plan {
  order: BuildOrder;
  facts: EngineFacts;
  installation: Installation;
  dockerfile: DockerfileFacts;
  /** Null: the engine's own. */
  platform: string | null;
  network: string | null;
  /** Ends the build: cancelled, or over its time. */
  signal: AbortSignal;
}

export interface PlanOptions {
  network?: string | undefined;
  installation?: Installation | undefined;
}

/** @throws UserError `several-platforms` */
export function planBuild(options: PlanOptions, facts: EngineFacts, order: BuildOrder, signal: AbortSignal): Plan {
  const [platform = facts.platform, ...others] = order.artifact.platforms;
  if (others.length > 0) {
    throw new UserError(
      "several-platforms",
      `artifacts.${order.artifact.name}.platforms names ${others.length + 1} platforms; a Docker Engine builds one at a time. Name one.`,
    );
  }
  const installation = options.installation ?? chooseInstallation(facts, order.limits).installation;
  return {
    order,
    facts,
    installation,
    dockerfile: readDockerfile(order.dockerfile, {
      args: order.args,
      platform,
      everyStage: installation === "classic",
    }),
    // Named only where it differs: older engines take it in experimental mode alone.
    platform: platform === facts.platform ? null : platform,
    network: options.network ?? (facts.bridge ? null : "none"),
    signal,
  };
}

/** Says in the build's log what a reader would else wonder about. */
export function tellPlan({ facts, installation, network, order }: Plan, options: PlanOptions, log: RunLog): void {
  const builder = installation === "buildkit" ? "BuildKit" : "the classic builder";
  log.line(`Building with ${builder} of Docker ${facts.version}.`);
  if (network === "none" && options.network === undefined)
    log.line("The engine has no bridge network: the steps of this build have no network.");
  const { memoryBytes, cpus } = order.limits;
  if ((memoryBytes || cpus) && (installation === "buildkit" || !facts.honoursLimits))
    log.line("The memory and CPU limits that are set do not hold here: this engine's builder ignores them.");
}
