/** PatternChar character of a pattern. Null: any character. */
type PatternChar = string | null;

/** The parts of a pattern between its stars. */
type Segments = PatternChar[][];

/** A pattern that BuildKit refuses. */
export class BadPattern extends Error {}

/** The pattern would take too long: only the engine can say what it gives. */
export class TooCostly extends Error {}

/** Character comparisons for one pattern. */
const MAX_COMPARISONS = 4_000_000;

/**
 * The shell's `${NAME#pattern}` and `${NAME%pattern}`: removes the shortest match at the start or the end, or the
 * longest one if the sign is doubled. It knows `*` and `?`, but no brackets.
 * @param word the pattern, after the second sign if there is one
 * @throws BadPattern, TooCostly
 */
export function trimPattern(word: string, value: string, sign: string): string {
  const longest = word.startsWith(sign);
  const pattern = longest ? word.slice(1) : word;
  const fromStart = sign === "#";
  const [segments, text] = prepared(
    fromStart ? pattern : reversedPattern(pattern),
    fromStart ? value : reversed(value),
  );
  const rest = text.slice(matchAt(segments, text, 0, longest) ?? 0).join("");
  return fromStart ? rest : reversed(rest);
}

/**
 * The shell's `${NAME/pattern/with}` and `${NAME//pattern/with}`: replaces the longest match from the left.
 * @throws BadPattern, TooCostly
 */
export function replacePattern(pattern: string, value: string, replacement: string, all: boolean): string {
  const [segments, text] = prepared(pattern, value);
  // Go would read a dollar sign as a group of its regular expression.
  if (all && (replacement.includes("$") || replacement.length * (text.length + 1) > MAX_COMPARISONS))
    throw new TooCostly();
  let out = "";
  let done = 0;
  for (let at = 0; at <= text.length; ) {
    const start = firstOf(segments[0] ?? [], text, at);
    const end = start === null ? null : matchAt(segments, text, start, true);
    // The other segments were not found after this place, so they are not after a later one.
    if (start === null || end === null) break;
    // Like Go: no empty match directly after another match.
    if (end > done || start === 0) {
      out += text.slice(done, start).join("") + replacement;
      done = end;
    }
    if (!all) break;
    at = Math.max(end, at + 1);
  }
  return out + text.slice(done).join("");
}

function prepared(pattern: string, value: string): [Segments, string[]] {
  const text = Array.from(value);
  // In Go's regular expressions a star does not match a line end.
  if (value.includes("\n") || pattern.length * (text.length + 1) > MAX_COMPARISONS) throw new TooCostly();
  return [compile(Array.from(pattern)), text];
}

function compile(pattern: string[]): Segments {
  const segments: Segments = [[]];
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at] ?? "";
    const next = pattern[at + 1];
    if (char === "*") segments.push([]);
    else if (char === "?") segments.at(-1)?.push(null);
    else if (char !== "\\") segments.at(-1)?.push(char);
    else if (next !== "}" && next !== "/") {
      if (next !== "*" && next !== "?" && next !== "\\") throw new BadPattern(`invalid escape '\\${next ?? ""}'`);
      segments.at(-1)?.push(next);
      at += 1;
    }
  }
  return segments;
}

/** The end of the longest (or shortest) match that begins exactly at `start`; null: there is none. */
function matchAt(segments: Segments, text: string[], start: number, longest: boolean): number | null {
  const [first = [], ...others] = segments;
  if (!standsAt(first, text, start)) return null;
  let end = start + first.length;
  for (const [index, segment] of others.entries()) {
    const isLast = index === others.length - 1;
    const found = isLast && longest ? lastOf(segment, text, end) : firstOf(segment, text, end);
    if (found === null) return null;
    end = found + segment.length;
  }
  return end;
}

function standsAt(segment: PatternChar[], text: string[], start: number): boolean {
  return (
    start + segment.length <= text.length && segment.every((one, index) => one === null || one === text[start + index])
  );
}

function firstOf(segment: PatternChar[], text: string[], from: number): number | null {
  for (let at = from; at + segment.length <= text.length; at++) if (standsAt(segment, text, at)) return at;
  return null;
}

function lastOf(segment: PatternChar[], text: string[], from: number): number | null {
  for (let at = text.length - segment.length; at >= from; at--) if (standsAt(segment, text, at)) return at;
  return null;
}

function reversed(text: string): string {
  return Array.from(text).reverse().join("");
}

/** Reverses a pattern, with every escape still before the character that it protects. */
function reversedPattern(pattern: string): string {
  return (pattern.match(/\\.|./gsu) ?? []).reverse().join("");
}
