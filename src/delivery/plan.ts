import { didYouMean } from "./did-you-mean.ts";
import { type NameSpace, requireDistinctNames } from "./distinct-names.ts";
import { Refused, UserError } from "./errors.ts";
import { checkTemplates } from "./names.ts";
import type { ArtifactKind, ArtifactPlan, Gate, Pipeline, Plan, Repo, RepoBounds } from "./types.ts";
import { checkAs } from "./version-names.ts";

export { matchRepo, watches } from "./bounds.ts";

export interface KnownRegistry {
  /** As in the server configuration: `oci`, `docker-hub`, … */
  type: string;
  isDefault: boolean;
  /** Which kinds of artifacts it takes. */
  kinds: readonly ArtifactKind[];
  /** By the kinds that are in the pipeline and that it takes. */
  names: ReadonlyMap<ArtifactKind, NameSpace>;
}

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
  const artifacts = pipeline.artifacts.map((artifact) => checked(artifact, order));
  requireDistinctNames(artifacts, order.repo, (to, kind) => nameSpaceOf(order, to, kind));
  return {
    plan: {
      on: pipeline.on ?? { branches: [order.repo.defaultBranch], tags: ["v*"] },
      gate: boundedGate(pipeline.gate, order.bounds),
      supersede: pipeline.supersede,
      artifacts,
      isDefault: order.pipeline === null,
    },
  };
}

function nameSpaceOf({ registries }: PlanOrder, key: string, kind: ArtifactKind): NameSpace {
  const found = registries[key]?.names.get(kind);
  if (found === undefined) throw new TypeError(`${key} has no names of kind ${kind}`);
  return found;
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
    build: null,
    files: [],
    publish: [{ to: defaultRegistry(registries), as: repositoryOf(repo), tags: [...DEFAULT_TAGS] }],
  };
  return { on: null, gate: DEFAULT_GATE, supersede: false, artifacts: [image] };
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
    `there is no .deliverd.yml, and the server marks none of its registries (${list(keys)}) as the default. ` +
      "Add a .deliverd.yml that names one, or ask for `default: true` in the server's configuration.",
  );
}

/** Adds the server's checks to the pipeline's, also if the pipeline asks for no CI. */
function boundedGate(gate: Gate, bounds: RepoBounds): Gate {
  if (bounds.ci === null) return gate;
  const required = [...new Set([...bounds.ci.required, ...gate.required])];
  return { ...gate, ci: "required", required, apps: boundedApps(gate.apps, bounds) };
}

function boundedApps(own: string[] | null, { ci, match }: RepoBounds): string[] | null {
  const allowed = ci?.apps ?? null;
  if (own === null || allowed === null) return own ?? allowed;
  const both = own.filter((app) => allowed.includes(app));
  if (both.length > 0) return both;
  throw new Refused(
    "check-apps-not-allowed",
    `ci.apps in the pipeline trusts only ${list(own)}, but for ${match} the server trusts only ${list(allowed)}. ` +
      "Use one of these, or ask the administrator.",
  );
}

function checked(artifact: ArtifactPlan, order: PlanOrder): ArtifactPlan {
  for (const destination of artifact.publish) {
    checkRegistry(destination.to, artifact, order);
    if (artifact.kind === "image") checkTemplates(destination);
    else checkAs(destination);
  }
  checkSecrets(artifact, order.bounds);
  return artifact;
}

function checkSecrets({ name, build }: ArtifactPlan, bounds: RepoBounds): void {
  const missing = (build?.secrets ?? []).filter((secret) => !Object.hasOwn(bounds.secrets, secret));
  if (missing.length === 0) return;
  throw new Refused(
    "secret-not-granted",
    `artifact "${name}" asks in build.secrets for ${list(missing)}, which the server does not grant ${bounds.match}. ` +
      `It grants: ${list(Object.keys(bounds.secrets))}. Ask the administrator to add it to the secrets under repos.`,
  );
}

function checkRegistry(key: string, { name: artifact, kind }: ArtifactPlan, { registries, bounds }: PlanOrder): void {
  const known = Object.keys(registries);
  const registry = Object.hasOwn(registries, key) ? registries[key] : undefined;
  if (registry === undefined) {
    throw new UserError(
      "unknown-registry",
      `artifact "${artifact}" goes to "${key}", but this server has no such registry${didYouMean(key, known)}. ` +
        `Known are ${list(known)}.`,
    );
  }
  if (bounds.registries !== null && !bounds.registries.includes(key)) {
    throw new Refused(
      "registry-not-allowed",
      `artifact "${artifact}" goes to "${key}", but the server allows ${bounds.match} only ${list(bounds.registries)}.`,
    );
  }
  if (!registry.kinds.includes(kind)) {
    throw new UserError(
      "registry-takes-no-such-kind",
      `artifact "${artifact}" is of kind ${kind}, but "${key}" (${registry.type}) takes only ` +
        `${list([...registry.kinds])} on this server.`,
    );
  }
}

function list(keys: string[]): string {
  return keys.length === 0 ? "none" : keys.join(", ");
}
