import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { PIPELINE_FILE } from "../../../workers/commit/read-plan.ts";
import { loadServerConfig, type ServerConfig } from "../../config/server.ts";
import type { ArtifactKind } from "../../delivery/types.ts";
import { openWorkingTree, type WorkingTree } from "../../git/working-tree.ts";
import { registryTypes } from "../../registries/index.ts";
import { repoOf } from "../checkout-repo.ts";
import { EXIT, Failure } from "../exit.ts";
import { fileFailure } from "../file-errors.ts";
import { terminalSafe } from "../terminal.ts";
import { type Entry, pipelineText, USUAL_KEYS } from "./pipeline-text.ts";
import { findProjects, PROJECT_FILES } from "./projects.ts";
import { recipesOf } from "./recipes.ts";

export interface InitOptions {
  dir: string;
  repo?: string | undefined;
  /** The server's file: its registries are written into the pipeline. */
  config?: string | undefined;
  /** Print the pipeline, and write nothing. */
  print?: boolean | undefined;
}

/** Writes a pipeline for what a checkout holds. It never overwrites one. */
export async function init(options: InitOptions): Promise<void> {
  const tree = await openWorkingTree(options.dir);
  try {
    const { text, notes } = await proposalFor(tree, options);
    if (options.print) process.stdout.write(text);
    else await writeNew(join(tree.root, PIPELINE_FILE), text);
    for (const note of notes) process.stderr.write(`Note: ${terminalSafe(note)}\n`);
  } finally {
    await tree.close();
  }
}

async function proposalFor(tree: WorkingTree, options: InitOptions): Promise<{ text: string; notes: string[] }> {
  const config = options.config === undefined ? null : loadServerConfig({ path: options.config, env: process.env });
  const repo = repoOf(tree, options.repo, config?.hosts ?? {});
  const notes: string[] = [];
  const entries: Entry[] = [];
  for (const project of await findProjects(tree)) {
    const { recipes, skipped } = recipesOf(project);
    notes.push(...skipped);
    for (const recipe of recipes) {
      const to = config === null ? USUAL_KEYS[recipe.kind] : registryFor(config, recipe.kind);
      if (to === null) notes.push(`no registry of the server takes artifacts of kind ${recipe.kind}: correct \`to\``);
      entries.push({ project, recipe, to: to ?? USUAL_KEYS[recipe.kind] });
    }
  }
  if (entries.length === 0) {
    const because = notes.map((note) => `\n${note}`).join("");
    throw new Failure(
      EXIT.failed,
      `${tree.root}: nothing to deliver was found. init reads ${PROJECT_FILES.join(", ")} at the root and one folder ` +
        `below it.${because}`,
    );
  }
  if (repo.from === "folder")
    notes.push(`no remote says what the repo is called: ${repo.owner}/${repo.name} was taken; --repo names it`);
  return { text: pipelineText(repo, entries), notes };
}

/** The default registry if it takes the kind, else the first that does. */
function registryFor({ registries }: ServerConfig, kind: ArtifactKind): string | null {
  const fitting = Object.entries(registries).filter(([, settings]) =>
    registryTypes.of(settings).kinds(settings).includes(kind),
  );
  return (fitting.find(([, settings]) => settings.default) ?? fitting[0])?.[0] ?? null;
}

async function writeNew(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") {
      throw fileFailure(error, { path: file, owned: dirname(file), elsewhere: "Or take what init --print prints." });
    }
    throw new Failure(
      EXIT.failed,
      `${file} is there already, and is left as it is. --print shows what init would write.`,
    );
  }
  process.stdout.write(`${terminalSafe(file)} is written. Read it, then run: deliverd lint\n`);
}
