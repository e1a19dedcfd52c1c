import { scan } from "./scan.ts";

/** One authentication method that a server offers. */
export interface Challenge {
  /** Lower case. */
  scheme: string;
  /** Names in lower case. If a name comes twice, the first value counts. */
  params: Record<string, string>;
}

const BLANK = /[\s,;]*/y;
/** Some servers write a URL as value without quotes. A quote without an end takes the rest of the header. */
const PARAM = /([\w!#$%&'*+.^`|~-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)(?:"|$)|([^\s,;"=][^\s,;"]*)|(?=[\s,;]|$))/sy;
const SCHEME = /([\w!#$%&'*+.^`|~-]+)(?:[ \t]+[\w.~+/-]+=*(?=[ \t]*(?:,|$)))?(?=[\s,;]|$)/y;
const GARBAGE = /"(?:[^"\\]|\\.)*(?:"|$)|./sy;

/**
 * Parses a `WWW-Authenticate` header, or several that are joined by commas (RFC 9110, 11.6.1). The same comma separates
 * parameters and challenges, so their form decides which is which. Anything else is skipped.
 */
export function readChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  const { take, isAtEnd } = scan(header);
  for (take(BLANK); !isAtEnd(); take(BLANK)) {
    const param = take(PARAM);
    if (param !== null) {
      const [, name = "", quoted, bare] = param;
      const params = challenges.at(-1)?.params ?? {};
      const key = name.toLowerCase();
      if (!Object.hasOwn(params, key)) params[key] = bare ?? quoted?.replace(/\\(.)/gs, "$1") ?? "";
      continue;
    }
    const scheme = take(SCHEME)?.[1];
    if (scheme === undefined) take(GARBAGE);
    else challenges.push({ scheme: scheme.toLowerCase(), params: {} });
  }
  return challenges;
}
