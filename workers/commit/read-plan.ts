import { readPipeline } from "../../src/config/pipeline.ts";
import { describe, keyOf } from "../../src/config/problems.ts";
import type { ServerConfig } from "../../src/config/server.ts";
import type { Problem } from "../../src/config/yaml.ts";
import type { NameSpace } from "../../src/delivery/distinct-names.ts";
import { Refused, UserError } from "../../src/delivery/errors.ts";
import { planOf } from "../../src/delivery/plan.ts";
import {
  type ArtifactDraft,
  draftOf,
  type KnownRegistry,
  type PlanProblem,
  type PlanRules,
  planProblems,
} from "../../src/delivery/plan-problems.ts";
import type { ArtifactKind, Plan, Repo, RepoBounds, Sha } from "../../src/delivery/types.ts";
import type { Mirror } from "../../src/git/mirror.ts";
import { nameSpaceOf, registryTypes } from "../../src/registries/index.ts";

const PIPELINE_FILE = ".deliverd.yml";
const PIPELINE_MAX_BYTES = 64 * 1024;

export type PlanRead =
  | { kind: "plan"; plan: Plan }
  /** No pipeline file and no Dockerfile, or the file delivers nothing. */
  | { kind: "nothing"; because: string }
  /**
   * The pipeline file is wrong, or asks for what the server does not allow. `error` has a line for each of the first
   * problems.
   */
  | { kind: "bad"; error: UserError | Refused; problems: Problem[] };

/** What a pipeline file may ask for. */
type Rules = Omit<PlanRules, "repo">;

/** Gives the rules for a pipeline with these artifacts; null: an artifact that cannot be read. */
type RulesFor = (artifacts: readonly (ArtifactDraft | null)[]) => Promise<Rules>;

/** Reads the plan that the commit itself holds. */
export async function readPlan(
  config: Pick<ServerConfig, "registries">,
  repo: Repo,
  mirror: Pick<Mirror, "readFile">,
  sha: Sha,
  bounds: RepoBounds,
): Promise<PlanRead> {
  return readPlanBy(async (artifacts) => ({ bounds, registries: await knownRegistries(config, artifacts) }), {
    repo,
    mirror,
    sha,
  });
}

/** The same by rules of any origin. */
async function readPlanBy(
  rulesFor: RulesFor,
  { repo, mirror, sha }: { repo: Repo; mirror: Pick<Mirror, "readFile">; sha: Sha },
): Promise<PlanRead> {
  try {
    const text = await mirror.readFile(sha, PIPELINE_FILE, PIPELINE_MAX_BYTES);
    if (text === null) {
      const hasDockerfile = (await mirror.readFile(sha, "Dockerfile", 1024 * 1024)) !== null;
      return planned(planOf({ pipeline: null, hasDockerfile, repo, ...(await rulesFor(DEFAULT_ARTIFACTS)) }));
    }
    const read = readPipeline(text);
    const drafts = read.kind === "bad" ? read.drafts : read.pipeline.artifacts.map(draftOf);
    const rules = await rulesFor(drafts);
    const found = planProblems(drafts, read.kind === "bad" ? null : read.pipeline.gate, { repo, ...rules });
    if (read.kind === "bad" || found.length > 0)
      return bad(read.kind === "bad" ? read.problems : [], found, (path) => read.lineOf(path));
    return planned(planOf({ pipeline: read.pipeline, hasDockerfile: false, repo, ...rules }));
  } catch (error) {
    if (!(error instanceof UserError || error instanceof Refused)) throw error;
    return { kind: "bad", error, problems: [{ line: null, key: "", text: error.message }] };
  }
}

/** Without a pipeline there is one image. */
const DEFAULT_ARTIFACTS: readonly ArtifactDraft[] = [{ name: "", kind: "image", publish: [], secrets: [] }];

function planned(outcome: ReturnType<typeof planOf>): PlanRead {
  return "plan" in outcome ? { kind: "plan", plan: outcome.plan } : { kind: "nothing", because: outcome.ignored };
}

/** All problems in the order of the file. The first one decides what kind of error it is. */
function bad(ofFile: Problem[], ofPlan: PlanProblem[], lineOf: (path: PlanProblem["at"]) => number | null): PlanRead {
  const told = new Set(ofFile.map(({ key }) => key));
  const fromPlan = ofPlan
    .map(({ at, error }) => ({ line: lineOf(at), key: keyOf(at), text: error.message, error }))
    .filter(({ key }) => !told.has(key));
  const fromFile = ofFile.map((problem) => ({ ...problem, error: null }));
  const sorted = [...fromFile, ...fromPlan].sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  const problems = sorted.map(({ error: _, ...problem }) => problem);
  const message = describe(PIPELINE_FILE, problems);
  const first = sorted[0]?.error ?? null;
  const error =
    first instanceof Refused ? new Refused(first.code, message) : new UserError(first?.code ?? "bad-pipeline", message);
  return { kind: "bad", error, problems };
}

/** The registries of the server, as plans are checked by them. A place of a kind that is not used may need large code. */
async function knownRegistries(
  { registries }: Pick<ServerConfig, "registries">,
  artifacts: readonly (Pick<ArtifactDraft, "kind"> | null)[],
): Promise<Record<string, KnownRegistry>> {
  const used = new Set<ArtifactKind>(artifacts.flatMap((artifact) => (artifact === null ? [] : [artifact.kind])));
  const known = Object.entries(registries).map(async ([key, config]): Promise<[string, KnownRegistry]> => {
    const type = registryTypes.of(config);
    const kinds = type.kinds(config);
    const names = new Map<ArtifactKind, NameSpace>();
    for (const kind of kinds) if (used.has(kind)) names.set(kind, await nameSpaceOf(config, kind));
    const requireName: KnownRegistry["requireName"] = (name) => type.requireName?.(config, name);
    return [key, { type: config.type, isDefault: config.default, kinds, names, requireName }];
  });
  return Object.fromEntries(await Promise.all(known));
}
