/** The files of a Maven artifact by their role. */
export interface JarFiles<File> {
  /** The jar or war itself. */
  main: File;
  /** Files with a classifier: `sources`, `javadoc`, … */
  classified: { classifier: string; file: File }[];
  pom: File | null;
}

/**
 * One jar or war, others with its name and a classifier (`lib-1.0-sources.jar` beside `lib-1.0.jar`), and at most one
 * POM. Null: the files are anything else.
 */
export function jarFiles<File extends { name: string }>(files: readonly File[]): JarFiles<File> | null {
  const poms = files.filter(({ name }) => name.endsWith(".pom"));
  const archives = files.filter(({ name }) => /\.[jw]ar$/.test(name)).sort((a, b) => a.name.length - b.name.length);
  const [main, ...others] = archives;
  if (main === undefined || poms.length > 1 || poms.length + archives.length < files.length) return null;
  const stem = main.name.slice(0, -".jar".length);
  const classified = others.map((file) => ({ classifier: file.name.slice(stem.length + 1, -".jar".length), file }));
  const fits = classified.every(({ classifier, file }) => file.name.startsWith(`${stem}-`) && classifier !== "");
  return fits ? { main, classified, pom: poms[0] ?? null } : null;
}
