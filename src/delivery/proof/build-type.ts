import type { ArtifactKind } from "../types.ts";

/** docs/buildtypes/ has a page for each. */
const BUILD_TYPES = "https://deliverd.dev/buildtypes";

/** The URI of how artifacts of this kind are built. */
export function buildTypeOf(kind: ArtifactKind): string {
  return `${BUILD_TYPES}/${kind === "image" ? "image" : "commands"}/v1`;
}
