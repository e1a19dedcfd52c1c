import { PassThrough, pipeline } from "node:stream";
import type Dockerode from "dockerode";
import { failpoint } from "../observe/failpoints.ts";
import type { Log } from "../observe/log.ts";
import type { Run } from "../run/run.ts";
import { freezeFiles } from "../store/files.ts";
import type { Store } from "../store/store.ts";
import type { Builder, Built, CacheUses, FilesOrder } from "./builder.ts";
import type { RegistryAuth } from "./engine/bases.ts";
import { withDeadline } from "./engine/deadline.ts";
import { type KnownEngine, knownEngine } from "./engine/known-engine.ts";
import { type EngineFacts, watchEngine } from "./engine.ts";
import { WORKSPACE } from "./files/caches.ts";
import { collectOutputs } from "./files/collect.ts";
import { makeContainer } from "./files/container.ts";
import { identifyPackage } from "./files/identity.ts";
import { runCommands } from "./files/run-commands.ts";

export interface FilesBuilderOptions {
  docker: Dockerode;
  store: Store;
  log: Log;
  registryAuth: RegistryAuth;
  cacheUses: CacheUses;
  /** Docker's network mode. Left out: the engine's default, or none if the engine has no bridge network. */
  network?: string | undefined;
  /** Limit for all files of one build together, in bytes. Left out: 20 GiB. */
  maxBytes?: number | undefined;
}

const MAX_FILES = 1000;

/** Runs the commands of a pipeline in a container, and freezes the files that they make. */
export function filesBuilder(options: FilesBuilderOptions): Builder<FilesOrder> {
  const engine = knownEngine(options.docker, options.registryAuth);
  return {
    build: (order, run) =>
      withDeadline(order.limits.time, run, (limited) => buildAndFreeze(options, engine, order, limited)),
  };
}

async function buildAndFreeze(
  options: FilesBuilderOptions,
  engine: KnownEngine,
  order: FilesOrder,
  run: Run,
): Promise<Built> {
  const { docker, store } = options;
  const { artifact } = order;
  const facts = await engine.facts();
  const network = networkOf(options, facts, order, run);
  const base = await engine.bases.fetch(artifact.build.image, null, run);
  const watch = await watchEngine(docker);
  let container: Dockerode.Container | null = null;
  try {
    container = await makeContainer(options, order, network, facts.cpus);
    run.signal.throwIfAborted();
    await putTree(container, order, run);
    await runCommands(docker, container, order, watch, run);
    failpoint("prepare.made");
    const limits = { maxBytes: options.maxBytes ?? 20 * 2 ** 30, maxFiles: MAX_FILES };
    const frozen = await freezeFiles(store, await collectOutputs(container, artifact, store, limits, run));
    const identity = await identifyPackage(store, artifact, frozen.files, order.environment);
    run.log.line(`Frozen as ${frozen.digest} (${(frozen.size / 1e6).toFixed(1)} MB).`);
    return { ...frozen, ...(identity === null ? {} : { package: identity }), bases: [base] };
  } finally {
    watch.end();
    if (container !== null) await remove(options, container);
  }
}

function networkOf(
  options: FilesBuilderOptions,
  facts: EngineFacts,
  { artifact }: FilesOrder,
  run: Run,
): string | null {
  if (!artifact.build.network) return "none";
  if (options.network !== undefined) return options.network;
  if (facts.bridge) return null;
  run.log.line("The engine has no bridge network: the commands of this build have no network.");
  return "none";
}

async function putTree(container: Dockerode.Container, order: FilesOrder, run: Run): Promise<void> {
  const tree = await order.openTree();
  const stream = new PassThrough();
  const broken = new AbortController();
  // The tar flows from the start, and if it breaks, the request is aborted.
  pipeline(tree, stream, (error) => error && broken.abort(error));
  try {
    const abortSignal = AbortSignal.any([run.signal, broken.signal]);
    await container.putArchive(stream, { path: WORKSPACE, abortSignal });
  } catch (error) {
    broken.signal.throwIfAborted();
    throw error;
  } finally {
    stream.destroy();
  }
}

/** A failure is only logged: the container has the build's id, and a later sweep removes it. */
async function remove({ log }: FilesBuilderOptions, container: Dockerode.Container): Promise<void> {
  try {
    await container.remove({ force: true, v: true });
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode === 404) return;
    log.warn("a build's container could not be removed", { container: container.id, error });
  }
}
