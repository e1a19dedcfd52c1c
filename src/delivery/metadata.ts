import { argsInImage } from "./dockerfile/index.ts";
import { mavenVersion, pythonVersion } from "./ecosystem-version.ts";
import { shortRef } from "./refs.ts";
import type { Repo, Sha } from "./types.ts";

/** The facts of a delivery that enter what it builds. */
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
 * When a release was made, and from what: the labels of an image, and what stands beside the bytes of every other kind. The pre-defined annotation keys of the OCI image specification 1.1, and our own. `cloneUrl` is
 * the host's, without the repo.
 */
export function releaseMetadata(facts: BuildFacts & { cloneUrl: string; deliveryId: string }): Record<string, string> {
  const { repo } = facts;
  return {
    "org.opencontainers.image.revision": facts.sha,
    "org.opencontainers.image.source": `${facts.cloneUrl.replace(/\/+$/, "")}/${repo.owner}/${repo.name}`,
    "org.opencontainers.image.version": facts.version,
    "org.opencontainers.image.created": facts.committedAt.toISOString().replace(/\.\d+Z$/, "Z"),
    "org.opencontainers.image.ref.name": shortRef(facts.ref),
    "dev.deliverd.delivery": facts.deliveryId,
  };
}

/** Those of a build's arguments that say its version. */
const VERSION_ARGUMENTS = ["DELIVERD_VERSION", "DELIVERD_VERSION_MAVEN", "DELIVERD_VERSION_PEP440"];

/** Those that say something of the commit: no value of theirs is known before the build. */
const OWN_ARGUMENTS = [...VERSION_ARGUMENTS, "DELIVERD_SHA", "DELIVERD_REF", "DELIVERD_REPO", "SOURCE_DATE_EPOCH"];

/**
 * Whether the version may enter the bytes of an image: its Dockerfile declares it where it is used.
 * @param args the pipeline's own
 */
export function imageHoldsVersion(dockerfile: string, args: Record<string, string>): boolean {
  const unknown = Object.fromEntries(OWN_ARGUMENTS.map((name) => [name, null]));
  const used = argsInImage(dockerfile, { ...args, ...unknown });
  return VERSION_ARGUMENTS.some((name) => used.has(name));
}

/** The environment of every build; for an image, its build arguments. */
export function buildEnvironment(facts: BuildFacts): Record<string, string> {
  const { repo } = facts;
  const maven = mavenVersion(facts.version);
  const python = pythonVersion(facts.version);
  return {
    DELIVERD_VERSION: facts.version,
    // Not every version can be written in each of them: whoever needs one that cannot fails before anything is built.
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
