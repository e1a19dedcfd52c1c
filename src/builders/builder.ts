import type { Readable } from "node:stream";
import type { ArtifactPlan, Digest } from "../delivery/types.ts";
import type { Run } from "../run.ts";

/** An artifact's final bytes, in the store, before anyone outside has seen them. */
export interface Frozen {
  digest: Digest;
  /** Media type of the manifest, for an image. */
  mediaType: string;
  /** Bytes in all. */
  size: number;
}

export interface BuildOrder {
  /** Unique to this build: names intake repository, containers and temporary tags. Lower-case `[a-z0-9-]`. */
  id: string;
  artifact: ArtifactPlan;
  /** The commit's tree as a tar stream, made anew at every call. `.dockerignore` is already applied. */
  openContext(): Promise<Readable>;
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

export interface Builder {
  /**
   * Builds and freezes. @throws UserError when the user's build fails (last lines of the failing step in the message),
   * TransientError when the engine goes away or a base cannot be had now.
   */
  build(order: BuildOrder, run: Run): Promise<Frozen & { bases: BaseImage[] }>;
}

/** What a FROM came to, for the record. */
export interface BaseImage {
  reference: string;
  digest: string;
}
