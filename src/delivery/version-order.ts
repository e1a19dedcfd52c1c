import semver from "semver";

/**
 * Semantic versions as text whose order by bytes is their precedence (semver §11), so that an index of a database finds
 * a range of them. A number is preceded by a letter that stands for its count of digits. After the patch comes `~` for
 * a release, which sorts after every pre-release, or `-` and the identifiers, each with `!` at its end.
 */

/** The key of a version; null: it is no semantic version. */
export function versionKey(version: string): string | null {
  const parsed = semver.parse(version);
  if (parsed === null) return null;
  const { prerelease } = parsed;
  return prefixOf(parsed) + (prerelease.length === 0 ? RELEASE : `-${prerelease.map(identifierKey).join("")}`);
}

const RELEASE = "~";
/** Sorts after every key: `~` is the last character that a key may have. */
const LAST = "~~";

/** Keys from `from`, without `from` itself if it is not `included`; the same for `to`. */
export interface KeyInterval {
  from: string;
  includesFrom: boolean;
  to: string;
  includesTo: boolean;
  /** The prefixes of keys whose pre-releases count. Null: all pre-releases count. */
  prereleasesOf: string[] | null;
}

/**
 * The intervals of keys that a range of versions covers, by the rules of npm: a pre-release is in a range only if the
 * range names a pre-release of the same version.
 * @param options.includePrerelease counts every pre-release in the range
 * @returns null if the text is no range
 */
export function rangeIntervals(range: string, { includePrerelease = false } = {}): KeyInterval[] | null {
  try {
    const { set } = new semver.Range(range, { includePrerelease });
    return set.map((comparators) => intervalOf(comparators, includePrerelease));
  } catch {
    // The only thing that the constructor throws for is a text that is no range.
    return null;
  }
}

/** Whether a key is in one of the intervals. */
export function isInIntervals(key: string, intervals: readonly KeyInterval[]): boolean {
  return intervals.some(({ from, includesFrom, to, includesTo, prereleasesOf }) => {
    if (includesFrom ? key < from : key <= from) return false;
    if (includesTo ? key > to : key >= to) return false;
    return (
      key.endsWith(RELEASE) || prereleasesOf === null || prereleasesOf.some((prefix) => key.startsWith(`${prefix}-`))
    );
  });
}

function intervalOf(comparators: readonly semver.Comparator[], includePrerelease: boolean): KeyInterval {
  const interval: KeyInterval = {
    ...{ from: "", includesFrom: true, to: LAST, includesTo: true },
    prereleasesOf: includePrerelease ? null : [],
  };
  for (const { operator, semver: version } of comparators) {
    // The comparator of `*`, whose version is a symbol and not a SemVer.
    if (!(version instanceof semver.SemVer)) continue;
    const key = versionKey(version.version) ?? "";
    if (version.prerelease.length > 0) interval.prereleasesOf?.push(prefixOf(version));
    if (operator !== "<" && operator !== "<=" && key >= interval.from) {
      interval.includesFrom = operator !== ">" && (key > interval.from || interval.includesFrom);
      interval.from = key;
    }
    if (operator !== ">" && operator !== ">=" && key <= interval.to) {
      interval.includesTo = operator !== "<" && (key < interval.to || interval.includesTo);
      interval.to = key;
    }
  }
  return interval;
}

function prefixOf({ major, minor, patch }: semver.SemVer): string {
  return [major, minor, patch].map(numberKey).join("");
}

/** A number of identifiers sorts before one of letters. */
function identifierKey(identifier: string | number): string {
  return typeof identifier === "number" ? `0${numberKey(identifier)}!` : `1${identifier}!`;
}

/** `a5`, `b17`: a number with more digits is larger. */
function numberKey(value: number): string {
  const digits = String(value);
  return String.fromCharCode("a".charCodeAt(0) + digits.length - 1) + digits;
}
