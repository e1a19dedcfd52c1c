/** One character of a pattern; null stands for any. */
type One = string | null;

/** What stands between the stars of a pattern. */
type Segments = One[][];

/** A pattern that BuildKit refuses. */
export class BadPattern extends Error {}

/** A pattern that is not followed: only the engine says what it comes to. */
export class TooCostly extends Error {}

/** Characters looked at for one pattern. */
const WORK_MAX = 4_000_000;

/**
 * A shell's `${NAME#pattern}` and `${NAME%pattern}`: without the shortest match at the start or the end, the longest where the sign stands
 * twice. `*` and `?` are known, brackets are not.
 * @param word the pattern, behind the second sign where there is one
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

/** A shell's `${NAME/pattern/with}` and `${NAME//pattern/with}`, the longest match from the left. @throws BadPattern, TooCostly */
export function replacePattern(pattern: string, value: string, replacement: string, all: boolean): string {
  const [segments, text] = prepared(pattern, value);
  // Go reads a dollar sign in it as a group of its regular expression.
  if (all && (replacement.includes("$") || replacement.length * (text.length + 1) > WORK_MAX)) throw new TooCostly();
  let out = "";
  let done = 0;
  for (let at = 0; at <= text.length; ) {
    const start = firstOf(segments[0] ?? [], text, at);
    const end = start === null ? null : matchAt(segments, text, start, true);
    // What follows the first segment was not found: behind a later place of it, it is not either.
    if (start === null || end === null) break;
    // As Go does: no empty match right behind another.
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
  // In Go's expressions a star ends at the end of a line.
  if (value.includes("\n") || pattern.length * (text.length + 1) > WORK_MAX) throw new TooCostly();
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

function standsAt(segment: One[], text: string[], start: number): boolean {
  return (
    start + segment.length <= text.length && segment.every((one, index) => one === null || one === text[start + index])
  );
}

function firstOf(segment: One[], text: string[], from: number): number | null {
  for (let at = from; at + segment.length <= text.length; at++) if (standsAt(segment, text, at)) return at;
  return null;
}

function lastOf(segment: One[], text: string[], from: number): number | null {
  for (let at = text.length - segment.length; at >= from; at--) if (standsAt(segment, text, at)) return at;
  return null;
}

function reversed(text: string): string {
  return Array.from(text).reverse().join("");
}

/** With every escape before what it protects. */
function reversedPattern(pattern: string): string {
  return (pattern.match(/\\.|./gsu) ?? []).reverse().join("");
}
