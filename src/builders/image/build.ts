import { Readable } from "node:stream";
import type Dockerode from "dockerode";
import { TransientError } from "../../delivery/errors.ts";
import type { RunLog } from "../../run/run.ts";
import type { Grant } from "../../store/intake.ts";
import type { BuildOrder } from "../builder.ts";
import type { Session } from "../buildkit/connection.ts";
import { openDockerSession } from "../buildkit/docker.ts";
import type { Methods } from "../buildkit/grpc/server.ts";
import { fileSyncMethods } from "../buildkit/session/file-sync.ts";
import { secretMethods } from "../buildkit/session/secrets.ts";
import { type BuildFailure, explainFailure } from "../engine/build-failure.ts";
import { engineAnswer, engineGone } from "../engine/errors.ts";
import { readMessages } from "../engine/messages.ts";
import { type EngineWatch, hasEngineStopped } from "../engine.ts";
import { declaredArgs } from "./args.ts";
import { BuildLog } from "./build-log.ts";
import { type Context, openContext, sessionContext } from "./context.ts";
import { temporaryName } from "./freeze.ts";
import type { BuildPlan } from "./plan.ts";

/**
 * Lets the engine build the image under its temporary name.
 * @throws UserError `build-failed`, TransientError `engine-failed`, `engine-gone`, `disk-full`, `image-vanished`, and
 *   the error that broke the context
 */
export async function buildImage(
  docker: Dockerode,
  plan: BuildPlan,
  grant: Grant,
  watch: EngineWatch,
  runLog: RunLog,
): Promise<void> {
  const log = new BuildLog(runLog);
  await send(docker, plan, grant, log);
  const failure = log.end();
  if (failure) throw await sortOut(failure, plan, watch);
  // An answer without an image id was cut off.
  if (log.imageId === null) throw engineGone();
}

async function send(docker: Dockerode, plan: BuildPlan, grant: Grant, log: BuildLog): Promise<void> {
  const { installation, order } = plan;
  const bySession = installation === "buildkit" && order.dockerfileApart;
  const context = bySession ? sessionContext(order) : await openContext(order);
  let session: Session | null = null;
  try {
    if (installation === "buildkit") session = await openDockerSession(docker, offered(order, context));
    // `_query` is an option of docker-modem. With `version` among the options, dockerode would open its own session.
    const options = {
      abortSignal: AbortSignal.any([plan.signal, context.broken]),
      _query: query(plan, grant, context, session?.id),
    };
    const answer = await docker.buildImage(context.stream ?? Readable.from([]), options);
    for await (const message of readMessages(answer)) log.hear(message);
  } catch (error) {
    // A broken context breaks the request too, and its error says more.
    context.broken.throwIfAborted();
    const message = engineAnswer(error);
    if (message === null) throw error;
    // The engine refuses some Dockerfiles at once, for example for an unknown instruction.
    throw explainFailure({ message, step: null, exitCode: null, tail: [] }, plan.dockerfile, plan.order.limits);
  } finally {
    context.stream?.destroy();
    session?.close();
  }
}

/** What the engine may ask for during a build. */
function offered({ secrets }: BuildOrder, { files }: Context): Methods {
  return { ...secretMethods(secrets), ...(files === null ? {} : fileSyncMethods(files)) };
}

function query(plan: BuildPlan, grant: Grant, context: Context, session: string | undefined): Record<string, unknown> {
  const { order } = plan;
  const { name, tag } = temporaryName(grant);
  return {
    t: `${name}:${tag}`,
    dockerfile: context.dockerfile,
    ...(context.files === null ? {} : { remote: "client-session" }),
    buildargs: declaredArgs(order, plan.dockerfile),
    labels: order.labels,
    ...(plan.dockerfile.target === null ? {} : { target: plan.dockerfile.target }),
    ...(order.artifact.cache ? {} : { nocache: true }),
    rm: true,
    forcerm: true,
    ...(session === undefined ? {} : { version: "2", session }),
    ...(plan.network === null ? {} : { networkmode: plan.network }),
    ...(plan.platform === null ? {} : { platform: plan.platform }),
    ...(plan.installation === "classic" ? limits(plan) : {}),
  };
}

function limits({ order: { limits } }: BuildPlan): Record<string, number> {
  const period = 100_000;
  return {
    // The limit of memory and swap together. Equal limits mean no swap.
    ...(limits.memoryBytes ? { memory: limits.memoryBytes, memswap: limits.memoryBytes } : {}),
    ...(limits.cpus ? { cpuperiod: period, cpuquota: Math.round(limits.cpus * period) } : {}),
  };
}

async function sortOut(failure: BuildFailure, plan: BuildPlan, watch: EngineWatch): Promise<Error> {
  const error = explainFailure(failure, plan.dockerfile, plan.order.limits);
  const mayBeItsEnd = failure.exitCode !== null || error instanceof TransientError;
  if (mayBeItsEnd && (await hasEngineStopped(watch, failure.exitCode ?? 0))) return engineGone();
  return error;
}
