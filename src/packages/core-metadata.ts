import { UnreadablePackage } from "./archive.ts";

/** What a Python distribution says of itself: https://packaging.python.org/en/latest/specifications/core-metadata/ */
export interface CoreMetadata {
  name: string;
  version: string;
  /** Values of a field by its name in lower case, in their order; `description` is what stands below the headers. */
  values(field: string): readonly string[];
}

/**
 * Fields that stand once: a second one is refused, as twine and Warehouse do. Of a field that a later version of metadata brings
 * nothing is known here, and its index says what it thinks of it.
 */
const SINGLE = new Set([
  ...["metadata-version", "name", "version", "summary", "description", "description-content-type", "keywords"],
  ...["home-page", "download-url", "author", "author-email", "maintainer", "maintainer-email"],
  ...["license", "license-expression", "requires-python"],
]);

/** A METADATA or PKG-INFO file: headers as in mail, and below them the description. @throws Unreadable */
export function readCoreMetadata(bytes: Buffer): CoreMetadata {
  const { headers, body } = readMail(bytes.toString("utf8").replace(/^\uFEFF/, ""));
  const values = new Map<string, string[]>();
  for (const [name, raw] of headers) values.set(name, [...(values.get(name) ?? []), unfolded(name, raw)]);
  if (body.trim() !== "") values.set("description", [body]);
  for (const [name, several] of values) {
    if (several.length > 1 && SINGLE.has(name)) throw new UnreadablePackage(`its metadata has ${name} twice`);
  }
  const [name] = values.get("name") ?? [];
  const [version] = values.get("version") ?? [];
  if (!name || !version) throw new UnreadablePackage("its metadata has no Name or no Version");
  return { name, version, values: (field) => values.get(field) ?? [] };
}

/** RFC 822 as Python's email.parser reads it: any kind of line end, and the first line that is no header begins the body. */
function readMail(text: string): { headers: [name: string, value: string][]; body: string } {
  const lines = text.split(/\r\n|\r|\n/);
  const headers: [string, string][] = [];
  let at = 0;
  for (; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const [, name, value = ""] = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line) ?? [];
    const last = headers.at(-1);
    if (name !== undefined) headers.push([name.toLowerCase(), value]);
    else if (last && /^[ \t]/.test(line)) last[1] += `\n${line}`;
    else break;
  }
  if (lines[at] === "") at += 1;
  return { headers, body: lines.slice(at).join("\n") };
}

/** Lines of a description are set in by eight spaces, or by seven and a bar; whatever else is folded is one line. */
function unfolded(name: string, value: string): string {
  if (name === "description") return value.replace(/\n(?: {8}| {7}\|)/g, "\n").trim();
  return value
    .split("\n")
    .map((line) => line.trim())
    .join(" ")
    .trim();
}
