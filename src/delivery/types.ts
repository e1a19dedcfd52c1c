/** The words of the house as plain data. Everything here is a value: no I/O, no classes. */

/** `<hosts key>:<the host's own immutable id>`, as in `github:186853002`. A rename of the repo changes nothing here. */
export type RepoId = string;

/** A full commit id in lower-case hex, 40 digits (or 64 in a SHA-256 repository). */
export type Sha = string;

/** `sha256:<64 hex>`. */
export type Digest = string;

export interface Repo {
  id: RepoId;
  /** The key under `hosts` in the server configuration. */
  host: string;
  owner: string;
  name: string;
  /** Short name, as the host says. */
  defaultBranch: string;
}

/** Where a commit lives, enough for a host's API. */
export interface CommitRef {
  repo: Repo;
  sha: Sha;
}

export type CheckState = "passed" | "failed" | "pending";

/** One CI result at exactly one sha: the newest of its re-runs. */
export interface Check {
  name: string;
  source: "status" | "check-run" | "check-suite";
  state: CheckState;
  /** The slug of the app that reported it, for check runs and suites. */
  app: string | null;
  /** What the host calls its state, as in `cancelled` or `error`. */
  detail: string;
  /** When it last changed, in ms since the epoch. */
  at: number;
}

export type Verdict = "green" | "red" | "pending" | "none";

export interface CiState {
  verdict: Verdict;
  checks: Check[];
  /** When time alone may change the verdict (ms since the epoch): look again then. Null or absent: only a hint can. */
  retryAt?: number | null;
}

/** The rule that says when a commit's CI counts as green. */
export interface Gate {
  /** `none`: no CI is asked for. */
  ci: "required" | "none";
  /** Names or globs that must have passed. Empty: what the host requires, else every reported check. */
  required: string[];
  /** Without required checks, nothing new may have been reported for so long (ms). */
  settle: number;
  /** A commit whose CI does not come to an end for so long (ms) fails. */
  timeout: number;
}

export type Action = "deliver" | "wait" | "ignore" | "superseded";

export interface Decision {
  action: Action;
  /** One line for the person who asks why. */
  because: string;
}

export type DeliveryState =
  | "waiting"
  | "queued"
  | "building"
  | "publishing"
  | "delivered"
  | "failed"
  | "cancelled"
  | "superseded"
  | "ignored";

export type ArtifactKind = "image" | "jar" | "npm" | "wheel" | "file" | "ami";

/** One destination of an artifact, as a pipeline asks for it. */
export interface Destination {
  /** The key under `registries` in the server configuration. */
  to: string;
  /** The template of the repository's name there; null leaves it to the kind. */
  as: string | null;
  /** Tag templates. */
  tags: string[];
}

/** One artifact of a pipeline, every default filled in. */
export interface ArtifactPlan {
  name: string;
  kind: ArtifactKind;
  /** Image: path of the Dockerfile and of the context, relative to the root of the tree. */
  dockerfile: string;
  context: string;
  /** Globs; empty means every commit concerns this artifact. */
  paths: string[];
  platforms: string[];
  args: Record<string, string>;
  publish: Destination[];
}

/** What a commit's pipeline comes to within what the server allows. */
export interface Plan {
  on: { branches: string[]; tags: string[] };
  gate: Gate;
  supersede: boolean;
  artifacts: ArtifactPlan[];
  /** True where there was no pipeline file. */
  isDefault: boolean;
}

/** A name in a registry: the host part is the registry's own affair. */
export interface ArtifactName {
  /** The key under `registries`. */
  registry: string;
  /** The repository's (package's, path's) name. */
  repository: string;
  /** The tag or version. */
  tag: string;
  immutable: boolean;
}

/** Where a content stands under one name. */
export interface Location {
  registry: string;
  /** `<repository>:<tag>`. */
  name: string;
  digest: Digest;
  url: string;
  /** The command that fetches it by digest. */
  pull: string;
}

/** One artifact as a pipeline file gives it; what only the server knows is still open. */
export interface PipelineArtifact {
  name: string;
  kind: ArtifactKind;
  /** Normalised, inside the tree. */
  dockerfile: string;
  context: string;
  paths: string[];
  platforms: string[];
  args: Record<string, string>;
  /** The commands that make it, for every kind but an image. */
  build: { image: string; run: string[] } | null;
  /** Which files they leave, as a glob; null for an image. */
  files: string | null;
  publish: Destination[];
}

/** `.deliverd.yml`, read and checked by itself; `planOf` puts it beside the server's bounds. */
export interface Pipeline {
  /** Null: left out, so the default branch and v* tags. */
  on: { branches: string[]; tags: string[] } | null;
  gate: Gate;
  supersede: boolean;
  artifacts: PipelineArtifact[];
}

/** How far a repo may be delivered: one entry under `repos`. Null: no bound. */
export interface RepoBounds {
  /** `<owner>/<name>` or `<hosts key>/<owner>/<name>`, `*` within a segment. */
  match: string;
  branches: string[] | null;
  tags: string[] | null;
  /** Checks that must have passed whatever the pipeline says. */
  ci: { required: string[] } | null;
  /** Keys under `registries`. */
  registries: string[] | null;
  /** What its builds may read, by name. */
  secrets: Record<string, string>;
}

/** The immutable record of one artifact of one commit, as the catalog shows it. */
export interface Release {
  id: string;
  artifact: string;
  kind: ArtifactKind;
  /** The first of its versions. */
  version: string;
  versions: string[];
  /** `<hosts key>/<owner>/<name>`. */
  repo: string;
  sha: Sha;
  /** Full, as in `refs/heads/main`. */
  ref: string;
  digest: Digest;
  /** ISO 8601, UTC. */
  committedAt: string;
  releasedAt: string;
  deliveryId: string;
  locations: Location[];
}
