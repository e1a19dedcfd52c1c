import type { ArtifactKind } from "../delivery/types.ts";
import type { BuilderKind } from "./builder-kind.ts";
import { commands } from "./files/index.ts";
import { image } from "./image/index.ts";

/** Every kind of builder. */
export const builderKinds = { image, files: commands };

/** Which builder makes which kind of artifact, in the order in which messages name the kinds. */
export const builderOf: Record<ArtifactKind, Pick<BuilderKind<never>, "settings">> = {
  image,
  jar: commands,
  npm: commands,
  wheel: commands,
  file: commands,
  ami: commands,
};
