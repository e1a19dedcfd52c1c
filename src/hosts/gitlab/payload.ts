import * as z from "zod";
import { TransientError } from "../../delivery/errors.ts";
import { parseRepoPath } from "../../delivery/repo-name.ts";
import type { Repo } from "../../delivery/types.ts";
import { printableText, readItems, refName } from "../payload.ts";

/**
 * The parts of GitLab's data that deliverd uses.
 * https://docs.gitlab.com/user/project/integrations/webhook_events/ and https://docs.gitlab.com/api/projects/
 */

/** GitLab nests groups 20 deep, each with at most 255 characters; ten of them are more than anybody has. */
const MAX_PATH_LENGTH = 5_000;

const fullPath = printableText(MAX_PATH_LENGTH).transform((text, context) => {
  const path = parseRepoPath(text);
  if (path !== null) return path;
  context.addIssue("is not the path of a project");
  return z.NEVER;
});

/** A project in an answer of the API, and in a webhook. */
export const project = z
  .object({
    id: z.number().int().positive(),
    path_with_namespace: fullPath,
    // Null: the project is empty, or the token may not see its code.
    default_branch: refName.nullish().catch(null),
  })
  .transform(({ id, path_with_namespace, default_branch }) => ({
    hostId: String(id),
    owner: path_with_namespace.owner,
    name: path_with_namespace.name,
    defaultBranch: default_branch ?? null,
  }));

/** A project under its new name, as the instance's hook tells it. */
export const movedProject = z
  .object({ project_id: z.number().int().positive(), path_with_namespace: fullPath })
  .transform(({ project_id, path_with_namespace }) => ({
    hostId: String(project_id),
    owner: path_with_namespace.owner,
    name: path_with_namespace.name,
    defaultBranch: null,
  }));

/**
 * The items of an answer in the expected shape.
 * @throws TransientError if the shape is another: nothing is concluded then
 */
export function readAnswer<T>(what: string, shape: z.ZodType<T>, items: unknown[]): T[] {
  return readItems(
    shape,
    items,
    (problem) => new TransientError("gitlab-answer-unusable", `GitLab's answer is not ${what}: ${problem}.`),
  );
}

/** The project's id at GitLab: it stays the same when the project is renamed or moved. */
export function projectId({ id, host }: Repo): string {
  return id.slice(host.length + 1);
}
