import { type Environment, readSecretFile, secretFrom } from "./environment.ts";
import type { Path } from "./yaml.ts";

/**
 * Puts `${NAME}` (a variable, or the text of the file that `NAME_FILE` names) and `${file:/path}` (a file's text) into
 * the strings of parsed data, without the line end at the end of a file. What is put in can add no key and no list.
 * `fail` is told what cannot be had, and where.
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
  if (reference.startsWith("file:")) return readSecretFile(reference.slice("file:".length));
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(reference)) {
    return { missing: `found a reference that cannot be read; expected \${NAME} or \${file:/path}` };
  }
  let missing = `the environment variable ${reference} is not set; set it where deliverd starts`;
  const value = secretFrom(env, reference, (variable, text) => {
    missing = `${variable}: ${text}`;
  });
  // A variable that is set to nothing, and has no file, stands for nothing.
  return value === undefined && env[reference] !== "" ? { missing } : { value: value ?? "" };
}
