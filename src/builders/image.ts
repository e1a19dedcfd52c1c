import type Dockerode from "dockerode";
import { TransientError } from "../delivery/errors.ts";
import { failpoint } from "../observe/failpoints.ts";
import type { Log } from "../observe/log.ts";
import type { Run } from "../run/run.ts";
import type { Grant, Intake } from "../store/intake.ts";
import type { Store } from "../store/store.ts";
import type { Builder, BuildOrder, Built } from "./builder.ts";
import { buildKitIn } from "./buildkit/docker.ts";
import { askWorkers } from "./buildkit/workers.ts";
import type { RegistryAuth } from "./engine/bases.ts";
import { withDeadline } from "./engine/deadline.ts";
import { explainEngineError } from "./engine/errors.ts";
import { type KnownEngine, knownEngine } from "./engine/known-engine.ts";
import { chooseInstallation, type EngineFacts, type Installation, watchEngine } from "./engine.ts";
import { buildImage } from "./image/build.ts";
import { openEarly } from "./image/context.ts";
import { freezeBuiltImage, temporaryName } from "./image/freeze.ts";
import { buildKitImageBuilder } from "./image/on-buildkit.ts";
import { planBuild, reportPlan } from "./image/plan.ts";
import { buildPlatforms, reportForeign } from "./image/platforms.ts";

export interface ImageBuilderOptions {
  docker: Dockerode;
  intake: Pick<Intake, "grant">;
  /** Gets the index of images for several platforms. */
  store: Store;
  log: Log;
  registryAuth: RegistryAuth;
  /**
   * Docker's network mode for RUN steps. Left out: the engine's default, or none if the engine has no bridge network.
   */
  network?: string | undefined;
  /** Left out: chosen by `chooseInstallation`. */
  installation?: Installation | undefined;
  /** Limit for what one build may add to the store, in bytes. Left out: 20 GiB. */
  maxBytes?: number | undefined;
}

/** Builds images with a Docker Engine, and freezes them through the intake. */
export function imageBuilder(options: ImageBuilderOptions): Builder<BuildOrder> {
  const engine = knownEngine(options.docker, options.registryAuth);
  const build = async (order: BuildOrder, run: Run): Promise<Built> => {
    const direct = directBuilder(options, engine, await engine.facts(), order);
    if (direct !== null) return direct.build(order, run);
    return order.artifact.platforms.length <= 1
      ? buildAndFreeze(options, engine, order, run)
      : buildPlatforms(options.store, order, run, (one, its) => buildAndFreeze(options, engine, one, its));
  };
  return { build: (order, run) => withDeadline(order.limits.time, run, (limited) => build(order, limited)) };
}

/** Networks of RUN steps that BuildKit itself knows. */
const BUILDKIT_NETWORKS = new Set(["none", "host", "default"]);

/**
 * With containerd's store, Docker's BuildKit pushes by itself: nothing gets a name in the engine, and all platforms are
 * one build. By Docker's own request, Docker 26 could not even read a context there. Null: another way is needed.
 */
function directBuilder(
  options: ImageBuilderOptions,
  { bases }: KnownEngine,
  facts: EngineFacts,
  { limits }: BuildOrder,
): Builder<BuildOrder> | null {
  const installation = options.installation ?? chooseInstallation(facts, limits).installation;
  const network = options.network ?? (facts.bridge ? "default" : "none");
  if (installation !== "buildkit" || !facts.containerd || !BUILDKIT_NETWORKS.has(network)) return null;
  return buildKitImageBuilder({
    ...options,
    connect: () => buildKitIn(options.docker),
    bases,
    network: network === "default" ? undefined : network,
  });
}

/** The context is opened early, while the engine is asked and pulls base images. */
async function buildAndFreeze(
  options: ImageBuilderOptions,
  engine: KnownEngine,
  order: BuildOrder,
  run: Run,
): Promise<Built> {
  const tree = openEarly(order.openContext);
  try {
    return await buildOn(options, engine, { ...order, openContext: tree.open }, run);
  } finally {
    tree.end();
  }
}

async function buildOn(
  options: ImageBuilderOptions,
  { bases, facts }: KnownEngine,
  order: BuildOrder,
  run: Run,
): Promise<Built> {
  const { docker } = options;
  const plan = planBuild(options, await facts(), order, run.signal);
  reportPlan(plan, options, run.log);
  if (plan.platform !== null && plan.installation === "buildkit")
    reportForeign([plan.platform], await platformsOf(docker), run.log);
  const fetched = await Promise.all(plan.bases.map(({ reference, platform }) => bases.fetch(reference, platform, run)));
  const grant = options.intake.grant(order.id, { maxBytes: options.maxBytes ?? 20 * 2 ** 30 });
  const watch = await watchEngine(docker);
  try {
    const frozen = await whileItStands(async () => {
      await buildImage(docker, plan, grant, watch, run.log);
      failpoint("prepare.made");
      await requireLabels(docker, grant, order);
      return freezeBuiltImage(docker, grant, run.signal);
    });
    run.log.line(`Frozen as ${frozen.digest} (${(frozen.size / 1e6).toFixed(1)} MB).`);
    return { ...frozen, bases: fetched };
  } finally {
    watch.end();
    await grant.revoke();
    await removeTemporaryName(options, grant);
  }
}

/** What the engine's BuildKit can run, by itself or emulated. Empty: it does not say. */
async function platformsOf(docker: Dockerode): Promise<string[]> {
  try {
    const buildkit = await buildKitIn(docker);
    return (await askWorkers(buildkit.client).finally(() => buildkit.close())).platforms;
  } catch {
    return [];
  }
}

/** Builds again if another build removed the image. Every step is in the engine's cache by then. */
async function whileItStands<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work();
    } catch (caught) {
      const error = explainEngineError(caught);
      if (!(error instanceof TransientError) || error.code !== "image-vanished" || attempt === 5) throw error;
    }
  }
}

/** Requires this commit's labels on the built image: nobody may have put another image under its name. */
async function requireLabels(docker: Dockerode, grant: Grant, order: BuildOrder): Promise<void> {
  const { name, tag } = temporaryName(grant);
  const image = await docker.getImage(`${name}:${tag}`).inspect();
  const standing = image.Config.Labels ?? {};
  const wrong = Object.keys(order.labels).find((label) => standing[label] !== order.labels[label]);
  if (wrong === undefined) return;
  throw new TransientError(
    "built-other-commit",
    `The image in the engine has the label ${wrong}="${standing[wrong]}" instead of "${order.labels[wrong]}": ` +
      "it is the image of another commit. Find out what else tags images in this engine.",
  );
}

/** A failure is only logged: the name contains the build's id, so it cannot be taken for another build's. */
async function removeTemporaryName({ docker, log }: ImageBuilderOptions, grant: Grant): Promise<void> {
  const { name, tag } = temporaryName(grant);
  try {
    // The layers stay: they are the classic builder's cache.
    await docker.getImage(`${name}:${tag}`).remove({ noprune: true });
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return;
    log.warn("a temporary image name could not be removed", { image: `${name}:${tag}`, error });
  }
}
