/** One way to log in that a server offers. */
export interface Challenge {
  /** Lower case. */
  scheme: string;
  /** Names in lower case; of a name that comes twice, the first. */
  params: Record<string, string>;
}

const BLANK = /[\s,;]*/y;
/** A value may stand without quotes though it is no token: some write a URL like that. A quote that never ends takes the rest. */
const PARAM = /([\w!#$%&'*+.^`|~-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)(?:"|$)|([^\s,;"=][^\s,;"]*)|(?=[\s,;]|$))/sy;
const SCHEME = /([\w!#$%&'*+.^`|~-]+)(?:[ \t]+[\w.~+/-]+=*(?=[ \t]*(?:,|$)))?(?=[\s,;]|$)/y;
const GARBAGE = /"(?:[^"\\]|\\.)*(?:"|$)|./sy;

/**
 * The challenges of a `WWW-Authenticate` header, or of several that were joined by commas (RFC 9110, 11.6.1). Parameters
 * and challenges are separated by the same comma, so each is told by what it looks like. What is neither is passed over.
 */
export function readChallenges(header: string): Challenge[] {
  const challenges: Challenge[] = [];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(header);
    if (found !== null) at += found[0].length;
    return found;
  };
  for (take(BLANK); at < header.length; take(BLANK)) {
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
