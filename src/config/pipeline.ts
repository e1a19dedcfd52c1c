import { UserError } from "../delivery/errors.ts";
import type { Pipeline } from "../delivery/types.ts";
import { pipelineSchema } from "./pipeline-schema.ts";
import { describe, plainly, problemsOf } from "./problems.ts";
import { readYaml } from "./yaml.ts";

export type { Pipeline } from "../delivery/types.ts";

/** Bytes of a pipeline file that are read at most. */
const MAX_PIPELINE_BYTES = 64 * 1024;

/**
 * Reads a repo's pipeline. `path` is what messages call it.
 * @throws UserError `bad-pipeline`, with each problem on a line: `<path>:<line>: <key>: <found>; expected <what>`
 */
export function parsePipeline(text: string, path = ".deliverd.yml"): Pipeline {
  const file = readYaml(text, MAX_PIPELINE_BYTES);
  if (file.problems.length > 0) throw new UserError("bad-pipeline", describe(path, file.problems));
  const result = pipelineSchema.safeParse(file.data, { error: plainly });
  if (!result.success) {
    throw new UserError("bad-pipeline", describe(path, problemsOf(result.error, file.data, file)));
  }
  const { on, ci, supersede, artifacts } = result.data;
  return { on, gate: ci, supersede, artifacts };
}
