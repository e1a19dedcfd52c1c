import type * as z from "zod";
import { quoted } from "../delivery/printable.ts";
import { keyOf, type Path, type Problem, type YamlFile } from "./yaml.ts";

/** Keys whose values are never shown, wherever they stand. Types add their own. */
const SECRET_KEYS = ["password", "token", "secret", "secrets", "adminToken", "redisUrl", "databaseUrl"];

/**
 * What zod found, one problem a value. `written` is the data as it stands in the file, before anything was substituted,
 * so that a `${NAME}` is shown as that. `secretKeys`: further keys whose values are never shown.
 */
export function problemsOf(
  error: z.ZodError,
  written: unknown,
  file: Pick<YamlFile, "lineOf">,
  secretKeys: readonly string[] = [],
): Problem[] {
  const secrets = new Set([...SECRET_KEYS, ...secretKeys]);
  return error.issues
    .flatMap((issue) => flatten(issue, []))
    .flatMap(({ issue, path }) => {
      if (issue.code === "unrecognized_keys") {
        return issue.message.split("\n").map((text, index) => {
          const at = [...path, issue.keys[index] ?? ""];
          return { line: file.lineOf(at), key: keyOf(at), text };
        });
      }
      const text = `${found(written, path, secrets)}; expected ${issue.message}`;
      return [{ line: file.lineOf(path), key: keyOf(path), text }];
    });
}

/** As many problems as a person reads at once. */
const MAX_SHOWN = 20;

/** One line a problem: `<file>:<line>: <key>: <what was found>; expected <what, and how>`. */
export function describe(file: string, problems: Problem[]): string {
  const sorted = problems.toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0));
  const more = sorted.length > MAX_SHOWN ? [`and ${sorted.length - MAX_SHOWN} more problems`] : [];
  return [...sorted.slice(0, MAX_SHOWN).map((problem) => problemLine(file, problem)), ...more].join("\n");
}

/** `<file>:<line>: <key>: <text>` */
export function problemLine(file: string, { line, key, text }: Problem): string {
  return [line === null ? file : `${file}:${line}`, key, text].filter((part) => part !== "").join(": ");
}

/** Says of what zod has no message of ours for what was expected. */
export const plainly: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === "invalid_type") return EXPECTED[issue.expected] ?? `a ${issue.expected}`;
  if (issue.code === "too_small")
    return `at least ${issue.minimum} ${issue.origin === "array" ? "in the list" : ""}`.trim();
  return undefined;
};

const EXPECTED: Record<string, string> = {
  array: "a list",
  boolean: "true or false",
  number: "a number",
  object: "a map",
  record: "a map",
  string: "a text; put it in quotes",
};

type Issue = z.core.$ZodIssue;

/** Of a value that may have several forms, the problems of the form it comes nearest to. */
function flatten(issue: Issue, above: Path): { issue: Issue; path: Path }[] {
  const path = [...above, ...issue.path];
  if (issue.code === "invalid_key") return issue.issues.map((inner) => ({ issue: inner, path }));
  if (issue.code === "invalid_union") {
    const near = issue.errors.find((form) =>
      form.every((inner) => inner.path.length > 0 || inner.code !== "invalid_type"),
    );
    if (near !== undefined) return near.flatMap((inner) => flatten(inner, path));
  }
  return [{ issue, path }];
}

function found(written: unknown, path: Path, secrets: ReadonlySet<string>): string {
  let value = written;
  for (const step of path) {
    value = typeof value === "object" && value !== null ? Reflect.get(value, step) : undefined;
  }
  if (value === undefined) return "left out";
  if (value === null) return "empty";
  if (Array.isArray(value)) return value.length === 0 ? "found an empty list" : "found a list";
  if (typeof value === "object") return "found a map";
  if (value === "") return "found an empty text";
  // The URL of a notice may be the secret itself, as those of chat services are.
  const hidden = path.some((step) => secrets.has(String(step))) || (path[0] === "notices" && path.at(-1) === "url");
  if (typeof value !== "string") return hidden ? `found a ${typeof value}` : `found ${String(value)}`;
  // An @ may stand behind credentials, in whatever form somebody wrote them; a query may hold a token.
  return hidden || /@|:\/\/.*\?/.test(value) ? "found a text (not shown)" : `found ${quoted(value)}`;
}
