import { imageHoldsVersion } from "../../src/delivery/metadata.ts";
import type { ArtifactPlan, Sha } from "../../src/delivery/types.ts";
import type { Mirror } from "../../src/git/mirror.ts";

const DOCKERFILE_MAX_BYTES = 1024 * 1024;

/** A package says its version in its own bytes; an image only where its Dockerfile asks for it. */
export async function holdsVersion(mirror: Mirror, sha: Sha, artifact: ArtifactPlan): Promise<boolean> {
  if (artifact.kind !== "image") return ["npm", "wheel", "jar"].includes(artifact.kind);
  return imageHoldsVersion(await readDockerfile(mirror, sha, artifact), artifact.args);
}

export async function readDockerfile(mirror: Mirror, sha: Sha, { dockerfile }: ArtifactPlan): Promise<string> {
  return (await mirror.readFile(sha, dockerfile, DOCKERFILE_MAX_BYTES)) ?? "";
}
