import { UserError } from "./errors.ts";
import type { ArtifactKind } from "./types.ts";

/**
 * The version as the artifact's ecosystem writes it. The ecosystem then sorts versions as semver does.
 * @throws UserError `version-unspeakable` if the ecosystem cannot write it
 */
export function ecosystemVersion(kind: ArtifactKind, version: string): string {
  switch (kind) {
    case "jar":
      return mavenVersion(version) ?? unspeakable(version, "a release in Maven", "must not end in SNAPSHOT");
    case "wheel":
      return (
        pythonVersion(version) ??
        unspeakable(version, "a Python version (PEP 440)", "allows only the pre-releases alpha, beta, rc and dev")
      );
    case "image":
    case "npm":
    case "file":
    case "ami":
      return version;
  }
}

function unspeakable(version: string, what: string, why: string): never {
  throw new UserError(
    "version-unspeakable",
    `${version} cannot be written as ${what}, which ${why}. Use a tag such as v1.2.3-rc.1.`,
  );
}

/** As `untaggedVersion` makes it: `1.2.4-5.gab12cd3`. */
const UNTAGGED = /^(\d+\.\d+\.\d+)-(\d+)\.g([0-9a-f]{7})$/;

/** Qualifiers that Maven sorts below the release: https://maven.apache.org/pom.html#version-order-specification */
const BELOW_RELEASE = /^(?:(?:alpha|beta|milestone|rc|cr)(?![A-Za-z])|[abm]\d)/i;

/**
 * Maven sorts `1.2.4-5` and `1.2.4-dev.1` above `1.2.4`, so such a version becomes an alpha. Null: the version ends in
 * SNAPSHOT, which no release in Maven may.
 */
export function mavenVersion(version: string): string | null {
  if (/snapshot$/i.test(version)) return null;
  const [, release = version, qualifier] = /^([^-]+)-(.*)$/.exec(version) ?? [];
  return qualifier === undefined || BELOW_RELEASE.test(qualifier) ? version : `${release}-alpha.${qualifier}`;
}

/** `rc.1`, `rc1` or `rc`. PEP 440 knows other words for the same: with them, two versions would become one. */
const PRE_RELEASE = /^(\d+\.\d+\.\d+)-(alpha|a|beta|b|rc|dev)\.?(\d*)$/i;
const SHORT: Record<string, string> = { alpha: "a", beta: "b", dev: ".dev" };

/** Decimal digits for 7 hex digits of a commit's id: they are at most 268435455. */
const COMMIT_ID_DIGITS = 9;

/**
 * The version by PEP 440. Null: PEP 440 cannot write it. An index refuses local versions, so the dev number of an
 * untagged commit has to be unique: it is the count, which rises along every history, and then the commit's 7 hex
 * digits as 9 decimal ones. Two different untagged versions never become one. Times are not used: two commits may have
 * the same time, and a commit may have an earlier time than its parent.
 */
export function pythonVersion(version: string): string | null {
  const [, base, count, id = ""] = UNTAGGED.exec(version) ?? [];
  if (base !== undefined)
    return `${base}.dev${count}${String(Number.parseInt(id, 16)).padStart(COMMIT_ID_DIGITS, "0")}`;
  if (!version.includes("-")) return version;
  const [, release, word = "", number] = PRE_RELEASE.exec(version) ?? [];
  if (release === undefined) return null;
  const label = word.toLowerCase();
  return `${release}${SHORT[label] ?? label}${plain(number)}`;
}

/**
 * https://packaging.python.org/en/latest/specifications/version-specifiers/#appendix-parsing-version-strings-with-regular-expressions
 */
const PEP440 =
  /^v?(?:(\d+)!)?(\d+(?:\.\d+)*)(?:[-_.]?(alpha|a|beta|b|preview|pre|c|rc)[-_.]?(\d*))?(?:-(\d+)|[-_.]?(post|rev|r)[-_.]?(\d*))?(?:[-_.]?(dev)[-_.]?(\d*))?(?:\+([a-z0-9]+(?:[-_.][a-z0-9]+)*))?$/;
const PRE: Record<string, string> = { alpha: "a", beta: "b", c: "rc", pre: "rc", preview: "rc" };

/** The normalised form of a version by PEP 440. Null: it is no such version. */
export function normalPythonVersion(text: string): string | null {
  const match = PEP440.exec(text.trim().toLowerCase());
  if (match === null) return null;
  const [, epoch = "0", release = "", pre, preNumber, dashPost, post, postNumber, dev, devNumber, local] = match;
  const numbers = release.split(".").map(plain);
  while (numbers.length > 1 && numbers.at(-1) === "0") numbers.pop();
  return [
    plain(epoch) === "0" ? "" : `${plain(epoch)}!`,
    numbers.join("."),
    pre === undefined ? "" : `${PRE[pre] ?? pre}${plain(preNumber)}`,
    dashPost !== undefined ? `.post${plain(dashPost)}` : post === undefined ? "" : `.post${plain(postNumber)}`,
    dev === undefined ? "" : `.dev${plain(devNumber)}`,
    local === undefined ? "" : `+${local.split(/[-_.]/).map(localPart).join(".")}`,
  ].join("");
}

function plain(digits = ""): string {
  return digits.replace(/^0+(?=\d)/, "") || "0";
}

function localPart(part: string): string {
  return /^\d+$/.test(part) ? plain(part) : part;
}
