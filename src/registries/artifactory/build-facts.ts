/** Which build of which name a release belongs to. */
export interface BuildFacts {
  /** `<owner>/<repo>`. */
  name: string;
  /** The release's version. */
  number: string;
  started: Date;
  revision: string;
  /** URL of the repo. */
  source: string;
}

/** Null: the metadata does not tell where a release comes from, as that of a moving name. */
export function buildFacts(metadata: Record<string, string>): BuildFacts | null {
  const get = (key: string) => metadata[`org.opencontainers.image.${key}`] ?? "";
  const source = get("source");
  // The whole path: an owner may have slashes, and repos of two groups must not share a build.
  const name = URL.canParse(source) ? new URL(source).pathname.replace(/^\/+/, "") : source;
  const started = new Date(get("created"));
  if (source === "" || Number.isNaN(started.getTime())) return null;
  return { name, number: get("version"), started, revision: get("revision"), source };
}
