import { access } from "node:fs/promises";
import { join } from "node:path";
import type { PlanReading } from "../../../workers/commit/read-plan.ts";
import { tryDockerfile } from "../../delivery/dockerfile/index.ts";
import { misnamedStages } from "../../delivery/dockerfile/misnamed.ts";
import type { ArtifactDraft } from "../../delivery/plan-problems.ts";
import { checkBuildPaths, isDockerfileOutside } from "../../git/context.ts";
import type { WorkingTree } from "../../git/working-tree.ts";
import { atPath, type Finding, messageOf } from "./finding.ts";

const DOCKERFILE_MAX_BYTES = 1024 * 1024;

/** Problems of the files that the pipeline names: Dockerfiles, contexts, and globs that match nothing. */
export async function findFileProblems(tree: WorkingTree, reading: PlanReading): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const [index, draft] of reading.drafts.entries()) {
    if (draft === null) continue;
    if (draft.kind === "image") found.push(...(await findInImage(tree, reading, index, draft)));
    for (const [place, glob] of draft.paths.entries()) {
      const text = await globProblem(tree, glob);
      if (text !== null) found.push(atPath(reading, ["artifacts", index, "paths", place], text));
    }
  }
  return found;
}

async function globProblem(tree: WorkingTree, glob: string): Promise<string | null> {
  let matches = true;
  const wrong = await messageOf(async () => {
    matches = await tree.hasFile(glob);
  });
  return wrong ?? (matches ? null : `${JSON.stringify(glob)} matches no file of the repo`);
}

async function findInImage(
  tree: WorkingTree,
  reading: PlanReading,
  index: number,
  { dockerfile, context, args, target }: ArtifactDraft,
): Promise<Finding[]> {
  const { mirror, sha } = tree;
  const found: Finding[] = [];
  const note = async (key: string, path: string | null, check: () => unknown) => {
    const text = await messageOf(check);
    if (text === null) return true;
    const ignored = path !== null && (await isIgnored(tree, path)) ? " The file is there, but git ignores it." : "";
    found.push(
      atPath(reading, ["artifacts", index, key], text.replace(`commit ${sha}`, "this working tree") + ignored),
    );
    return false;
  };
  if (context !== null)
    await note("context", context, () => checkBuildPaths(mirror, sha, { contextDir: context, dockerfile: null }));
  if (dockerfile === null) return found;
  const isThere = await note("dockerfile", dockerfile, () =>
    checkBuildPaths(mirror, sha, { contextDir: ".", dockerfile }),
  );
  if (!isThere) return found;
  if (context !== null)
    await note("context", null, () => isDockerfileOutside(mirror, sha, { contextDir: context, dockerfile }));
  let text = "";
  await note("dockerfile", null, async () => {
    text = (await mirror.readFile(sha, dockerfile, DOCKERFILE_MAX_BYTES)) ?? "";
  });
  return [...found, ...findInDockerfile(dockerfile, text, { args, target })];
}

async function isIgnored({ root, mirror, sha }: WorkingTree, path: string): Promise<boolean> {
  const onDisk = await access(join(root, path)).then(
    () => true,
    () => false,
  );
  return onDisk && (await mirror.entry(sha, path)) === null;
}

/** What only the commit or the engine knows is left open, as the daemon leaves it to the engine. */
function findInDockerfile(
  file: string,
  text: string,
  { args, target }: Pick<ArtifactDraft, "args" | "target">,
): Finding[] {
  const options = { file, args, target, platform: null, buildPlatform: null, everyStage: false };
  const read = tryDockerfile(text, options);
  if (read.kind === "invalid")
    return [{ file, line: read.line === 0 ? null : read.line, key: read.keyword, text: `${read.message}.` }];
  return misnamedStages(text, args).map(({ line, keyword, message }) => ({ file, line, key: keyword, text: message }));
}
