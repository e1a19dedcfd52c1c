/** Keys under which hosts say what is wrong. */
const MESSAGE_KEYS = ["message", "error_description", "error", "errors", "detail"];

/** Hosts nest their messages no deeper. */
const MAX_DEPTH = 4;

/** What the body of an answer says about a failure: its message in JSON, or the text. It is not masked yet. */
export function messageOf(body: string): string {
  try {
    return textOf(JSON.parse(body), MAX_DEPTH);
  } catch {
    return body;
  }
}

function textOf(value: unknown, depth: number): string {
  if (typeof value === "string") return value;
  if (typeof value !== "object" || value === null || depth === 0) return JSON.stringify(value) ?? "";
  if (Array.isArray(value)) return value.map((each) => textOf(each, depth - 1)).join("; ");
  const entries = Object.entries(value).filter(([, each]) => each !== null);
  const said = MESSAGE_KEYS.flatMap((key) => entries.filter(([name]) => name === key))[0];
  if (said !== undefined) return textOf(said[1], depth - 1);
  return entries.map(([name, each]) => `${name}: ${textOf(each, depth - 1)}`).join("; ");
}
