import { Refused } from "../../../delivery/errors.ts";
import type { FrozenFile } from "../../../delivery/types.ts";
import type { Version } from "../files/shelf.ts";

export interface Coordinates {
  group: string;
  artifact: string;
  version: string;
}

/** The coordinates of a name `group:artifact` and a version. @throws Refused `name-invalid` */
export function coordinatesOf({ name }: Pick<Version, "name">): Coordinates {
  const [group = "", artifact = "", ...others] = name.repository.split(":");
  const parts = { group, artifact, version: name.tag };
  if (others.length === 0 && Object.values(parts).every((part) => /^[\w+-]+(?:\.[\w+-]+)*$/.test(part))) return parts;
  throw new Refused(
    "name-invalid",
    `${JSON.stringify(`${name.repository}:${name.tag}`.slice(0, 150))} is not group:artifact and a version: ` +
      'use letters, digits, "_", "-", "+", and "." between them.',
  );
}

/** The folder of an artifact in Maven's repository layout. */
export function artifactFolder({ group, artifact }: Coordinates): string {
  return `${group.replaceAll(".", "/")}/${artifact}`;
}

/** @param suffix as in `-sources.jar` */
export function pathOf(at: Coordinates, suffix: string): string {
  return `${artifactFolder(at)}/${at.version}/${at.artifact}-${at.version}${suffix}`;
}

/**
 * The part of a file's name after `<artifact>-<version>`. If a build names its files otherwise, it has one main file,
 * and the other names start with that file's name: `app.jar`, `app-sources.jar`. @throws Refused `name-invalid`
 */
export function suffixOf(file: FrozenFile, { files }: Pick<Version, "files">, at: Coordinates): string {
  if (isPom(file)) return ".pom";
  const own = afterStem(file.name, `${at.artifact}-${at.version}`);
  const stems = files.filter((each) => !isPom(each)).map(({ name }) => name.replace(/\.[^.]*$/, ""));
  const shortest = stems.reduce((a, b) => (b.length < a.length ? b : a), stems[0] ?? "");
  const suffix = own ?? afterStem(file.name, shortest);
  if (suffix !== null) return suffix;
  throw new Refused(
    "name-invalid",
    `the name of ${file.name} does not say which file of ${at.group}:${at.artifact} it is: ` +
      `rename it to ${at.artifact}-${at.version}-<classifier>.jar.`,
  );
}

export function isPom({ name }: FrozenFile): boolean {
  return name === "pom.xml" || name.endsWith(".pom");
}

function afterStem(name: string, stem: string): string | null {
  const rest = name.startsWith(stem) ? name.slice(stem.length) : "";
  return /^[.-]./.test(rest) ? rest : null;
}
