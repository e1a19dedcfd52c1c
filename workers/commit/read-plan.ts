import { parsePipeline } from "../../src/config/pipeline.ts";
import type { ServerConfig } from "../../src/config/server.ts";
import { Refused, UserError } from "../../src/delivery/errors.ts";
import { planOf } from "../../src/delivery/plan.ts";
import type { Plan, Repo, RepoBounds, Sha } from "../../src/delivery/types.ts";
import type { Mirror } from "../../src/git/mirror.ts";
import { registryTypes } from "../../src/registries/index.ts";

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
    const planned = planOf({ pipeline, hasDockerfile, repo, bounds, registries: knownRegistries(config) });
    return "plan" in planned ? { kind: "plan", plan: planned.plan } : { kind: "nothing", because: planned.ignored };
  } catch (error) {
    if (error instanceof UserError || error instanceof Refused) return { kind: "bad", error };
    throw error;
  }
}

function knownRegistries({ registries }: Pick<ServerConfig, "registries">) {
  return Object.fromEntries(
    Object.entries(registries).map(([key, config]) => [
      key,
      { type: config.type, isDefault: config.default, kinds: registryTypes.of(config).kinds(config) },
    ]),
  );
}
