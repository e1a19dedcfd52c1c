import { imageHoldsVersion } from "../../src/delivery/metadata.ts";
import type { ArtifactKind, ArtifactPlan, Sha } from "../../src/delivery/types.ts";
import type { Mirror } from "../../src/git/mirror.ts";

const DOCKERFILE_MAX_BYTES = 1024 * 1024;

/** Kinds whose files say their version, as a package does. */
const HOLDS_VERSION: Record<Exclude<ArtifactKind, "image">, boolean> = {
  npm: true,
  wheel: true,
  jar: true,
  file: false,
  ami: false,
};

/** Whether an artifact says its version in its own bytes; an image only where its Dockerfile asks for it. */
export async function holdsVersion(mirror: Mirror, sha: Sha, artifact: ArtifactPlan): Promise<boolean> {
  if (artifact.kind !== "image") return HOLDS_VERSION[artifact.kind];
  return imageHoldsVersion(await readDockerfile(mirror, sha, artifact), artifact);
}

export async function readDockerfile(mirror: Mirror, sha: Sha, { dockerfile }: ArtifactPlan): Promise<string> {
  return (await mirror.readFile(sha, dockerfile, DOCKERFILE_MAX_BYTES)) ?? "";
}
