import type { BaseImage } from "../../src/builders/builder.ts";
import type { Frozen } from "../../src/delivery/frozen.ts";
import type { Share } from "../../src/delivery/naming.ts";
import type { ArtifactPlan } from "../../src/delivery/types.ts";

/** One artifact with its final bytes, before anyone outside has seen them. */
export interface Prepared extends Share {
  kind: "prepared";
  artifact: ArtifactPlan;
  content: Frozen;
  bases: BaseImage[];
  /** Whether this attempt built it. */
  isNew: boolean;
}

/** What became of an artifact that was not built: nothing of it changed. */
export interface Unchanged {
  kind: "unchanged";
  artifact: ArtifactPlan;
  since: string;
}
