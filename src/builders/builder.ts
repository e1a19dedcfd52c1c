import type { Readable } from "node:stream";
import type { DiskItem } from "../delivery/disk-budget.ts";
import type { Frozen } from "../delivery/frozen.ts";
import type { ArtifactPlan, BuildCommands } from "../delivery/types.ts";
import type { Run } from "../run/run.ts";

export interface BuildOrder {
  /** Unique to this build: names intake repository, containers and temporary tags. Lower-case `[a-z0-9-]`. */
  id: string;
  artifact: ArtifactPlan;
  /** The commit's tree as a tar stream, made anew at every call. `.dockerignore` is already applied. */
  openContext(): Promise<Readable>;
  /** The Dockerfile is no part of the context: it lies outside, or `.dockerignore` leaves it out. */
  dockerfileApart: boolean;
  /** The Dockerfile's text at that commit. */
  dockerfile: string;
  /** DELIVERD_VERSION, DELIVERD_SHA, … and the pipeline's args. */
  args: Record<string, string>;
  labels: Record<string, string>;
  limits: BuildLimits;
}

/** Zero or null: no limit. */
export interface BuildLimits {
  memoryBytes: number | null;
  cpus: number | null;
  /** ms for the whole build. */
  time: number;
}

/** What the commands of `build` are run with. */
export interface FilesOrder {
  /** As in BuildOrder. */
  id: string;
  artifact: ArtifactPlan & { build: BuildCommands };
  /** The commit's whole tree as a tar stream, made anew at every call. */
  openTree(): Promise<Readable>;
  /** DELIVERD_VERSION, … The pipeline's own variables stand in `artifact.build.env`. */
  environment: Record<string, string>;
  /** Values of the secrets that `artifact.build.secrets` names, by name; the log's writer masks them. */
  secrets: Record<string, string>;
  /** The repo's id: caches are kept apart by it. */
  cacheOf: string;
  limits: BuildLimits;
}

/** What a builder comes to, whatever it was asked to build. */
export type Built = Frozen & { bases: BaseImage[] };

export interface Builder<Order> {
  /**
   * Builds and freezes. @throws UserError when the user's build fails (last lines of the failing step in the message),
   * TransientError when the engine goes away or a base cannot be had now.
   */
  build(order: Order, run: Run): Promise<Built>;
}

/** What a FROM came to, for the record. */
export interface BaseImage {
  reference: string;
  digest: string;
}

/** What builds keep from one to the next. It lies on the engine's disk. */
export interface BuildCaches {
  list(): Promise<DiskItem[]>;
  /** False: it is in use, or gone already. */
  remove(name: string): Promise<boolean>;
}
