import { boundedGate } from "./bounded-gate.ts";
import { didYouMean } from "./did-you-mean.ts";
import { findSharedNames, type NameSpace, SAMPLE, type SoundDestination } from "./distinct-names.ts";
import { Refused, UserError } from "./errors.ts";
import { checkTemplates, renderings } from "./names.ts";
import { requirePackageName } from "./package-names.ts";
import { quoted } from "./printable.ts";
import type { ArtifactKind, ArtifactName, ArtifactPlan, Destination, Gate, Repo, RepoBounds } from "./types.ts";
import { checkAs, versionNames } from "./version-names.ts";

/** A registry, as far as a plan is checked by it. */
export interface KnownRegistry {
  /** As in the server configuration: `oci`, `docker-hub`, … */
  type: string;
  isDefault: boolean;
  /** Which kinds of artifacts it takes. */
  kinds: readonly ArtifactKind[];
  /** By the kinds that are in the pipeline and that it takes. */
  names: ReadonlyMap<ArtifactKind, NameSpace>;
  /** @throws Refused `name-invalid` for a name that it does not take. Left out: it takes every name of the kind */
  requireName?: ((name: ArtifactName) => void) | undefined;
}

/** As much of an artifact as is checked before anything is built. */
export interface ArtifactDraft extends Pick<ArtifactPlan, "name" | "kind" | "paths" | "args" | "target"> {
  /** Null: it could not be read. */
  dockerfile: string | null;
  context: string | null;
  /** Null: a destination that could not be read. */
  publish: (Destination | null)[];
  /** Names of the secrets that its build asks for. */
  secrets: string[];
}

/** Where a value is in the pipeline file: keys and indices from the root. */
export type PipelinePath = readonly (string | number)[];

export interface PlanProblem {
  at: PipelinePath;
  error: UserError | Refused;
}

/** What a plan is checked against. */
export interface PlanRules {
  repo: Pick<Repo, "owner" | "name">;
  bounds: RepoBounds;
  /** By their keys under `registries`. */
  registries: Record<string, KnownRegistry>;
}

export function draftOf({ build, secrets, ...artifact }: ArtifactPlan): ArtifactDraft {
  return { ...artifact, secrets: build?.secrets ?? secrets };
}

/**
 * Everything for which the plan of these artifacts is refused, in the order of the file.
 * @param artifacts null: an artifact that could not be read
 * @param gate null: the gate could not be read
 */
export function planProblems(
  artifacts: readonly (ArtifactDraft | null)[],
  gate: Gate | null,
  rules: PlanRules,
): PlanProblem[] {
  const problems: PlanProblem[] = [];
  if (gate !== null) collect(problems, ["ci", "apps"], () => boundedGate(gate, rules.bounds));
  const sound = artifacts.map((artifact, index) =>
    artifact === null ? null : { ...artifact, publish: soundDestinations(problems, artifact, index, rules) },
  );
  problems.push(...findSharedNames(sound, rules.repo, (to, kind) => nameSpaceOf(rules, to, kind)));
  return problems.sort((a, b) => indexOf(a) - indexOf(b));
}

/** Errors of the artifacts come in their order, after those of the gate. */
function indexOf({ at: [key, index] }: PlanProblem): number {
  return key === "artifacts" && typeof index === "number" ? index : -1;
}

/** Runs a check, and notes what it throws. @returns whether it threw nothing */
function collect(problems: PlanProblem[], at: PipelinePath, check: () => void): boolean {
  try {
    check();
    return true;
  } catch (error) {
    if (!(error instanceof UserError || error instanceof Refused)) throw error;
    problems.push({ at, error });
    return false;
  }
}

/** The destinations of an artifact, in their places; null where a problem was found. */
function soundDestinations(
  problems: PlanProblem[],
  artifact: ArtifactDraft,
  index: number,
  rules: PlanRules,
): (SoundDestination | null)[] {
  const sound = artifact.publish.map((destination, place): SoundDestination | null => {
    if (destination === null) return null;
    const at = ["artifacts", index, "publish", place];
    const isKnown = collect(problems, [...at, "to"], () => checkRegistry(destination.to, artifact, rules));
    const tags = checkNames(problems, at, destination, artifact.kind);
    if (!isKnown || tags === null) return null;
    const named = { ...destination, tags: tags.filter((tag) => tag !== null) };
    const isTaken = collect(problems, [...at, "as"], () => requireNames(named, artifact, rules));
    return isTaken ? { ...destination, tags } : null;
  });
  const secrets = artifact.kind === "image" ? ["secrets"] : ["build", "secrets"];
  collect(problems, ["artifacts", index, ...secrets], () => checkSecrets(artifact, secrets.join("."), rules.bounds));
  return sound;
}

/** @returns the tags that are right, in their places; null if `as` is not */
function checkNames(
  problems: PlanProblem[],
  at: PipelinePath,
  destination: Destination,
  kind: ArtifactKind,
): (string | null)[] | null {
  if (kind !== "image") return collect(problems, [...at, "as"], () => checkAs(destination)) ? [] : null;
  // With any tag, so that a problem of `as` is told once, and at `as`.
  const isRight = collect(problems, [...at, "as"], () => checkTemplates({ ...destination, tags: ["any"] }));
  const { as } = isRight ? destination : { as: "any" };
  const tags = destination.tags.map((tag, place) =>
    collect(problems, [...at, "tags", place], () => checkTemplates({ ...destination, as, tags: [tag] })) ? tag : null,
  );
  return isRight ? tags : null;
}

/** Requires that the registry takes the names of a destination. What a package calls itself is not known yet. */
function requireNames(destination: Destination, { name: artifact, kind }: ArtifactDraft, rules: PlanRules): void {
  const { owner, name: repo } = rules.repo;
  const facts = { ...SAMPLE, owner, repo, artifact };
  const { shelving } = nameSpaceOf(rules, destination.to, kind);
  const names =
    kind === "image"
      ? renderings(destination, facts).map(({ name }) => name)
      : destination.as === null && kind !== "ami" && shelving === "package"
        ? []
        : versionNames(kind, shelving, destination, facts, null);
  for (const name of names) {
    if (shelving === "package") requirePackageName(kind, name.repository);
    rules.registries[destination.to]?.requireName?.(name);
  }
}

function nameSpaceOf({ registries }: PlanRules, key: string, kind: ArtifactKind): NameSpace {
  const found = registries[key]?.names.get(kind);
  if (found === undefined) throw new TypeError(`${key} has no names of kind ${kind}`);
  return found;
}

function checkSecrets({ name, secrets }: ArtifactDraft, key: string, bounds: RepoBounds): void {
  const missing = secrets.filter((secret) => !Object.hasOwn(bounds.secrets, secret));
  if (missing.length === 0) return;
  throw new Refused(
    "secret-not-granted",
    `artifact ${quoted(name)} asks in ${key} for ${list(missing)}, which the server does not grant ${bounds.match}. ` +
      `It grants: ${list(Object.keys(bounds.secrets))}. Ask the administrator to add it to the secrets under repos.`,
  );
}

function checkRegistry(key: string, { name: artifact, kind }: ArtifactDraft, { registries, bounds }: PlanRules): void {
  const known = Object.keys(registries);
  const registry = Object.hasOwn(registries, key) ? registries[key] : undefined;
  if (registry === undefined) {
    throw new UserError(
      "unknown-registry",
      `artifact ${quoted(artifact)} goes to ${quoted(key)}, but this server has no such registry${didYouMean(key, known)}. ` +
        `Known are ${list(known)}.`,
    );
  }
  if (bounds.registries !== null && !bounds.registries.includes(key)) {
    throw new Refused(
      "registry-not-allowed",
      `artifact ${quoted(artifact)} goes to ${quoted(key)}, but the server allows ${bounds.match} only ${list(bounds.registries)}.`,
    );
  }
  if (!registry.kinds.includes(kind)) {
    throw new UserError(
      "registry-takes-no-such-kind",
      `artifact ${quoted(artifact)} is of kind ${kind}, but ${quoted(key)} (${registry.type}) takes only ` +
        `${list([...registry.kinds])} on this server.`,
    );
  }
}

/** What is no plain word stands in quotes: its line ends would look like further problems. */
function list(keys: string[]): string {
  return keys.length === 0 ? "none" : keys.map((key) => (/^[\w.-]{1,80}$/.test(key) ? key : quoted(key))).join(", ");
}
