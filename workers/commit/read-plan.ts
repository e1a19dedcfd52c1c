import { readPipeline } from "../../src/config/pipeline.ts";
import { describe } from "../../src/config/problems.ts";
import type { ServerConfig } from "../../src/config/server.ts";
import { keyOf, type Problem } from "../../src/config/yaml.ts";
import type { NameSpace } from "../../src/delivery/distinct-names.ts";
import { Refused, UserError } from "../../src/delivery/errors.ts";
import { type PlanOrder, planOf } from "../../src/delivery/plan.ts";
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

export const PIPELINE_FILE = ".deliverd.yml";
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
export type Rules = Omit<PlanRules, "repo">;

/** Gives the rules for a pipeline with these artifacts; null: an artifact that cannot be read. */
export type RulesFor = (artifacts: readonly (ArtifactDraft | null)[]) => Promise<Rules>;

/** A plan, and what it was read from. */
export interface PlanReading {
  read: PlanRead;
  rules: Rules;
  /** What can be read of the artifacts, also if the plan is bad. Null: nothing of that one. */
  drafts: readonly (ArtifactDraft | null)[];
  /** The line of a value in the pipeline file. Null: there is no file. */
  lineOf(path: PlanProblem["at"]): number | null;
}

/** Reads the plan that the commit itself holds. */
export async function readPlan(
  config: Pick<ServerConfig, "registries">,
  repo: Repo,
  mirror: Pick<Mirror, "readFile">,
  sha: Sha,
  bounds: RepoBounds,
): Promise<PlanRead> {
  try {
    const rulesFor: RulesFor = async (drafts) => ({ bounds, registries: await knownRegistries(config, drafts) });
    return (await readPlanBy(rulesFor, { repo, mirror, sha })).read;
  } catch (error) {
    if (error instanceof UserError || error instanceof Refused) return badForOne(error);
    throw error;
  }
}

/** The same by rules of any origin. @throws UserError if the file cannot be read */
export async function readPlanBy(
  rulesFor: RulesFor,
  { repo, mirror, sha }: { repo: Repo; mirror: Pick<Mirror, "readFile">; sha: Sha },
): Promise<PlanReading> {
  const text = await readPipelineText(mirror, sha);
  if (text === null) {
    const hasDockerfile = (await mirror.readFile(sha, "Dockerfile", 1024 * 1024)) !== null;
    const rules = await rulesFor([DEFAULT_ARTIFACT]);
    const read = plannedOf({ pipeline: null, hasDockerfile, repo, ...rules });
    const drafts = read.kind === "plan" ? read.plan.artifacts.map(draftOf) : [];
    return { read, rules, drafts, lineOf: () => null };
  }
  const file = readPipeline(text);
  const lineOf = (path: PlanProblem["at"]) => file.lineOf(path);
  const drafts = file.kind === "bad" ? file.drafts : file.pipeline.artifacts.map(draftOf);
  const rules = await rulesFor(drafts);
  const found = planProblems(drafts, file.kind === "bad" ? null : file.pipeline.gate, { repo, ...rules });
  const read =
    file.kind === "bad" || found.length > 0
      ? badFor(file.kind === "bad" ? file.problems : [], found, lineOf)
      : plannedOf({ pipeline: file.pipeline, hasDockerfile: false, repo, ...rules });
  return { read, rules, drafts, lineOf };
}

/** The pipeline file at the commit. Null: there is none. */
export function readPipelineText(mirror: Pick<Mirror, "readFile">, sha: Sha): Promise<string | null> {
  return mirror.readFile(sha, PIPELINE_FILE, PIPELINE_MAX_BYTES);
}

/** Without a pipeline there is one image. */
const DEFAULT_ARTIFACT: ArtifactDraft = {
  ...{ name: "", kind: "image", dockerfile: "Dockerfile", context: "." },
  ...{ paths: [], args: {}, target: null, publish: [], secrets: [] },
};

function plannedOf(order: PlanOrder): PlanRead {
  try {
    const outcome = planOf(order);
    return "plan" in outcome ? { kind: "plan", plan: outcome.plan } : { kind: "nothing", because: outcome.ignored };
  } catch (error) {
    if (error instanceof UserError || error instanceof Refused) return badForOne(error);
    throw error;
  }
}

function badForOne(error: UserError | Refused): PlanRead {
  return { kind: "bad", error, problems: [{ line: null, key: "", text: error.message }] };
}

/** All problems in the order of the file. The first one decides what kind of error it is. */
function badFor(
  ofFile: Problem[],
  ofPlan: PlanProblem[],
  lineOf: (path: PlanProblem["at"]) => number | null,
): PlanRead {
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
export async function knownRegistries(
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
