/**
 * Globs as in GitHub's filters: `*` matches any text within a segment, `**` any text, `?` one character of a segment,
 * and every other character itself. Repos write their own globs, and with regular expressions a glob of 10 characters
 * can stop the process (picomatch: `*a*a*a*a*b` takes 45 s on 250 letters). So this keeps a set of all possible
 * positions, and takes time proportional to glob × text.
 */
export function globMatches(glob: string, text: string): boolean {
  return walk(stepsOf(glob, "segment"), text);
}

export function matchesAny(globs: readonly string[], text: string): boolean {
  return globs.some((glob) => globMatches(glob, text));
}

/** The same for names in which a slash is an ordinary character: `*` matches `build / test` too. */
export function nameMatches(glob: string, name: string): boolean {
  return glob === name || walk(stepsOf(glob, "name"), name);
}

/**
 * A literal character, or a wildcard: `one` character of a segment, any text of a `segment`, `all` text. `folders?` and
 * `folders` are the two steps of a `**` with a slash: nothing, or any text up to a slash.
 */
type Step = string | { any: "one" | "segment" | "all" | "folders?" | "folders" };

function stepsOf(glob: string, kind: "segment" | "name"): Step[] {
  const steps: Step[] = [];
  for (const part of glob.match(/(?<=^|\/)\*\*\/|\*+|[\s\S]/gu) ?? []) {
    if (part === "?") steps.push({ any: "one" });
    else if (part === "**/" && kind === "segment") steps.push({ any: "folders?" }, { any: "folders" });
    else if (part.startsWith("*")) {
      steps.push({ any: part === "*" && kind === "segment" ? "segment" : "all" });
      if (part.endsWith("/")) steps.push("/");
    } else steps.push(part);
  }
  return steps;
}

function walk(steps: Step[], text: string): boolean {
  let places = new Set<number>();
  reach(steps, 0, places);
  for (const character of text) {
    const next = new Set<number>();
    for (const place of places) {
      const step = steps[place];
      if (step === undefined) continue;
      if (typeof step === "string") {
        if (step === character) reach(steps, place + 1, next);
      } else if (step.any === "one") {
        if (character !== "/") reach(steps, place + 1, next);
      } else if (step.any === "folders") {
        next.add(place);
        if (character === "/") reach(steps, place + 1, next);
      } else if (step.any === "all" || (step.any === "segment" && character !== "/")) reach(steps, place, next);
    }
    places = next;
  }
  return places.has(steps.length);
}

/** Adds a position, and those after it that can be reached without a character. */
function reach(steps: Step[], place: number, places: Set<number>): void {
  if (places.has(place)) return;
  places.add(place);
  const step = steps[place];
  if (typeof step !== "object") return;
  if (step.any === "segment" || step.any === "all") reach(steps, place + 1, places);
  if (step.any === "folders?") {
    reach(steps, place + 1, places);
    reach(steps, place + 2, places);
  }
}
