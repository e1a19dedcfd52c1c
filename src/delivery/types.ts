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

/** `unknown`: the host uses a word that deliverd does not know. It is neither a pass nor a failure. */
export type CheckState = "passed" | "failed" | "pending" | "unknown";

/** One CI result at exactly one sha: the newest of its re-runs. */
export interface Check {
  name: string;
  source: "status" | "check-run" | "check-suite";
  state: CheckState;
  /** The slug of the app that reported it, for check runs and suites. */
  app: string | null;
  /** The id of the app, also for a status that the app's bot set. Null: no app. Left out: an app that the host does not name. */
  appId?: number | null;
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
  /** Slugs of the apps whose check runs and suites alone count, statuses (which bear no app) not at all. Null: everybody's count. */
  apps: string[] | null;
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

/** How the files of an artifact are made: every kind but an image. */
export interface BuildCommands {
  /** The image that the commands run in. */
  image: string;
  /** Each line by `sh -ec`, in the tree of the commit. */
  run: string[];
  /** Directories kept from build to build, for this repo alone: absolute, or relative to the tree. */
  cache: string[];
  env: Record<string, string>;
  /** Names of secrets that the server grants the repo; each is an environment variable of the build. */
  secrets: string[];
  network: boolean;
  limits: {
    memoryBytes: number | null;
    cpus: number | null;
    /** ms for all commands; null: the server's. */
    time: number | null;
  };
}

/** One file of an artifact, as it lies in the store. */
export interface FrozenFile {
  /** What it is called outside, without a folder: unique within the artifact. */
  name: string;
  digest: Digest;
  /** Bytes. */
  size: number;
}

/** What a package says of itself, in its ecosystem's spelling: an npm package, a Python project, `group:artifact`. */
export interface PackageIdentity {
  name: string;
  version: string;
}

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
  /** Image: path of the Dockerfile and of the context, normalised, relative to the root of the tree. */
  dockerfile: string;
  context: string;
  /** Globs; empty means every commit concerns this artifact. */
  paths: string[];
  platforms: string[];
  args: Record<string, string>;
  /** Null for an image. */
  build: BuildCommands | null;
  /** Globs of the files that the commands leave; empty for an image. */
  files: string[];
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

/** A name in a registry. The registry itself knows which host it stands for. */
export interface RegistryName {
  /** The key under `registries`. */
  registry: string;
  /** The repository's name; a package's (`group:artifact` for Maven), a path's, a machine image's. */
  repository: string;
  /** The tag; the version as the ecosystem writes it. */
  tag: string;
}

/** A name that a release may have. An immutable name never changes what it stands for. */
export interface ArtifactName extends RegistryName {
  immutable: boolean;
}

/** Where a content stands under one name. */
export interface Location extends RegistryName {
  digest: Digest;
  url: string;
  /** The command that fetches it by digest. */
  pull: string;
}

/** `.deliverd.yml`, read and checked by itself; `planOf` puts it beside the server's bounds. */
export interface Pipeline {
  /** Null: left out, so the default branch and v* tags. */
  on: { branches: string[]; tags: string[] } | null;
  gate: Gate;
  supersede: boolean;
  artifacts: ArtifactPlan[];
}

/** How far a repo may be delivered: one entry under `repos`. Null: no bound. */
export interface RepoBounds {
  /** `<owner>/<name>` or `<hosts key>/<owner>/<name>`, `*` within a segment. */
  match: string;
  branches: string[] | null;
  tags: string[] | null;
  /** Checks that must have passed whatever the pipeline says. */
  ci: { required: string[] /** As in a gate. */; apps: string[] | null } | null;
  /** Keys under `registries`. */
  registries: string[] | null;
  /** What its builds may read, by name. */
  secrets: Record<string, string>;
}

/** The immutable record of one artifact of one commit. */
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
  /** What it is made of; empty for an image, which is its manifest's affair. */
  files: FrozenFile[];
  /** What the files say of themselves; null where they are no package. */
  package: PackageIdentity | null;
  locations: Location[];
}
