import { boundedGate } from "./bounded-gate.ts";
import { Refused, UserError } from "./errors.ts";
import { draftOf, type KnownRegistry, planProblems } from "./plan-problems.ts";
import type { ArtifactPlan, Gate, Pipeline, Plan, Repo, RepoBounds } from "./types.ts";

export { matchRepo, watches } from "./bounds.ts";
export type { KnownRegistry } from "./plan-problems.ts";

export interface PlanOrder {
  /** The content of `.deliverd.yml`. Null: there is none. */
  pipeline: Pipeline | null;
  /** The root of the tree holds a `Dockerfile`. */
  hasDockerfile: boolean;
  repo: Pick<Repo, "owner" | "name" | "defaultBranch">;
  bounds: RepoBounds;
  /** By their keys under `registries`. */
  registries: Record<string, KnownRegistry>;
}

/** The gate if neither the pipeline nor the server says otherwise. Times in ms. */
export const DEFAULT_GATE: Gate = { ci: "required", required: [], apps: null, settle: 5_000, timeout: 6 * 3_600_000 };

/** The tags of an image if the pipeline gives none. */
export const DEFAULT_TAGS: readonly string[] = ["{version}", "{branch}", "sha-{shortSha}"];

/**
 * Checks a commit's pipeline against what the server allows. `ignored`: the repo has nothing to deliver.
 * @throws UserError for what the pipeline's author has to change, Refused for what the server does not allow
 */
export function planOf(order: PlanOrder): { plan: Plan } | { ignored: string } {
  const pipeline = order.pipeline ?? defaultPipeline(order);
  if (pipeline === null) return { ignored: "no .deliverd.yml and no Dockerfile at the root" };
  const [first, ...others] = planProblems(pipeline.artifacts.map(draftOf), pipeline.gate, order);
  if (first !== undefined)
    throw asOneError(
      first.error,
      others.map(({ error }) => error),
    );
  return {
    plan: {
      on: pipeline.on ?? { branches: [order.repo.defaultBranch], tags: ["v*"] },
      gate: boundedGate(pipeline.gate, order.bounds),
      supersede: pipeline.supersede,
      lfs: pipeline.lfs,
      artifacts: pipeline.artifacts,
      isDefault: order.pipeline === null,
    },
  };
}

/** Several problems in one error, a line each. The first decides its kind and code. */
function asOneError(first: UserError | Refused, others: Error[]): UserError | Refused {
  if (others.length === 0) return first;
  const message = [first, ...others].map((error) => error.message).join("\n");
  return first instanceof UserError ? new UserError(first.code, message) : new Refused(first.code, message);
}

function defaultPipeline({ hasDockerfile, repo, registries }: PlanOrder): Pipeline | null {
  if (!hasDockerfile) return null;
  const image: ArtifactPlan = {
    name: artifactNameOf(repo.name),
    kind: "image",
    dockerfile: "Dockerfile",
    context: ".",
    paths: [],
    platforms: [],
    args: {},
    target: null,
    labels: {},
    secrets: [],
    cache: true,
    build: null,
    files: [],
    publish: [{ to: defaultRegistry(registries), as: repositoryOf(repo), tags: [...DEFAULT_TAGS] }],
  };
  return { on: null, gate: DEFAULT_GATE, supersede: false, lfs: "warn", artifacts: [image] };
}

/** A repo's name may be no artifact's name: upper case, a leading dot, a hundred letters. */
function artifactNameOf(name: string): string {
  const plain = name.toLowerCase().replace(/^[^a-z0-9]+/, "");
  return plain === "" ? "image" : plain.slice(0, 63);
}

/** Hosts allow names that the OCI grammar forbids: a dot or dash at either end, several separators in a row. */
function repositoryOf(repo: Pick<Repo, "owner" | "name">): string {
  return `${repo.owner}/${repo.name}`
    .toLowerCase()
    .split("/")
    .map((part) => part.replace(/^[._-]+|[._-]+$/g, "").replace(/[._-]{2,}/g, "-"))
    .filter((part) => part !== "")
    .join("/");
}

function defaultRegistry(registries: PlanOrder["registries"]): string {
  const keys = Object.keys(registries).filter((key) => registries[key]?.kinds.includes("image"));
  const chosen = keys.filter((key) => registries[key]?.isDefault);
  const [only, ...others] = chosen.length > 0 ? chosen : keys;
  if (only !== undefined && others.length === 0) return only;
  throw new UserError(
    "no-default-registry",
    `there is no .deliverd.yml, and the server marks none of its registries (${keys.join(", ") || "none"}) as the default. ` +
      "Add a .deliverd.yml that names one, or ask for `default: true` in the server's configuration.",
  );
}
