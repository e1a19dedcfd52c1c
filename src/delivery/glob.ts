/**
 * Globs as GitHub's filters have them: `*` any text within a segment, `**` any text at all, `?` one character of a
 * segment, everything else stands for itself. Globs come from the repos themselves, and matching by regular expressions
 * lets one of 10 characters stop the process (picomatch: `*a*a*a*a*b` takes 45 s on 250 letters), so this walks all
 * places a match could be at, in time glob × text.
 */
export function globMatches(glob: string, text: string): boolean {
  return walk(stepsOf(glob, "segment"), text);
}

export function matchesAny(globs: readonly string[], text: string): boolean {
  return globs.some((glob) => globMatches(glob, text));
}

/** The same for plain names, where a slash is a letter like any other: `*` asks for `build / test` too. */
export function nameMatches(glob: string, name: string): boolean {
  return glob === name || walk(stepsOf(glob, "name"), name);
}

/** A character as it is, or: one of a segment, some of a segment, some, and `**` with a slash (nothing, or some up to a slash). */
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

/** Adds a place, and those behind it that need no character. */
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
