import { UnreadablePackage } from "./archive.ts";

/** Metadata of a Python distribution: https://packaging.python.org/en/latest/specifications/core-metadata/ */
export interface CoreMetadata {
  name: string;
  version: string;
  /** The values of a field, in order. @param field lower-case name; `description` is the text below the headers */
  values(field: string): readonly string[];
}

/**
 * Fields that may occur only once: twine and Warehouse refuse a second one too. Fields of later metadata versions are
 * not listed here; the index checks them.
 */
const SINGLE = new Set([
  ...["metadata-version", "name", "version", "summary", "description", "description-content-type", "keywords"],
  ...["home-page", "download-url", "author", "author-email", "maintainer", "maintainer-email"],
  ...["license", "license-expression", "requires-python"],
]);

/** A METADATA or PKG-INFO file: headers as in mail, and below them the description. @throws UnreadablePackage */
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

/**
 * Reads RFC 822 as Python's email.parser does: any kind of line end, and the first line that is no header starts the
 * body.
 */
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

/** Lines of a description are indented by eight spaces, or seven and a bar. Any other folded value is one line. */
function unfolded(name: string, value: string): string {
  if (name === "description") return value.replace(/\n(?: {8}| {7}\|)/g, "\n").trim();
  return value
    .split("\n")
    .map((line) => line.trim())
    .join(" ")
    .trim();
}
