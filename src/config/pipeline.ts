import { UserError } from "../delivery/errors.ts";
import type { Pipeline } from "../delivery/types.ts";
import { draftsOf } from "./pipeline-drafts.ts";
import { pipelineSchema } from "./pipeline-schema.ts";
import { describe, plainly, problemsOf } from "./problems.ts";
import { type Problem, readYaml, type YamlFile } from "./yaml.ts";

export type { Pipeline } from "../delivery/types.ts";

/** Bytes of a pipeline file that are read at most. */
const MAX_PIPELINE_BYTES = 64 * 1024;

/** What was read of a pipeline file. */
export type PipelineReading = { lineOf: YamlFile["lineOf"] } & (
  | { kind: "pipeline"; pipeline: Pipeline }
  /** `drafts`: what can be read of its artifacts in spite of the problems. */
  | { kind: "bad"; problems: Problem[]; drafts: ReturnType<typeof draftsOf> }
);

/** Reads a repo's pipeline, with all problems that the file itself has. */
export function readPipeline(text: string): PipelineReading {
  const file = readYaml(text, MAX_PIPELINE_BYTES);
  const { lineOf } = file;
  if (file.problems.length > 0) return { kind: "bad", lineOf, problems: file.problems, drafts: [] };
  const result = pipelineSchema.safeParse(file.data, { error: plainly });
  if (!result.success) {
    const problems = problemsOf(result.error, file.data, file);
    return { kind: "bad", lineOf, problems, drafts: draftsOf(file.data) };
  }
  const { on, ci, supersede, lfs, artifacts } = result.data;
  return { kind: "pipeline", lineOf, pipeline: { on, gate: ci, supersede, lfs, artifacts } };
}

/**
 * The same for a file that has to be right. `path` is what messages call it.
 * @throws UserError `bad-pipeline`, with each problem on a line: `<path>:<line>: <key>: <found>; expected <what>`
 */
export function parsePipeline(text: string, path = ".deliverd.yml"): Pipeline {
  const read = readPipeline(text);
  if (read.kind === "pipeline") return read.pipeline;
  throw new UserError("bad-pipeline", describe(path, read.problems));
}
