/**
 * Globs by which a host names required checks, as Gitea and Forgejo read them: `*` and `**` match any text, `?` one
 * character, `{a,b}` one of several globs, `[abc]`, `[a-z]` and `[!a]` one character, and a backslash takes the next
 * character literally. A slash is an ordinary character. People who may not be trusted write them: this keeps a set of
 * all possible positions, and takes time proportional to glob × name. With regular expressions, which Gitea uses, a
 * short glob can stop a process that is not written in Go.
 * @returns null: it is not such a glob, or hosts differ in what it means
 */
export function compileHostGlob(glob: string): ((name: string) => boolean) | null {
  if (glob.length > MAX_LENGTH) return null;
  const parser = new Parser(glob);
  const first = parser.parse();
  return first === null ? null : (name) => walk(parser.steps, first, name);
}

/** Braces may be nested as deep as the glob is long, and each of them is a call within a call. */
const MAX_LENGTH = 1_000;

/**
 * `character` goes on with `next` after a character that fits, `fork` with any of `next` without one. `next` holds
 * places in the list of steps.
 */
type Step =
  | { kind: "character"; fits: (character: string) => boolean; next: number }
  | { kind: "fork"; next: number[] }
  | { kind: "end" };

/** A part of the glob: where it begins, and the forks that lead out of it. */
interface Part {
  first: number;
  exit: { kind: "fork"; next: number[] };
}

class Parser {
  readonly steps: Step[] = [];
  readonly #characters: string[];
  #at = 0;

  constructor(glob: string) {
    this.#characters = [...glob];
  }

  /** @returns the place of the first step. Null: the glob is not usable */
  parse(): number | null {
    const whole = this.#sequence(false);
    if (whole === null || this.#at < this.#characters.length) return null;
    whole.exit.next.push(this.#add({ kind: "end" }));
    return whole.first;
  }

  /** Up to the end, or within braces up to `,` or `}`, which is not taken. */
  #sequence(isWithin: boolean): Part | null {
    const start = this.#fork();
    let exit = start.exit;
    for (let next = this.#peek(); next !== undefined; next = this.#peek()) {
      if (isWithin && (next === "," || next === "}")) return { first: start.first, exit };
      this.#at += 1;
      const part = this.#part(next);
      if (part === null) return null;
      exit.next.push(part.first);
      exit = part.exit;
    }
    return isWithin ? null : { first: start.first, exit };
  }

  /** @param character the first one of the part, which is taken already */
  #part(character: string): Part | null {
    switch (character) {
      case "*":
        return this.#star();
      case "?":
        return this.#one(() => true);
      case "{":
        return this.#alternatives();
      case "[": {
        const fits = this.#characterClass();
        return fits === null ? null : this.#one(fits);
      }
      case "\\": {
        const literal = this.#escaped();
        return literal === null ? null : this.#one((each) => each === literal);
      }
      default:
        return this.#one((each) => each === character);
    }
  }

  #star(): Part {
    const { first, exit: loop } = this.#fork();
    const out = this.#fork();
    loop.next.push(this.#add({ kind: "character", fits: () => true, next: first }), out.first);
    return { first, exit: out.exit };
  }

  #one(fits: (character: string) => boolean): Part {
    const out = this.#fork();
    return { first: this.#add({ kind: "character", fits, next: out.first }), exit: out.exit };
  }

  #alternatives(): Part | null {
    const start = this.#fork();
    const out = this.#fork();
    for (;;) {
      const part = this.#sequence(true);
      if (part === null) return null;
      start.exit.next.push(part.first);
      part.exit.next.push(out.first);
      this.#at += 1;
      if (this.#characters[this.#at - 1] === "}") return { first: start.first, exit: out.exit };
    }
  }

  /** `abc]`, `a-z]` or `!a]`. Null: it is empty, is not closed, or hosts differ in what it means. */
  #characterClass(): ((character: string) => boolean) | null {
    const isNegative = this.#peek() === "!";
    if (isNegative) this.#at += 1;
    const ranges: [from: string, to: string][] = [];
    for (;;) {
      const from = this.#member();
      if (from === null) return null;
      if (from === "]") break;
      const isRange = this.#peek() === "-" && this.#characters[this.#at + 1] !== "]";
      if (!isRange) ranges.push([from.literal, from.literal]);
      else {
        this.#at += 1;
        const to = this.#member();
        if (to === null || to === "]" || to.literal < from.literal) return null;
        ranges.push([from.literal, to.literal]);
      }
    }
    if (ranges.length === 0) return null;
    return (character) => ranges.some(([from, to]) => from <= character && character <= to) !== isNegative;
  }

  /** A character of a class, or its end. `^` and `[` mean something to some hosts only. */
  #member(): { literal: string } | "]" | null {
    const next = this.#peek();
    this.#at += 1;
    if (next === "]") return next;
    if (next === undefined || next === "[" || next === "^") return null;
    const literal = next === "\\" ? this.#escaped() : next;
    return literal === null ? null : { literal };
  }

  /** A backslash before a letter or a digit means something to some hosts only. */
  #escaped(): string | null {
    const next = this.#peek();
    this.#at += 1;
    return next === undefined || /[\p{L}\p{N}]/u.test(next) ? null : next;
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #fork(): Part {
    const exit: Part["exit"] = { kind: "fork", next: [] };
    return { first: this.#add(exit), exit };
  }

  #add(step: Step): number {
    return this.steps.push(step) - 1;
  }
}

function walk(steps: readonly Step[], first: number, name: string): boolean {
  let places = new Set<number>();
  reach(steps, first, places);
  for (const character of name) {
    const next = new Set<number>();
    for (const place of places) {
      const step = steps[place];
      if (step?.kind === "character" && step.fits(character)) reach(steps, step.next, next);
    }
    places = next;
  }
  // The end is added last.
  return places.has(steps.length - 1);
}

/** Adds a position, and those after it that can be reached without a character. */
function reach(steps: readonly Step[], from: number, places: Set<number>): void {
  const open = [from];
  for (let place = open.pop(); place !== undefined; place = open.pop()) {
    if (places.has(place)) continue;
    places.add(place);
    const step = steps[place];
    if (step?.kind === "fork") open.push(...step.next);
  }
}
