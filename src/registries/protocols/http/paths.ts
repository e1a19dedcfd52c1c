import { Refused } from "../../../delivery/errors.ts";

/**
 * The URL of a path below another. The paths may hold names from pipelines and packages, so no segment may lead
 * elsewhere.
 * @param paths each may have several segments, separated by "/"
 * @throws Refused `name-invalid`
 */
export function below(url: URL, ...paths: string[]): URL {
  const segments = paths.flatMap((path) => path.split("/")).map(requireSegment);
  const result = new URL(url);
  result.pathname = [url.pathname.replace(/\/+$/, ""), ...segments.map(encodeSegment)].join("/");
  return result;
}

/** Escapes special characters of shells too: such a URL becomes part of a command that people copy. */
function encodeSegment(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
}

function requireSegment(text: string): string {
  if (text !== "" && text !== "." && text !== ".." && text.length <= 255 && !/[\p{Cc}\\]/u.test(text)) return text;
  throw new Refused(
    "name-invalid",
    `${JSON.stringify(text.slice(0, 100))} cannot be part of a path: ` +
      `no segment may be empty, "." or "..", or hold a backslash.`,
  );
}
