import { UserError } from "./errors.ts";
import { isRepository, MAX_REPOSITORY_LENGTH, MAX_TAG_LENGTH } from "./oci-names.ts";
import { isImmutable, render, type Values, variablesOf } from "./template.ts";
import type { ArtifactName, Destination, Sha } from "./types.ts";
import { majorMinor } from "./version.ts";

/** The facts of one artifact of one commit from which its names are made. */
export interface NameFacts {
  sha: Sha;
  committedAt: Date;
  owner: string;
  /** The bare name. */
  repo: string;
  artifact: string;
  /** As in `1.2.3` or `1.2.4-5.gab12cd3`, without a `v`. */
  versions: string[];
  /** Short git tags on the commit, version tags and others. */
  tags: string[];
  /** Short names of the watched branches that hold the commit. */
  branches: string[];
}

/** What a moving name follows: a branch's newest delivery, the highest version tag, or the newest delivery of all. */
export type Follows = { branch: string } | { version: true } | { any: true };

export interface MovingName extends ArtifactName {
  immutable: false;
  follows: Follows;
}

/** The names that only this content may ever have, each once. @throws UserError for a template that cannot be used */
export function immutableNames(destination: Destination, facts: NameFacts): ArtifactName[] {
  const names = renderings(destination, facts).filter((rendering) => rendering.name.immutable);
  return unique(names).map((rendering) => rendering.name);
}

/** The names that this content may have for a while, each once. @throws UserError as `immutableNames` */
export function movingNames(destination: Destination, facts: NameFacts): MovingName[] {
  const names = renderings(destination, facts).filter((rendering) => !rendering.name.immutable);
  // `1.2` may be a branch and a minor version. The strongest claim comes first, so that every commit gives the same
  // answer.
  names.sort((a, b) => CLAIMS.indexOf(a.claim) - CLAIMS.indexOf(b.claim));
  return unique(names).map((rendering) => ({ ...rendering.name, immutable: false, follows: followsOf(rendering) }));
}

/** Checks the templates of an image's destination before anything is built. @throws UserError */
export function checkTemplates(destination: Destination): void {
  const sample = { sha: "0".repeat(40), committedAt: new Date(0), owner: "o", repo: "r", artifact: "a" };
  renderings(destination, { ...sample, versions: ["0.0.1"], tags: ["t"], branches: ["b"] });
}

/** Why a template asks for a moving name. If two templates ask for one name, the claim that stands first here wins. */
export const CLAIMS = ["version", "any", "branch"] as const;

/** One name, as one template gives it for one version, tag and branch. */
export interface Rendering {
  name: ArtifactName;
  claim: (typeof CLAIMS)[number];
  version: string | null;
  branch: string | null;
  /** The parts of the version in the name: the name is for all versions with the same parts. Null: for any. */
  covers: { major: string | null; minor: string | null };
}

/** Every name that the templates can give. Most callers want `immutableNames` or `movingNames`. */
export function renderings(destination: Destination, facts: NameFacts): Rendering[] {
  const as = repositoryTemplate(destination);
  for (const template of [as, ...destination.tags]) variablesOf(template);
  return destination.tags.flatMap((template) => {
    // A version or sha in the repository's name makes the whole name immutable, as one in the tag does.
    const whole = `${as}:${template}`;
    const immutable = isImmutable(whole);
    const claim = claimOf(whole);
    const variables = variablesOf(whole);
    const partIn = (variable: "major" | "minor", values: Values) =>
      (variables.has(variable) ? values[variable] : undefined) ?? null;
    return [...combinations(whole, claim, facts)].flatMap((values) => {
      const repository = render(as, inRepository(values));
      const tag = render(template, values);
      if (repository === null || tag === null) return [];
      const name = {
        registry: destination.to,
        repository: checkedRepository(repository, as),
        tag: toTag(tag, template),
        immutable,
      };
      const covers = { major: partIn("major", values), minor: partIn("minor", values) };
      return [{ name, claim, version: values.version ?? null, branch: values.branch ?? null, covers }];
    });
  });
}

function claimOf(template: string): Rendering["claim"] {
  const variables = variablesOf(template);
  if (variables.has("branch")) return "branch";
  return variables.has("major") || variables.has("minor") || template.endsWith(":latest") ? "version" : "any";
}

/** The template values that do not depend on a version, git tag or branch. */
export function fixedValues(facts: NameFacts): Values {
  return {
    sha: facts.sha,
    shortSha: facts.sha.slice(0, 7),
    owner: facts.owner,
    repo: facts.repo,
    artifact: facts.artifact,
    date: facts.committedAt.toISOString().slice(0, 10),
  };
}

/** Every set of values for a template: one for each version, git tag and branch that the template uses. */
function* combinations(template: string, claim: Rendering["claim"], facts: NameFacts): Generator<Values> {
  const variables = variablesOf(template);
  const versioned = claim === "version" || variables.has("version") || variables.has("major") || variables.has("minor");
  const fixed = fixedValues(facts);
  for (const version of versioned ? facts.versions : [null]) {
    for (const tag of variables.has("tag") ? facts.tags : [null]) {
      for (const branch of variables.has("branch") ? facts.branches : [null]) {
        yield {
          ...fixed,
          ...(version === null ? {} : { version, ...majorMinor(version) }),
          ...(tag === null ? {} : { tag }),
          ...(branch === null ? {} : { branch }),
        };
      }
    }
  }
}

function followsOf({ claim, branch }: Rendering): Follows {
  if (claim === "branch" && branch !== null) return { branch };
  return claim === "version" ? { version: true } : { any: true };
}

function unique(list: Rendering[]): Rendering[] {
  const seen = new Set<string>();
  return list.filter(({ name }) => {
    const key = `${name.repository}:${name.tag}`;
    return !seen.has(key) && seen.add(key);
  });
}

/**
 * Turns a text into an OCI tag: other characters become `-`, a leading `.` or `-` becomes `_`, and it is cut at 128.
 */
function toTag(text: string, template: string): string {
  const tag = text
    .replace(/[^A-Za-z0-9_.-]/g, "-")
    .replace(/^[.-]/, "_")
    .slice(0, MAX_TAG_LENGTH);
  if (tag === "") throw new UserError("bad-template", `the template "${template}" gives an empty tag`);
  return tag;
}

/** A branch or git tag may have any name. In a repository's name it is changed to fit the grammar. */
function inRepository(values: Values): Values {
  const fitting = { ...values };
  for (const variable of ["branch", "tag", "version"] as const) {
    const value = values[variable];
    if (value === undefined) continue;
    const path = toPath(value);
    // Nothing is left, for example of an emoji: then the variable has no value here.
    if (path === "") delete fitting[variable];
    else fitting[variable] = path;
  }
  return fitting;
}

/** What fits the grammar stays as it is. Other characters, and other runs of separators, become one `-`. */
function toPath(ref: string): string {
  return ref
    .toLowerCase()
    .slice(0, 128)
    .split("/")
    .map((part) =>
      part
        .replace(/[^a-z0-9._-]/g, "-")
        .replace(/[._-]{2,}/g, (run) => (/^(?:__|-+)$/.test(run) ? run : "-"))
        .replace(/^[._-]+|[._-]+$/g, ""),
    )
    .filter((part) => part !== "")
    .join("/");
}

function repositoryTemplate(destination: Destination): string {
  if (destination.as === null) {
    throw new UserError("as-missing", `the destination "${destination.to}" needs \`as\`, the repository's name there`);
  }
  return destination.as;
}

/** Characters: the registry's host, and what stands before the name there, need the other 55. */
const MAX_LENGTH = MAX_REPOSITORY_LENGTH - 55;

function checkedRepository(repository: string, template: string): string {
  if (isRepository(repository, MAX_LENGTH)) return repository;
  const lower = repository.toLowerCase();
  const remedy = isRepository(lower, Number.POSITIVE_INFINITY)
    ? `Write it in lower case, as in "${lower}".`
    : `Use lower-case letters, digits and single . _ - / between them, at most ${MAX_LENGTH} characters.`;
  throw new UserError(
    "bad-repository-name",
    `the template "${template}" gives the name "${repository.slice(0, 250)}", which no registry accepts. ${remedy}`,
  );
}
