/** The data types of the domain. All of them are plain data. */

/**
 * `<hosts key>:<the host's own immutable id>`, as in `github:186853002`. It stays the same when the repo is renamed.
 */
export type RepoId = string;

/** A full commit id in lower-case hex, 40 digits (or 64 in a SHA-256 repository). */
export type Sha = string;

/** `sha256:<64 hex>`. */
export type Digest = string;

export interface Repo {
  id: RepoId;
  /** The key under `hosts` in the server configuration. */
  host: string;
  /** May have slashes: a group within a group. */
  owner: string;
  /** Without a slash. */
  name: string;
  /** Short name, as the host gives it. */
  defaultBranch: string;
}

/** A commit and its repo: all that a host's API needs. */
export interface CommitRef {
  repo: Repo;
  sha: Sha;
}

/** `unknown`: the host gave a state that deliverd does not know. It is neither a pass nor a failure. */
export type CheckState = "passed" | "failed" | "pending" | "unknown";

/** One CI result at exactly one sha, in the words of no host. Of the re-runs of one check the newest counts. */
export interface Check {
  name: string;
  /** What a host or a pipeline may require it by beside its name, as the key of a build. */
  aliases?: string[];
  /**
   * `status` and `build`: what somebody reported · `check-run`, `job`: a job of the host's own CI or of an app ·
   * `check-suite`: a group of them, or a pipeline that could not start. Nobody requires it by name.
   */
  source: "status" | "check-run" | "check-suite" | "job" | "build";
  state: CheckState;
  /** The slug of the app that reported it, for check runs, suites and jobs. Null: the host does not vouch for one. */
  app: string | null;
  /**
   * The app's id, also for a status that the app's bot set. Null: no app. Left out: an app that the host does not name.
   */
  appId?: number | null;
  /** What the host calls its state, as in `cancelled` or `error`. */
  detail: string;
  /** When it last changed, in ms since the epoch. */
  at: number;
  /** Rises with each report of this check. It decides instead of `at`, where both reports have one. */
  order?: number;
  /**
   * The pipeline or ref that it ran for. Re-runs replace each other only within one group, and each group counts: one
   * pipeline must not hide what failed in another.
   */
  group?: string;
  /** It may fail: then it counts as passed. */
  mayFail?: boolean;
  /** It waits for a person to start it. With `mayFail` nobody has to, and it does not count. */
  isManual?: boolean;
  /** Where the host shows it. */
  url?: string;
}

export type Verdict = "green" | "red" | "pending" | "none";

export interface CiState {
  verdict: Verdict;
  checks: Check[];
  /** Of a green verdict: the checks that made it green, which are the evidence for it. Left out: none. */
  restsOn?: Check[];
  /**
   * When to ask again although no hint came (ms since the epoch). Null or left out: only a hint can change the verdict.
   */
  retryAt?: number | null;
}

/** The rule that says when a commit's CI counts as green. */
export interface Gate {
  /** `none`: the commit needs no CI. */
  ci: "required" | "none";
  /** Names or globs of checks that must pass. Empty: what the host requires, or else every reported check. */
  required: string[];
  /**
   * Slugs of apps: only their check runs and suites count, and no status, since a status names no app. Null: all count.
   */
  apps: string[] | null;
  /** ms. Without required checks, CI is green only after no new report has come for this long. */
  settle: number;
  /** ms. A commit whose CI has not ended after this long fails. */
  timeout: number;
}

export type Action = "deliver" | "wait" | "ignore" | "superseded";

export interface Decision {
  action: Action;
  /** The reason, in one line, for people. */
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

/** How the files of an artifact are built. An image has a Dockerfile instead. */
export interface BuildCommands {
  /** The image in which the commands run. */
  image: string;
  /** Commands. Each is run by `sh -ec` in the commit's tree. */
  run: string[];
  /** Directories that this repo's builds keep from one to the next: absolute, or relative to the tree. */
  cache: string[];
  env: Record<string, string>;
  /** Names of secrets that the server grants to the repo. Each becomes an environment variable of the build. */
  secrets: string[];
  network: boolean;
  limits: {
    memoryBytes: number | null;
    cpus: number | null;
    /** ms for all commands together. Null: the server's limit. */
    time: number | null;
  };
}

/** One file of an artifact in the store. */
export interface FrozenFile {
  /** The file's name without a folder. It is unique within the artifact. */
  name: string;
  digest: Digest;
  /** Bytes. */
  size: number;
}

/** The name and version inside a package, as its ecosystem writes them. A Maven name is `group:artifact`. */
export interface PackageIdentity {
  name: string;
  version: string;
}

/** One destination of an artifact, as a pipeline asks for it. */
export interface Destination {
  /** The key under `registries` in the server configuration. */
  to: string;
  /** Template of the repository's name there. Null: the artifact's kind decides. */
  as: string | null;
  /** Tag templates. */
  tags: string[];
}

/** One artifact of a pipeline, with all defaults filled in. */
export interface ArtifactPlan {
  name: string;
  kind: ArtifactKind;
  /** For an image: normalised paths of the Dockerfile and the context, relative to the root of the tree. */
  dockerfile: string;
  context: string;
  /** Globs. Empty: every commit concerns this artifact. */
  paths: string[];
  platforms: string[];
  args: Record<string, string>;
  /** The stage of the Dockerfile that becomes the image. Null: the last one. */
  target: string | null;
  /** Labels of the image besides deliverd's own. */
  labels: Record<string, string>;
  /** Names of secrets that the server grants to the repo: RUN steps of the Dockerfile can mount them. */
  secrets: string[];
  /** False: every step of the image runs, even if the engine has its result. */
  cache: boolean;
  /** Null for an image. */
  build: BuildCommands | null;
  /** Globs of the files that the commands make. Empty for an image. */
  files: string[];
  publish: Destination[];
}

/** A commit's pipeline within the limits that the server sets. */
export interface Plan {
  on: { branches: string[]; tags: string[] };
  gate: Gate;
  supersede: boolean;
  /** What pointers of Git LFS in a tree mean for its builds. */
  lfs: "warn" | "refuse";
  artifacts: ArtifactPlan[];
  /** The repo has no pipeline file. */
  isDefault: boolean;
}

/** A name in a registry. The registry itself knows which host it stands for. */
export interface RegistryName {
  /** The key under `registries`. */
  registry: string;
  /** Name of the repository, package (`group:artifact` for Maven), path or machine image. */
  repository: string;
  /** The tag, or the version as the ecosystem writes it. */
  tag: string;
}

/** A name that a release may have. An immutable name never changes what it stands for. */
export interface ArtifactName extends RegistryName {
  immutable: boolean;
}

/** A name that a content has in a registry, and how to get it there. */
export interface Location extends RegistryName {
  digest: Digest;
  url: string;
  /** A command that fetches it by digest. */
  pull: string;
}

/** `.deliverd.yml`, read and checked. `planOf` then checks it against the server's limits. */
export interface Pipeline {
  /** Null: not given. Then the default branch and tags `v*` are watched. */
  on: { branches: string[]; tags: string[] } | null;
  gate: Gate;
  supersede: boolean;
  /** What pointers of Git LFS in a tree mean for its builds. */
  lfs: "warn" | "refuse";
  artifacts: ArtifactPlan[];
}

/** What a repo may deliver: one entry under `repos` in the server configuration. Null in a field: no limit. */
export interface RepoBounds {
  /** `<owner>/<name>` or `<hosts key>/<owner>/<name>`: `*` within a segment, `**` any number of segments. */
  match: string;
  /** The key under `hosts` that `match` begins with. Left out: it begins with none. */
  host?: string;
  branches: string[] | null;
  tags: string[] | null;
  /** Checks that must pass in addition to the pipeline's. */
  ci: { required: string[] /** As in a gate. */; apps: string[] | null } | null;
  /** Keys under `registries`. */
  registries: string[] | null;
  /** Values of the secrets that its builds may read, by name. */
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
  /** The artifact's files. Empty for an image: its manifest lists what it holds. */
  files: FrozenFile[];
  /** The name and version inside the package. Null: the artifact is no package. */
  package: PackageIdentity | null;
  locations: Location[];
}
