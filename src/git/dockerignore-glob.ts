/**
 * One pattern of an ignore file. It takes time proportional to pattern × path. Users write these patterns, and a
 * regular expression made from one could block the whole process.
 */
export type Glob = (path: string) => boolean;

/** One step of a pattern. */
type Step =
  | { is: "one"; accepts: (char: string) => boolean }
  /** Any number of characters. `slash`: `/` may be among them. */
  | { is: "many"; slash: boolean }
  /** The next two steps may be skipped: `**` and its `/`. */
  | { is: "maybe" };

/**
 * Compiles a pattern of Go's filepath.Match (`*`, `?`, `[a-z]`, `\`) with Docker's `**` for any number of folders.
 * @throws SyntaxError for a class or an escape that does not end
 */
export function compileGlob(pattern: string): Glob {
  if (!/[*?[\\]/.test(pattern)) return (path) => path === pattern;
  const steps = stepsOf(Array.from(pattern));
  return (path) => run(steps, path);
}

function stepsOf(chars: string[]): Step[] {
  const steps: Step[] = [];
  let at = 0;
  while (at < chars.length) {
    const char = chars[at] ?? "";
    if (char === "*" && chars[at + 1] === "*") {
      at += chars[at + 2] === "/" ? 3 : 2;
      steps.push(...doubleStar(chars, at));
    } else if (char === "*") {
      steps.push({ is: "many", slash: false });
      at += 1;
    } else if (char === "?") {
      steps.push({ is: "one", accepts: (one) => one !== "/" });
      at += 1;
    } else if (char === "[") {
      // Docker checks the form of classes only up to the first star.
      const [step, next] = readClass(chars, at + 1, !chars.slice(0, at).includes("*"));
      steps.push(step);
      at = next;
    } else {
      const literal = char === "\\" ? chars[at + 1] : char;
      if (literal === undefined)
        throw new SyntaxError("a backslash must be followed by the character that it protects");
      steps.push({ is: "one", accepts: (one) => one === literal });
      at += char === "\\" ? 2 : 1;
    }
  }
  return steps;
}

/** @param at the position after the stars and their slash */
function doubleStar(chars: string[], at: number): Step[] {
  const rest = chars.slice(at).join("");
  // BuildKit reads a leading `**.log` as "ends with .log". Elsewhere the stars stand for whole folders.
  const isSuffix = at === 2 && !/[*?[\\]/.test(rest);
  if (rest === "" || isSuffix) return [{ is: "many", slash: true }];
  return [{ is: "maybe" }, { is: "many", slash: true }, { is: "one", accepts: (one) => one === "/" }];
}

/** A class as in filepath.Match: `[abc]`, `[a-z]`, `[^a-z]`. @param start the position after the bracket */
function readClass(chars: string[], start: number, isStrict: boolean): [Step, next: number] {
  const negated = chars[start] === "^";
  let at = negated ? start + 1 : start;
  const ranges: [string, string][] = [];
  const take = (): string => {
    const isBare = chars[at] === "-" || chars[at] === "]";
    if (isStrict && isBare) throw new SyntaxError(`a ${chars[at]} in a [ ] needs a \\ before it`);
    if (chars[at] === "\\") at += 1;
    const char = chars[at];
    if (char === undefined) throw new SyntaxError("a [ must be closed by a ]");
    at += 1;
    return char;
  };
  do {
    const low = take();
    const isRange = chars[at] === "-" && (isStrict || chars[at + 1] !== "]");
    if (isRange) at += 1;
    ranges.push([low, isRange ? take() : low]);
  } while (chars[at] !== "]");
  const accepts = (char: string) =>
    char !== "/" && ranges.some(([low, high]) => low <= char && char <= high) !== negated;
  return [{ is: "one", accepts }, at + 1];
}

/** Follows all possible paths through the steps at the same time. */
function run(steps: Step[], text: string): boolean {
  let states = reach(steps, [0]);
  for (const char of text) {
    const next: number[] = [];
    for (const state of states) {
      const step = steps[state];
      if (step?.is === "one" && step.accepts(char)) next.push(state + 1);
      if (step?.is === "many" && (step.slash || char !== "/")) next.push(state);
    }
    if (next.length === 0) return false;
    states = reach(steps, next);
  }
  return states.has(steps.length);
}

/** The states that can be reached without another character. */
function reach(steps: Step[], from: number[]): Set<number> {
  const states = new Set(from);
  for (const state of states) {
    const step = steps[state];
    if (step?.is === "many") states.add(state + 1);
    if (step?.is === "maybe") states.add(state + 1).add(state + 3);
  }
  return states;
}
