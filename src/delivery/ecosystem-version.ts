import type { ArtifactKind } from "./types.ts";

/** The version as the artifact's ecosystem writes it, so that its own comparison orders versions as ours does. */
export function ecosystemVersion(kind: ArtifactKind, version: string, committedAt: Date): string {
  switch (kind) {
    case "jar":
      return mavenVersion(version);
    case "wheel":
      return pythonVersion(version, committedAt);
    case "image":
    case "npm":
    case "file":
    case "ami":
      return version;
  }
}

/** What `untaggedVersion` makes: `1.2.4-5.gab12cd3`. */
const UNTAGGED = /^(\d+\.\d+\.\d+)-(\d+)\.g([0-9a-f]{7})$/;

/** Maven sorts `1.2.4-5` above `1.2.4`: https://maven.apache.org/pom.html#version-order-specification */
export function mavenVersion(version: string): string {
  return version.replace(UNTAGGED, "$1-alpha.$2.g$3");
}

/** PEP 440; the commit's time, since an index refuses local versions and two branches may count alike. */
export function pythonVersion(version: string, committedAt: Date): string {
  const [, base] = UNTAGGED.exec(version) ?? [];
  if (base === undefined) return version;
  const time = committedAt.toISOString().replace(/\D/g, "").slice(0, 14);
  return `${base}.dev${time}`;
}
