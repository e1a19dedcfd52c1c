import { randomUUID } from "node:crypto";
import { type DockerfileFacts, readDockerfile } from "../../delivery/dockerfile/index.ts";
import { TransientError } from "../../delivery/errors.ts";
import { failpoint } from "../../observe/failpoints.ts";
import type { Run } from "../../run/run.ts";
import type { Grant, Intake } from "../../store/intake.ts";
import type { BaseImage, Builder, BuildOrder, Built } from "../builder.ts";
import type { BuildKit } from "../buildkit/connection.ts";
import { GrpcError, Status } from "../buildkit/grpc/status.ts";
import { authMethods } from "../buildkit/session/auth.ts";
import { fileSyncMethods } from "../buildkit/session/file-sync.ts";
import { secretMethods } from "../buildkit/session/secrets.ts";
import { uploadMethods } from "../buildkit/session/upload.ts";
import { solve } from "../buildkit/solve.ts";
import { askWorkers, type BuildKitFacts } from "../buildkit/workers.ts";
import type { Bases, RegistryAuth } from "../engine/bases.ts";
import { withDeadline } from "../engine/deadline.ts";
import { engineGone } from "../engine/errors.ts";
import { hasEngineStopped } from "../engine.ts";
import { BaseDigests } from "./base-digests.ts";
import { BuildLog } from "./build-log.ts";
import { dockerfilePlace, openEarly, sessionContext } from "./context.ts";
import { explainGrpcError, explainSolve } from "./explain-solve.ts";
import { temporaryName } from "./freeze.ts";
import { frontendAttributes } from "./frontend.ts";
import { reportForeign } from "./platforms.ts";

export interface BuildKitBuilderOptions {
  /** A new connection for each build: what ends it, ends its build. */
  connect(): Promise<BuildKit>;
  intake: Pick<Intake, "grant">;
  registryAuth: RegistryAuth;
  /** Fetches base images before a build, so that BuildKit finds them in its store. Left out: BuildKit pulls them. */
  bases?: Pick<Bases, "fetch">;
  /** `none` or `host`. Left out: BuildKit's own. */
  network?: string | undefined;
  /** Limit for what one build may add to the store, in bytes. Left out: 20 GiB. */
  maxBytes?: number | undefined;
}

/**
 * Builds images with a BuildKit that can push them by itself, for one platform or for several at once, and freezes them
 * through the intake.
 */
export function buildKitImageBuilder(options: BuildKitBuilderOptions): Builder<BuildOrder> {
  return {
    build: (order, run) => withDeadline(order.limits.time, run, (limited) => buildAndFreeze(options, order, limited)),
  };
}

async function buildAndFreeze(options: BuildKitBuilderOptions, order: BuildOrder, run: Run): Promise<Built> {
  const tree = openEarly(order.openContext);
  try {
    const buildkit = await options.connect();
    try {
      const facts = await askWorkers(buildkit.client, run.signal);
      const plan = planSolve(options, facts, { ...order, openContext: tree.open });
      report(facts, plan, run);
      return await freeze(options, buildkit, plan, run);
    } finally {
      buildkit.close();
    }
  } catch (error) {
    throw error instanceof GrpcError ? explainGrpcError(error) : error;
  } finally {
    tree.end();
  }
}

/** Everything that a build needs. */
interface SolvePlan {
  order: BuildOrder;
  platforms: string[];
  dockerfile: DockerfileFacts;
  network: string | null;
  resolveMode: "pull" | "local";
}

/** @throws UserError `dockerfile-invalid`, TransientError `engine-failed` if BuildKit has no worker */
function planSolve(options: BuildKitBuilderOptions, facts: BuildKitFacts, order: BuildOrder): SolvePlan {
  const { platforms, target, dockerfile: file } = order.artifact;
  const [own] = facts.platforms;
  if (own === undefined) throw new TransientError("engine-failed", "BuildKit has no worker. Read its log.");
  const [platform = own] = platforms;
  return {
    order,
    // In one order, so that the same images give the same index.
    platforms: platforms.length === 0 ? [own] : platforms.toSorted(),
    dockerfile: readDockerfile(order.dockerfile, {
      ...{ file, args: order.args, target, platform, buildPlatform: own, everyStage: false },
    }),
    network: options.network ?? null,
    // A pull gives the newest image of a tag. Bases that were fetched are that already.
    resolveMode: options.bases === undefined ? "pull" : "local",
  };
}

function report(facts: BuildKitFacts, { order, platforms }: SolvePlan, { log }: Run): void {
  const several = platforms.length > 1 ? ` for ${platforms.join(", ")}` : "";
  log.line(`Building with BuildKit${facts.version === null ? "" : ` ${facts.version}`}${several}.`);
  const { memoryBytes, cpus } = order.limits;
  reportForeign(platforms, facts.platforms, log);
  if (memoryBytes || cpus) log.line("BuildKit ignores the memory and CPU limits that are set.");
}

/** Every build has a repository of its own in the intake, and BuildKit the right to push into that one only. */
async function freeze(
  { intake, registryAuth, maxBytes, bases: store }: BuildKitBuilderOptions,
  buildkit: BuildKit,
  plan: SolvePlan,
  run: Run,
): Promise<Built> {
  const fetched = store === undefined ? null : await fetchBases(store, plan, run);
  const grant = intake.grant(plan.order.id, { maxBytes: maxBytes ?? 20 * 2 ** 30 });
  const logins: RegistryAuth = (host) => (host === grant.host ? grant : registryAuth(host));
  const bases = new BaseDigests();
  try {
    await solveImage(buildkit, plan, grant, logins, bases, run);
    failpoint("prepare.made");
    const pushed = grant.pushed(temporaryName(grant).tag);
    if (pushed === null) throw new TransientError("freeze-failed", "BuildKit ended a build without pushing its image.");
    run.log.line(`Frozen as ${pushed.digest} (${(pushed.size / 1e6).toFixed(1)} MB).`);
    const { digest, mediaType, size } = pushed;
    return { digest, mediaType, size, bases: fetched ?? bases.of(plan.dockerfile.images) };
  } finally {
    await grant.revoke();
  }
}

/** Every platform has its own image of a base, and may need other bases. */
async function fetchBases(
  bases: Pick<Bases, "fetch">,
  { order, platforms }: SolvePlan,
  run: Run,
): Promise<BaseImage[]> {
  const { target, dockerfile: file } = order.artifact;
  const [own = ""] = platforms;
  const needed = new Map<string, [reference: string, platform: string]>();
  for (const platform of platforms) {
    const options = { file, args: order.args, target, platform, buildPlatform: own, everyStage: false };
    for (const base of readDockerfile(order.dockerfile, options).images) {
      const its = base.platform ?? platform;
      needed.set(`${base.reference} ${its}`, [base.reference, its]);
    }
  }
  const found = await Promise.all(
    [...needed.values()].map(([reference, platform]) => bases.fetch(reference, platform, run)),
  );
  return found.filter((one, at) => found.findIndex(({ reference }) => reference === one.reference) === at);
}

async function solveImage(
  buildkit: BuildKit,
  plan: SolvePlan,
  grant: Grant,
  logins: RegistryAuth,
  bases: BaseDigests,
  run: Run,
): Promise<void> {
  const { order, dockerfile } = plan;
  const log = new BuildLog(run.log);
  const { files, broken, dockerfile: apart } = sessionContext(order);
  const session = await buildkit.openSession({
    ...authMethods(logins),
    ...secretMethods(order.secrets),
    ...(order.dockerfileApart ? fileSyncMethods(files) : uploadMethods(files.openContext)),
  });
  const paths = order.dockerfileApart
    ? { contextUrl: null, dockerfile: apart }
    : { contextUrl: `http://buildkit-session/${randomUUID()}`, dockerfile: dockerfilePlace(order).place };
  const { name, tag } = temporaryName(grant);
  // Docker would keep the image under that name.
  const keep = { push: "true", store: "false" };
  const attrs = { name: `${name}:${tag}`, ...keep, "registry.insecure": "true", "oci-mediatypes": "true" };
  try {
    await solve(
      buildkit.client,
      {
        session: session.id,
        attrs: frontendAttributes(order, dockerfile, paths, plan),
        exporter: { type: "image", attrs },
        entitlements: plan.network === "host" ? ["network.host"] : [],
      },
      (trace) => {
        bases.hear(trace);
        log.hear({ trace });
      },
      AbortSignal.any([run.signal, broken]),
    );
    log.end();
  } catch (error) {
    if (!(error instanceof GrpcError)) throw error;
    // A broken context breaks the build too, and its error says more. So does a push that was refused as too large.
    broken.throwIfAborted();
    grant.pushed(tag);
    // An error that is too large to be sent is still told as that of its step.
    log.hear({ error: (error.code === Status.internal ? log.stepError : null) ?? error.message });
    const failure = log.end();
    // An engine that stops kills its steps first, and reports that like any failure of a step.
    const { client } = buildkit;
    if (failure?.exitCode && (await hasEngineStopped(client, failure.exitCode))) throw engineGone(error);
    throw explainSolve(error, failure, { ...plan, host: grant.host, hasLogin: (host) => logins(host) !== null });
  } finally {
    session.close();
  }
}
