import type { Release } from "../files/shelf.ts";
import { readZipEntry } from "../files/zip.ts";
import { type Coordinates, isPom, suffixOf } from "./coordinates.ts";

const POM_MAX_BYTES = 4 * 1024 * 1024;

/** The POM of a release whose build leaves none beside its jar: the one inside, as Maven puts it there, else the least that works. */
export async function pomOf(release: Release, at: Coordinates): Promise<Buffer> {
  const main = release.files.find((file) => !isPom(file) && /^\.\w+$/.test(suffixOf(file, release, at)));
  const inside = `META-INF/maven/${at.group}/${at.artifact}/pom.xml`;
  const found = main && (await readZipEntry(release.source(main), (name) => name === inside, POM_MAX_BYTES));
  return found ?? Buffer.from(leastPom(at, main ? suffixOf(main, release, at).slice(1) : "pom"));
}

function leastPom({ group, artifact, version }: Coordinates, packaging: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>${group}</groupId>
  <artifactId>${artifact}</artifactId>
  <version>${version}</version>
  <packaging>${packaging}</packaging>
</project>
`;
}
