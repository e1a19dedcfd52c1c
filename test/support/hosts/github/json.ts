/** Plain JSON, as it goes over the wire. */
export type Json = null | boolean | number | string | Json[] | JsonObject;
export type JsonObject = { [key: string]: Json };

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object at a path of member names. @throws Error where there is none: GitHub's examples then changed their shape. */
export function objectAt(value: Json | undefined, ...path: (string | number)[]): JsonObject {
  let here: Json | undefined = value;
  for (const key of path) here = Array.isArray(here) ? here[Number(key)] : isObject(here) ? here[key] : undefined;
  if (!isObject(here)) throw new Error(`no object at ${path.join(".") || "the root"}`);
  return here;
}

/** A copy in which the given texts are replaced in every string. */
export function withTexts<T extends Json>(value: T, texts: readonly (readonly [string, string])[]): T {
  return JSON.parse(JSON.stringify(value), (_key, member: Json) =>
    typeof member === "string" ? texts.reduce((text, [from, to]) => text.replaceAll(from, to), member) : member,
  );
}
