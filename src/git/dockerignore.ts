import { posix } from "node:path";
import { UserError } from "../delivery/errors.ts";
import { compileGlob, type Glob } from "./dockerignore-glob.ts";

interface Rule {
  matches: Glob;
  /** A line with `!`: what it matches is sent. */
  exception: boolean;
}

/** For each line, whether it matches a folder. It then matches everything in the folder too. */
type Matched = boolean[];

/**
 * A `.dockerignore` file, read as Docker does: the last line that matches a path or a folder above it decides
 * (https://docs.docker.com/build/concepts/context/#dockerignore-files). Ask about a folder before its contents.
 */
export class Dockerignore {
  readonly #rules: Rule[];
  readonly #folders = new Map<string, Matched>();

  /** @throws UserError("dockerignore-pattern"). The message names `file` and the line. */
  constructor(text: string, file: string) {
    this.#rules = text
      .replace(/^\uFEFF/, "")
      .split(/\r?\n/)
      .flatMap((line, index) => readLine(line, `${file}, line ${index + 1}`));
  }

  ignores(path: string, isFolder: boolean): boolean {
    const above = this.#folders.get(posix.dirname(path));
    const matched = this.#rules.map((rule, index) => above?.[index] === true || rule.matches(path));
    if (isFolder) this.#folders.set(path, matched);
    const last = matched.lastIndexOf(true);
    return last >= 0 && this.#rules[last]?.exception === false;
  }
}

function readLine(line: string, where: string): Rule[] {
  const text = line.trim();
  if (text === "" || line.startsWith("#")) return [];
  const exception = text.startsWith("!");
  const written = exception ? text.slice(1).trim() : text;
  if (exception && /^\/*$/.test(written))
    throw new UserError("dockerignore-pattern", `${where}: a "!" must be followed by a pattern.`);
  const pattern = posix
    .normalize(written)
    .replace(/(.)\/$/, "$1")
    .replace(/^\/(.)/, "$1");
  try {
    return [{ matches: compileGlob(pattern), exception }];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new UserError(
      "dockerignore-pattern",
      `${where}: ${JSON.stringify(text.slice(0, 200))} is not a valid pattern: ${error.message}.`,
    );
  }
}
