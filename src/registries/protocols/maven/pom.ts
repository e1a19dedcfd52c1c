import { readZip, UnreadablePackage } from "../../../packages/archive.ts";
import type { VersionUpload } from "../files/shelf.ts";
import { type Coordinates, isPom, suffixOf } from "./coordinates.ts";
import { escapeXml } from "./xml.ts";

/** The POM of a release without a POM file: the one that Maven packed into the jar, or else a minimal one. */
export async function pomOf(release: VersionUpload, at: Coordinates): Promise<Buffer> {
  const main = release.files.find((file) => !isPom(file) && /^\.\w+$/.test(suffixOf(file, release, at)));
  const inside = `META-INF/maven/${at.group}/${at.artifact}/pom.xml`;
  const packed = main === undefined ? [] : await readZip(release.source(main), (path) => path === inside).catch(orNone);
  return packed[0]?.bytes ?? Buffer.from(leastPom(release, at, main ? suffixOf(main, release, at).slice(1) : "pom"));
}

/** The main file may be no zip. */
function orNone(error: unknown): [] {
  if (error instanceof UnreadablePackage) return [];
  throw error;
}

/** A minimal POM. The commit is where Maven's release plugin puts the git tag: https://maven.apache.org/pom.html#SCM */
function leastPom({ content }: VersionUpload, { group, artifact, version }: Coordinates, packaging: string): string {
  const fact = (element: string, key: string) => {
    const value = content.metadata[`org.opencontainers.image.${key}`];
    return value === undefined ? "" : `    <${element}>${escapeXml(value)}</${element}>\n`;
  };
  const scm = fact("url", "source") + fact("tag", "revision");
  return `<?xml version="1.0" encoding="UTF-8"?>
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>${group}</groupId>
  <artifactId>${artifact}</artifactId>
  <version>${version}</version>
  <packaging>${packaging}</packaging>
${scm === "" ? "" : `  <scm>\n${scm}  </scm>\n`}</project>
`;
}
