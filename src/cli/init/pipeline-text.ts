import { printable } from "../../delivery/printable.ts";
import type { ArtifactKind, Repo } from "../../delivery/types.ts";
import type { Project } from "./projects.ts";
import type { Recipe } from "./recipes.ts";

/** One artifact to write. */
export interface Entry {
  project: Project;
  recipe: Recipe;
  /** The key of a registry that takes its kind. */
  to: string;
}

/** The text of a `.deliverd.yml` with comments for the person who goes on with it. */
export function pipelineText(repo: Pick<Repo, "owner" | "name" | "defaultBranch">, entries: Entry[]): string {
  const names = uniqueNames(repo, entries);
  const lines = [
    "# What deliverd delivers from this repo. Check it with: deliverd lint",
    "version: 1",
    "",
    "# Which branches and tags. Left out: the default branch, and tags that begin with v.",
    `# on: { branches: [${quoted(repo.defaultBranch)}], tags: ["v*"] }`,
    "",
    "# When CI counts as green. Left out: by what the host requires on the branch, else if all checks pass.",
    "# ci: { required: [test] }",
    "# ci: none",
    "",
    "artifacts:",
    ...entries.flatMap((entry, index) => linesOf(repo, entry, names[index] ?? "", index > 0)),
    "",
  ];
  // A folder's name may turn text around. YAML reads the escape as the character.
  return printable(lines.join("\n"));
}

function linesOf(
  repo: Pick<Repo, "owner" | "name">,
  { project, recipe, to }: Entry,
  name: string,
  isFollowing: boolean,
): string[] {
  const { folder } = project;
  const { build, kind, from } = recipe;
  const own =
    folder === ""
      ? []
      : [`    paths: [${quoted(`${folder}/**`)}]   # a commit that changes nothing there gives no release`];
  return [
    ...(isFollowing ? [""] : []),
    `  # From ${folder === "" ? from : `${folder}/${from}`}.`,
    ...recipe.comments.map((line) => `  # ${line}`),
    `  - name: ${quoted(name)}`,
    `    kind: ${kind}`,
    ...(kind === "image" && folder !== ""
      ? [`    dockerfile: ${quoted(`${folder}/Dockerfile`)}`, `    context: ${quoted(folder)}`]
      : []),
    ...own,
    ...(build === null
      ? []
      : [
          "    build:",
          `      image: ${build.image}`,
          "      run:",
          ...build.run.map((command) => `        - ${quoted(command)}`),
          `      cache: [${build.cache.map(quoted).join(", ")}]   # kept between the builds of this repo`,
          `    files: [${build.files.map(quoted).join(", ")}]`,
        ]),
    "    publish:",
    `      # \`to\` is a key under \`registries\` of the server.`,
    `      - { to: ${quoted(to)}${asOf(repo, recipe, name)} }`,
  ];
}

function asOf({ owner, name: repo }: Pick<Repo, "owner" | "name">, { kind, needsGroup }: Recipe, name: string): string {
  const [group, whole] = [path(owner), path(repo)];
  if (kind === "image")
    return `, as: ${group}/${name === whole ? whole : `${whole}-${name}`}, tags: ["{version}", "{branch}", "sha-{shortSha}"]`;
  return needsGroup ? `, as: "${group}:${name}"` : "";
}

/** The names of the artifacts: the folder's, at the root the repo's, with the kind behind it where that is taken. */
function uniqueNames({ name: repo }: Pick<Repo, "name">, entries: Entry[]): string[] {
  const taken = new Set<string>();
  return entries.map(({ project: { folder }, recipe: { kind, from } }) => {
    const base = path(folder === "" ? repo : folder);
    const tool = from.replace(/\..*$/, "").toLowerCase();
    const name =
      [base, `${base}-${kind}`, `${base}-${tool}`, `${base}-${kind}-${taken.size}`].find((one) => !taken.has(one)) ??
      base;
    taken.add(name);
    return name;
  });
}

/** A text that is the name of an artifact, and part of the name of an image. */
function path(text: string): string {
  const plain = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 50);
  return plain === "" ? "artifact" : plain;
}

/** YAML's double quotes are JSON's. Without them, some words are no text. */
function quoted(text: string): string {
  return /^(?!(?:true|false|null)$)[A-Za-z][\w./-]*$/i.test(text) ? text : JSON.stringify(text);
}

/** The keys that a registry for each kind has in the examples of the documentation. */
export const USUAL_KEYS: Record<ArtifactKind, string> = {
  image: "default",
  jar: "maven",
  npm: "npm",
  wheel: "pypi",
  file: "files",
  ami: "amis",
};
