/*
 * Maven's own order of versions: https://maven.apache.org/pom.html#version-order-specification
 */

/** One part of a version, and what separates it from the one before. */
interface Token {
  prefix: "." | "-";
  value: string;
}

const QUALIFIERS = ["alpha", "beta", "milestone", "rc", "snapshot", "", "sp"];
const ALIASES: Record<string, string> = { cr: "rc", final: "", ga: "", release: "" };
const SHORT: Record<string, string> = { a: "alpha", b: "beta", m: "milestone" };
/** A version with one of these comes before its release. */
const BEFORE_RELEASE = new Set(["alpha", "beta", "milestone", "rc", "snapshot"]);

export function compareVersions(a: string, b: string): number {
  const [left, right] = [tokensOf(a), tokensOf(b)];
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const one = left[index] ?? padding(right[index]);
    const other = right[index] ?? padding(left[index]);
    const order = compareTokens(one, other);
    if (order !== 0) return order;
  }
  return 0;
}

export function isPrerelease(version: string): boolean {
  return tokensOf(version).some(({ value }) => BEFORE_RELEASE.has(value));
}

function tokensOf(version: string): Token[] {
  const tokens: Token[] = [];
  for (const [, separator, digits, letters] of version
    .toLowerCase()
    .matchAll(/([.\-_]|(?<=\d)(?=[^\d.\-_])|(?<=[^\d.\-_])(?=\d)|^)(?:(\d+)|([^\d.\-_]*))/g)) {
    const prefix = separator === "." || tokens.length === 0 ? "." : "-";
    tokens.push({ prefix, value: digits?.replace(/^0+(?=\d)/, "") ?? letters ?? "" });
  }
  const named = tokens.map(({ prefix, value }, index) => {
    const next = tokens[index + 1];
    const short = next?.prefix === "-" && isNumber(next.value) ? SHORT[value] : undefined;
    return { prefix, value: short ?? ALIASES[value] ?? value };
  });
  return trimmed(named);
}

/** Removes empty and zero parts at the end and before each "-". */
function trimmed(tokens: Token[]): Token[] {
  const kept: Token[] = [];
  const trim = () => {
    for (let last = kept.at(-1); last && isNull(last.value); last = kept.at(-1)) kept.pop();
  };
  for (const token of tokens) {
    if (token.prefix === "-") trim();
    kept.push(token);
  }
  trim();
  return kept;
}

function padding(other: Token | undefined): Token {
  const prefix = other?.prefix ?? ".";
  return { prefix, value: prefix === "." && isNumber(other?.value ?? "") ? "0" : "" };
}

function compareTokens(a: Token, b: Token): number {
  const [left, right] = [classOf(a), classOf(b)];
  if (left !== right) return left - right;
  if (isNumber(a.value)) return a.value.length - b.value.length || compareText(a.value, b.value);
  return rankOf(a.value) - rankOf(b.value) || compareText(a.value, b.value);
}

/** `.qualifier` = `-qualifier` < `-number` < `.number` */
function classOf({ prefix, value }: Token): number {
  if (!isNumber(value)) return 0;
  return prefix === "-" ? 1 : 2;
}

function rankOf(value: string): number {
  const known = QUALIFIERS.indexOf(value);
  return known === -1 ? QUALIFIERS.length : known;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isNumber(value: string): boolean {
  return /^\d+$/.test(value);
}

function isNull(value: string): boolean {
  return value === "" || value === "0";
}
