import { problemLine } from "../../config/problems.ts";
import { shortRef } from "../../delivery/refs.ts";
import type { Finding } from "./finding.ts";
import type { PlannedName, Preview } from "./names.ts";

/** What lint found in a working tree. */
export interface LintReport {
  /** `<host>/<owner>/<name>`. */
  repo: string;
  /** The pipeline file. Null: there is none, and the default pipeline counts. */
  file: string | null;
  problems: Finding[];
  /** What HEAD would give. Null: nothing is committed, or the pipeline has problems. */
  preview: Preview | null;
  /** What was not checked, and what may surprise. */
  notes: string[];
}

export function textOf({ repo, file, problems, preview, notes }: LintReport): string {
  const count = problems.length === 1 ? "1 problem" : `${problems.length} problems`;
  const verdict = problems.length > 0 ? ["", count] : [`${file ?? "The default pipeline"}: no problem found`];
  return [
    ...problems.map((problem) => problemLine(problem.file, problem)),
    ...verdict,
    ...(preview === null ? [] : ["", ...linesOfPreview(repo, preview)]),
    ...(notes.length === 0 ? [] : ["", ...notes.map((note) => `Note: ${note}`)]),
  ].join("\n");
}

function linesOfPreview(repo: string, { sha, versions, refs, unwatched, artifacts }: Preview): string[] {
  const where = refs.map(shortRef).join(", ");
  return [
    `${repo} at ${sha.slice(0, 7)}${where === "" ? "" : ` (${where})`}: version ${versions.join(", ")}`,
    ...artifacts.flatMap(({ name, kind, names }) => [`  ${name} (${kind})`, ...names.map(lineOfName)]),
    ...(unwatched.length === 0 ? [] : ["  It would not be delivered:", ...unwatched.map((line) => `    ${line}`)]),
  ];
}

function lineOfName({ registry, repository, tag, immutable }: PlannedName): string {
  return `    ${registry}: ${repository ?? "<the package's own name>"} ${tag}${immutable ? "" : " (moves)"}`;
}
