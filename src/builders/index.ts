import type { ArtifactKind } from "../delivery/types.ts";
import { commands } from "./files/index.ts";
import { image } from "./image/index.ts";

/** Every kind of builder. */
export const builderKinds = { image, files: commands };

/** Which builder makes which kind of artifact, in the order in which messages name the kinds. */
export const builderOf: Record<ArtifactKind, keyof typeof builderKinds> = {
  image: "image",
  jar: "files",
  npm: "files",
  wheel: "files",
  file: "files",
  ami: "files",
};
