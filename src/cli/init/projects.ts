import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { parseXml, XmlElement } from "@rgrove/parse-xml";
import type { WorkingTree } from "../../git/working-tree.ts";

/** What tells deliverd's `init` that something can be delivered from a folder. */
export const PROJECT_FILES = [
  "Dockerfile",
  "package.json",
  "pom.xml",
  "build.gradle",
  "build.gradle.kts",
  "pyproject.toml",
  "go.mod",
  "Cargo.toml",
] as const;

export type ProjectFile = (typeof PROJECT_FILES)[number];

/** A folder with at least one of these files. */
export interface Project {
  /** From the root of the repo; empty: the root. */
  folder: string;
  files: ReadonlySet<ProjectFile>;
  /** Other files of the folder that decide how it is built. */
  has(name: string): boolean;
  /** Null: there is none, or it cannot be read. */
  npm: NpmPackage | null;
  /** The `packaging` of the POM; `jar` where it says nothing. Null: there is no POM, or it cannot be read. */
  packaging: string | null;
}

export interface NpmPackage {
  name: string | null;
  isPrivate: boolean;
  hasBuild: boolean;
}

const MAX_FILE_BYTES = 1024 * 1024;

/** The projects at the root and one level below it, among the files that git does not ignore. */
export async function findProjects(tree: WorkingTree): Promise<Project[]> {
  const below = (await readdir(tree.root, { withFileTypes: true }))
    // A line end in a name would end a comment of the file.
    .filter((entry) => entry.isDirectory() && /^(?!\.)[^\p{Cc}]+$/u.test(entry.name))
    .map(({ name }) => name)
    .sort();
  const projects = await Promise.all(["", ...below].map((folder) => projectIn(tree, folder)));
  return projects.filter(({ files }) => files.size > 0);
}

async function projectIn(tree: WorkingTree, folder: string): Promise<Project> {
  const names = new Set(await namesIn(tree, folder));
  const read = async (name: string) =>
    names.has(name) ? await tree.mirror.readFile(tree.sha, join(folder, name), MAX_FILE_BYTES) : null;
  const [manifest, pom] = await Promise.all([read("package.json"), read("pom.xml")]);
  return {
    folder,
    files: new Set(PROJECT_FILES.filter((name) => names.has(name))),
    has: (name) => names.has(name),
    npm: manifest === null ? null : readPackage(manifest),
    packaging: pom === null ? null : readPackaging(pom),
  };
}

/** Regular files, and folders that hold one, by their path from the folder: one level deep. */
async function namesIn({ root, mirror, sha }: WorkingTree, folder: string): Promise<string[]> {
  const names = await readdir(join(root, folder)).catch(() => []);
  const known = await Promise.all(
    [...names, "src/main.rs", "src/bin"].map(async (name) => {
      const entry = await mirror.entry(sha, join(folder, name));
      const fits = entry?.kind === "regular file" || (name === "src/bin" && entry?.kind === "directory");
      return fits ? [name] : [];
    }),
  );
  return known.flat();
}

function readPackage(text: string): NpmPackage | null {
  try {
    const data: unknown = JSON.parse(text);
    if (typeof data !== "object" || data === null) return null;
    const { name, private: isPrivate, scripts } = data as Record<string, unknown>;
    const hasBuild = typeof scripts === "object" && scripts !== null && "build" in scripts;
    return { name: typeof name === "string" ? name : null, isPrivate: isPrivate === true, hasBuild };
  } catch {
    return null;
  }
}

function readPackaging(text: string): string | null {
  try {
    const elements = parseXml(text).root?.children.filter((child) => child instanceof XmlElement) ?? [];
    return elements.find(({ name }) => name === "packaging")?.text.trim() ?? "jar";
  } catch {
    return null;
  }
}
