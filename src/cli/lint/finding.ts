import type { PlanReading } from "../../../workers/commit/read-plan.ts";
import { PIPELINE_FILE } from "../../../workers/commit/read-plan.ts";
import { keyOf, type Problem } from "../../config/yaml.ts";
import { Refused, UserError } from "../../delivery/errors.ts";

/** One problem, as a person and an editor find it. */
export interface Finding extends Problem {
  /** From the root of the repo. */
  file: string;
}

/** A finding at a place of the pipeline file. */
export function atPath({ lineOf }: PlanReading, path: (string | number)[], text: string): Finding {
  return { file: PIPELINE_FILE, line: lineOf(path), key: keyOf(path), text };
}

/** The message of an error that is the user's to mend. @throws any other error */
export async function messageOf(check: () => unknown): Promise<string | null> {
  try {
    await check();
    return null;
  } catch (error) {
    if (error instanceof UserError || error instanceof Refused) return error.message;
    throw error;
  }
}
