/** Headers of core metadata, and what the form calls them: https://packaging.python.org/en/latest/specifications/core-metadata/ */
const FIELDS: readonly (readonly [field: string, header: string])[] = [
  ["metadata_version", "metadata-version"],
  ["summary", "summary"],
  ["home_page", "home-page"],
  ["author", "author"],
  ["author_email", "author-email"],
  ["maintainer", "maintainer"],
  ["maintainer_email", "maintainer-email"],
  ["license", "license"],
  ["license_expression", "license-expression"],
  ["license_files", "license-file"],
  ["description", "description"],
  ["keywords", "keywords"],
  ["classifiers", "classifier"],
  ["download_url", "download-url"],
  ["project_urls", "project-url"],
  ["requires_dist", "requires-dist"],
  ["requires_python", "requires-python"],
  ["provides_extras", "provides-extra"],
  ["description_content_type", "description-content-type"],
];

export interface CoreMetadata {
  name: string;
  version: string;
  /** Form fields and their values; several of one name for what may stand more than once. */
  fields: [string, string][];
}

/** Of a METADATA or PKG-INFO file: mail headers, and after them the description. Null: it names no name or version. */
export function readCoreMetadata(text: string): CoreMetadata | null {
  const [head = "", ...body] = text.replace(/\r\n/g, "\n").split(/\n\n/);
  const headers = headersOf(head);
  const description = body.join("\n\n");
  if (description !== "") headers.push(["description", description]);
  const [name] = valuesOf(headers, "name");
  const [version] = valuesOf(headers, "version");
  if (name === undefined || version === undefined) return null;
  const fields = FIELDS.flatMap(([field, header]) =>
    valuesOf(headers, header).map((value): [string, string] => [field, value]),
  );
  return { name, version, fields };
}

function headersOf(head: string): [string, string][] {
  const headers: [string, string][] = [];
  for (const line of head.split("\n")) {
    const [, name, value = ""] = /^([A-Za-z0-9-]+):[ \t]*(.*)$/.exec(line) ?? [];
    const last = headers.at(-1);
    if (name !== undefined) headers.push([name.toLowerCase(), value]);
    else if (last && /^[ \t]/.test(line)) last[1] += `\n${line}`;
  }
  return headers;
}

function valuesOf(headers: [string, string][], wanted: string): string[] {
  return headers
    .filter(([name]) => name === wanted)
    .map(([name, value]) =>
      name === "description"
        ? value.replace(/\n {8}/g, "\n")
        : value
            .split("\n")
            .map((line) => line.trim())
            .join(" "),
    );
}
