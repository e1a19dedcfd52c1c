import { parseXml, XmlElement } from "@rgrove/parse-xml";
import type { Coordinates } from "./coordinates.ts";
import { compareVersions, isPrerelease } from "./version-order.ts";
import { escapeXml } from "./xml.ts";

/** The content of an artifact's `maven-metadata.xml`. */
export interface MavenMetadata {
  versions: string[];
  latest: string | null;
  release: string | null;
}

export const NO_METADATA: MavenMetadata = { versions: [], latest: null, release: null };

/** Null: it is no such file. */
export function readMetadata(xml: string): MavenMetadata | null {
  const root = rootOf(xml);
  if (root?.name !== "metadata") return null;
  const [versioning] = childrenOf(root, "versioning");
  const textOf = (name: string) => childrenOf(versioning, name)[0]?.text.trim() || null;
  const listed = childrenOf(childrenOf(versioning, "versions")[0], "version").map(({ text }) => text.trim());
  return {
    versions: listed.filter((version) => version !== ""),
    latest: textOf("latest"),
    release: textOf("release"),
  };
}

/** Whether it lists the version, and `latest` and `release` are right. */
export function isUpToDate(metadata: MavenMetadata, { version }: Coordinates): boolean {
  const { latest, release } = newest(metadata.versions);
  return metadata.versions.includes(version) && metadata.latest === latest && metadata.release === release;
}

/**
 * The file with one more version: https://maven.apache.org/ref/3.9.9/maven-repository-metadata/repository-metadata.html
 * `latest` is the highest version, and `release` the highest that is no pre-release, whatever was deployed last.
 */
export function withVersion(metadata: MavenMetadata, { group, artifact, version }: Coordinates, now: Date): string {
  const versions = [...new Set([...metadata.versions, version])].sort(compareVersions);
  const { latest, release } = newest(versions);
  return `<?xml version="1.0" encoding="UTF-8"?>
<metadata>
  <groupId>${group}</groupId>
  <artifactId>${artifact}</artifactId>
  <versioning>
    <latest>${escapeXml(latest)}</latest>
    <release>${escapeXml(release)}</release>
    <versions>
${versions.map((each) => `      <version>${escapeXml(each)}</version>\n`).join("")}    </versions>
    <lastUpdated>${now.toISOString().replace(/\D/g, "").slice(0, 14)}</lastUpdated>
  </versioning>
</metadata>
`;
}

function newest(versions: string[]): { latest: string; release: string } {
  const sorted = versions.toSorted(compareVersions);
  const latest = sorted.at(-1) ?? "";
  return { latest, release: sorted.findLast((version) => !isPrerelease(version)) ?? latest };
}

function rootOf(xml: string): XmlElement | null {
  try {
    return parseXml(xml).root;
  } catch {
    return null;
  }
}

function childrenOf(element: XmlElement | undefined, name: string): XmlElement[] {
  return (element?.children ?? []).filter(
    (child): child is XmlElement => child instanceof XmlElement && child.name === name,
  );
}
