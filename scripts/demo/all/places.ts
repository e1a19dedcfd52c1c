import type { RegistryTypeName } from "../../../src/registries/index.ts";
import type { Aws } from "../../../test/support/registries/aws/index.ts";
import type { Open, Place, Start } from "./place.ts";
import { openArtifactory } from "./places/artifactory.ts";
import { openAmi, openCodeArtifact, openEcr } from "./places/aws.ts";
import { openDockerHub, openHttp, openMaven, openNpm, openOci, openPypi } from "./places/plain.ts";

/** One of each type that there is: a new type is no type-checked program without one. */
const OPEN: Record<RegistryTypeName, Open> = {
  oci: openOci,
  "docker-hub": openDockerHub,
  ecr: openEcr,
  artifactory: openArtifactory,
  codeartifact: openCodeArtifact,
  npm: openNpm,
  pypi: openPypi,
  maven: openMaven,
  http: openHttp,
  ami: openAmi,
};

/** One after the other: where one fails, those that stand are known, and end. */
export async function openPlaces(start: Start, aws: Aws): Promise<Map<RegistryTypeName, Place>> {
  const places = new Map<RegistryTypeName, Place>();
  for (const [type, open] of Object.entries(OPEN)) places.set(type as RegistryTypeName, await open(start, aws));
  return places;
}
