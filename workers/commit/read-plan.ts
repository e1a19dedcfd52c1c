import { parsePipeline } from "../../src/config/pipeline.ts";
import type { ServerConfig } from "../../src/config/server.ts";
import type { NameSpace } from "../../src/delivery/distinct-names.ts";
import { Refused, UserError } from "../../src/delivery/errors.ts";
import { type KnownRegistry, planOf } from "../../src/delivery/plan.ts";
import type { ArtifactKind, Pipeline, Plan, Repo, RepoBounds, Sha } from "../../src/delivery/types.ts";
import type { Mirror } from "../../src/git/mirror.ts";
import { nameSpaceOf, registryTypes } from "../../src/registries/index.ts";

const PIPELINE_FILE = ".deliverd.yml";
const PIPELINE_MAX_BYTES = 64 * 1024;

export type PlanRead =
  | { kind: "plan"; plan: Plan }
  /** No pipeline file and no Dockerfile, or the file delivers nothing. */
  | { kind: "nothing"; because: string }
  /** The pipeline file is wrong, or asks for what the server does not allow. */
  | { kind: "bad"; error: UserError | Refused };

/** Reads the plan that the commit itself holds. */
export async function readPlan(
  config: Pick<ServerConfig, "registries">,
  repo: Repo,
  mirror: Pick<Mirror, "readFile">,
  sha: Sha,
  bounds: RepoBounds,
): Promise<PlanRead> {
  try {
    const text = await mirror.readFile(sha, PIPELINE_FILE, PIPELINE_MAX_BYTES);
    const hasDockerfile = text === null && (await mirror.readFile(sha, "Dockerfile", 1024 * 1024)) !== null;
    const pipeline = text === null ? null : parsePipeline(text, PIPELINE_FILE);
    const planned = planOf({
      pipeline,
      hasDockerfile,
      repo,
      bounds,
      registries: await knownRegistries(config, pipeline),
    });
    return "plan" in planned ? { kind: "plan", plan: planned.plan } : { kind: "nothing", because: planned.ignored };
  } catch (error) {
    if (error instanceof UserError || error instanceof Refused) return { kind: "bad", error };
    throw error;
  }
}

async function knownRegistries(
  { registries }: Pick<ServerConfig, "registries">,
  pipeline: Pipeline | null,
): Promise<Record<string, KnownRegistry>> {
  // Without a pipeline there is one image. A place of another kind may need large code.
  const used = new Set<ArtifactKind>(pipeline?.artifacts.map(({ kind }) => kind) ?? ["image"]);
  const known = Object.entries(registries).map(async ([key, config]): Promise<[string, KnownRegistry]> => {
    const kinds = registryTypes.of(config).kinds(config);
    const names = new Map<ArtifactKind, NameSpace>();
    for (const kind of kinds) if (used.has(kind)) names.set(kind, await nameSpaceOf(config, kind));
    return [key, { type: config.type, isDefault: config.default, kinds, names }];
  });
  return Object.fromEntries(await Promise.all(known));
}
