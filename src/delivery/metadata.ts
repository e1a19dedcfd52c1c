import { argsInImage } from "./dockerfile/index.ts";
import { mavenVersion, pythonVersion } from "./ecosystem-version.ts";
import { shortRef } from "./refs.ts";
import { repoUrl } from "./repo-name.ts";
import type { ArtifactPlan, Repo, Sha } from "./types.ts";

/** The facts of a delivery that its builds may contain. */
export interface BuildFacts {
  repo: Pick<Repo, "host" | "owner" | "name">;
  sha: Sha;
  committedAt: Date;
  /** Full, as in `refs/heads/main`. */
  ref: string;
  /** Its first version. */
  version: string;
}

/**
 * What a release was built from, and when: the labels of an image, and the metadata beside the files of other kinds.
 * The keys are the pre-defined annotations of the OCI image specification 1.1, and one of our own.
 * @param facts `cloneUrl` is the host's, without the repo
 */
export function releaseMetadata(facts: BuildFacts & { cloneUrl: string; deliveryId: string }): Record<string, string> {
  const { repo } = facts;
  return {
    "org.opencontainers.image.revision": facts.sha,
    "org.opencontainers.image.source": sourceUrl(facts.cloneUrl, repo),
    "org.opencontainers.image.version": facts.version,
    "org.opencontainers.image.created": facts.committedAt.toISOString().replace(/\.\d+Z$/, "Z"),
    "org.opencontainers.image.ref.name": shortRef(facts.ref),
    "dev.deliverd.delivery": facts.deliveryId,
  };
}

/** The URL without `.git`, where people read the repo. */
export function sourceUrl(cloneUrl: string, repo: BuildFacts["repo"]): string {
  return repoUrl(cloneUrl, repo).replace(/\.git$/, "");
}

/** The build arguments that contain the version. */
const VERSION_ARGUMENTS = ["DELIVERD_VERSION", "DELIVERD_VERSION_MAVEN", "DELIVERD_VERSION_PEP440"];

/** The build arguments that depend on the commit. Their values are not known before the build. */
const COMMIT_ARGUMENTS = [...VERSION_ARGUMENTS, "DELIVERD_SHA", "DELIVERD_REF", "DELIVERD_REPO", "SOURCE_DATE_EPOCH"];

/**
 * Whether an image may contain its version: its Dockerfile declares a version argument in a stage that the image needs.
 * @param args the build arguments of the pipeline
 */
export function imageHoldsVersion(
  dockerfile: string,
  { args, target }: Pick<ArtifactPlan, "args" | "target">,
): boolean {
  const unknown = Object.fromEntries(COMMIT_ARGUMENTS.map((name) => [name, null]));
  const used = argsInImage(dockerfile, { ...args, ...unknown }, target);
  return VERSION_ARGUMENTS.some((name) => used.has(name));
}

/** The environment variables of every build. For an image they are its build arguments. */
export function buildEnvironment(facts: BuildFacts): Record<string, string> {
  const { repo } = facts;
  const maven = mavenVersion(facts.version);
  const python = pythonVersion(facts.version);
  return {
    DELIVERD_VERSION: facts.version,
    // Maven and Python cannot write every version. A build that needs one that cannot be written fails before it
    // starts.
    ...(maven === null ? {} : { DELIVERD_VERSION_MAVEN: maven }),
    ...(python === null ? {} : { DELIVERD_VERSION_PEP440: python }),
    DELIVERD_SHA: facts.sha,
    DELIVERD_REF: facts.ref,
    DELIVERD_REPO: `${repo.host}/${repo.owner}/${repo.name}`,
    // https://reproducible-builds.org/specs/source-date-epoch/: seconds.
    SOURCE_DATE_EPOCH: String(Math.floor(facts.committedAt.getTime() / 1000)),
    CI: "true",
  };
}
