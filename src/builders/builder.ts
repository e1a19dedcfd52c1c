import type { Readable } from "node:stream";
import type { DiskItem } from "../delivery/disk-budget.ts";
import type { Frozen } from "../delivery/frozen.ts";
import type { ArtifactPlan, BuildCommands } from "../delivery/types.ts";
import type { Run } from "../run/run.ts";

export interface BuildOrder {
  /**
   * Unique to this build. Its intake repository, containers and temporary tags are named by it. Lower-case `[a-z0-9-]`.
   */
  id: string;
  artifact: ArtifactPlan;
  /** The commit's tree as a tar stream, a new one for each call. `.dockerignore` is already applied. */
  openContext(): Promise<Readable>;
  /** The Dockerfile is not part of the context: it is outside, or `.dockerignore` leaves it out. */
  dockerfileApart: boolean;
  /** The Dockerfile's text at that commit. */
  dockerfile: string;
  /** DELIVERD_VERSION, DELIVERD_SHA, … and the pipeline's args. */
  args: Record<string, string>;
  labels: Record<string, string>;
  /** Values of the secrets in `artifact.secrets`, by name. The log masks them. */
  secrets: Record<string, string>;
  limits: BuildLimits;
}

/** Zero or null: no limit. */
export interface BuildLimits {
  memoryBytes: number | null;
  cpus: number | null;
  /** ms for the whole build. */
  time: number;
}

/** The order to run the commands of an artifact's `build`. */
export interface FilesOrder {
  /** As in BuildOrder. */
  id: string;
  artifact: ArtifactPlan & { build: BuildCommands };
  /** The commit's whole tree as a tar stream, a new one for each call. */
  openTree(): Promise<Readable>;
  /** DELIVERD_VERSION, … The pipeline's own variables are in `artifact.build.env`. */
  environment: Record<string, string>;
  /** Values of the secrets in `artifact.build.secrets`, by name. The log masks them. */
  secrets: Record<string, string>;
  /** The repo's id. Each repo has its own caches. */
  cacheOf: string;
  limits: BuildLimits;
}

/** The result of every builder. */
export type Built = Frozen & { bases: BaseImage[] };

export interface Builder<Order> {
  /**
   * Builds and freezes. @throws UserError if the user's build fails (the message contains the last lines of the failed
   * step), TransientError if the engine goes away or a base image cannot be pulled now
   */
  build(order: Order, run: Run): Promise<Built>;
}

/** A base image that was used, for the record. */
export interface BaseImage {
  reference: string;
  digest: string;
}

/** When this process last used a cache, in ms since the epoch, by the cache's name. The engine does not say. */
export type CacheUses = Map<string, number>;

/** The caches that builds keep. They are on the engine's disk. */
export interface BuildCaches {
  list(): Promise<DiskItem[]>;
  /** False: it is in use, or already gone. */
  remove(name: string): Promise<boolean>;
}
