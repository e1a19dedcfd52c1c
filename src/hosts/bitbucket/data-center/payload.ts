import * as z from "zod";
import { TransientError } from "../../../delivery/errors.ts";
import { parseRepoPath } from "../../../delivery/repo-name.ts";
import type { CommitRef } from "../../../delivery/types.ts";
import { printableText, readItems, refName } from "../../payload.ts";
import { path } from "../../rest/client.ts";

/**
 * The parts of Bitbucket Data Center's data that deliverd uses.
 * https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
 */

/** A project's key or a repo's slug: Bitbucket allows 128 characters. */
const segment = printableText(255).refine(
  (text) => parseRepoPath(`x/${text}`)?.name === text,
  "is not a part of a path",
);

/** A repo in an answer of the API, and in a webhook. The key of a personal project is `~user`. */
export const repository = z
  .object({
    id: z.number().int().positive(),
    slug: segment,
    project: z.object({ key: segment }),
    // Only some versions tell it here.
    defaultBranch: refName.nullish().catch(null),
  })
  .transform(({ id, slug, project, defaultBranch }) => ({
    hostId: String(id),
    owner: project.key,
    name: slug,
    defaultBranch: defaultBranch ?? null,
  }));

/**
 * The items of an answer in the expected shape.
 * @throws TransientError if the shape is another: nothing is concluded then
 */
export function readAnswer<T>(what: string, shape: z.ZodType<T>, items: unknown[]): T[] {
  return readItems(
    shape,
    items,
    (problem) => new TransientError("bitbucket-answer-unusable", `Bitbucket's answer is not ${what}: ${problem}.`),
  );
}

/** The part of a route that names the repo. Data Center has no routes by id. */
export function repoPath({ owner, name }: { owner: string; name: string }): string {
  return path`/projects/${owner}/repos/${name}`;
}

export function commitRoute({ repo, sha }: CommitRef): string {
  return `/api/latest${repoPath(repo)}${path`/commits/${sha}`}`;
}
