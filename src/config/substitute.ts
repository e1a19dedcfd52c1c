import { readFileSync } from "node:fs";
import type { Path } from "./yaml.ts";

export type Environment = Record<string, string | undefined>;

/**
 * Puts `${NAME}` (a variable) and `${file:/path}` (a file's text without the line end at its end) into the strings of
 * parsed data: what is put in can add no key and no list. `fail` is told what cannot be had, and where.
 */
export function substitute(
  data: unknown,
  env: Environment,
  fail: (path: Path, text: string) => void,
  path: Path = [],
): unknown {
  if (typeof data === "string") {
    return data.replace(/\$\{([^}]*)\}/g, (_, reference: string) => {
      const value = resolve(reference, env);
      if ("value" in value) return value.value;
      fail(path, value.missing);
      return "";
    });
  }
  if (Array.isArray(data)) return data.map((item, index) => substitute(item, env, fail, [...path, index]));
  if (typeof data !== "object" || data === null) return data;
  return Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, substitute(value, env, fail, [...path, key])]),
  );
}

function resolve(reference: string, env: Environment): { value: string } | { missing: string } {
  if (reference.startsWith("file:")) {
    const file = reference.slice("file:".length);
    try {
      return { value: readFileSync(file, "utf8").replace(/\r?\n$/, "") };
    } catch (error) {
      const reason = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
      return { missing: `the file ${file} cannot be read (${reason}); expected a file that holds the value` };
    }
  }
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(reference)) {
    return { missing: `found a reference that cannot be read; expected \${NAME} or \${file:/path}` };
  }
  const value = env[reference];
  if (value !== undefined) return { value };
  return { missing: `the environment variable ${reference} is not set; set it where deliverd starts` };
}
