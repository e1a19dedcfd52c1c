import type { Coordinates } from "./coordinates.ts";
import { compareVersions, isPrerelease } from "./version-order.ts";

/** The versions that a `maven-metadata.xml` of an artifact lists. */
function versionsIn(xml: string): string[] {
  const [, list = ""] = /<versions>([\s\S]*?)<\/versions>/.exec(xml) ?? [];
  return [...list.matchAll(/<version>\s*([^<\s]+)\s*<\/version>/g)].map((match) => match[1] ?? "");
}

/** Whether it lists the version, and names the right ones as latest and release. */
export function isUpToDate(xml: string, { version }: Coordinates): boolean {
  const versions = versionsIn(xml);
  const { latest, release } = newest(versions);
  return versions.includes(version) && valueIn(xml, "latest") === latest && valueIn(xml, "release") === release;
}

/**
 * The same with one more version: https://maven.apache.org/ref/3.9.9/maven-repository-metadata/repository-metadata.html.
 * Whatever is deployed last, `latest` is the highest version, and `release` the highest that is no pre-release, if any.
 */
export function withVersion(xml: string, { group, artifact, version }: Coordinates, now: Date): string {
  const versions = [...new Set([...versionsIn(xml), version])].sort(compareVersions);
  const { latest, release } = newest(versions);
  return `<?xml version="1.0" encoding="UTF-8"?>
<metadata>
  <groupId>${group}</groupId>
  <artifactId>${artifact}</artifactId>
  <versioning>
    <latest>${latest}</latest>
    <release>${release}</release>
    <versions>
${versions.map((each) => `      <version>${each}</version>\n`).join("")}    </versions>
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

function valueIn(xml: string, element: string): string | undefined {
  return new RegExp(`<${element}>\\s*([^<\\s]+)\\s*</${element}>`).exec(xml)?.[1];
}
