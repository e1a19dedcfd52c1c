import * as z from "zod";
import { TransientError } from "../../delivery/errors.ts";
import type { Repo } from "../../delivery/types.ts";
import { printableText, readItems, refName } from "../payload.ts";
import { path } from "../rest/client.ts";

/** The parts of Gitea's data that deliverd uses. They are described at `<url>/api/swagger` of every server. */

/** Owner and name become part of paths and URLs, so only the characters that Gitea allows are accepted. */
const pathName = printableText(255)
  .regex(/^[\w.-]+$/, "has characters that Gitea does not allow there")
  .refine((value) => value !== "." && value !== "..", "is no name");

/** A repo in an answer of the API, and in a webhook. Forgejo names it the same. */
export const repository = z
  .object({
    id: z.number().int().positive(),
    name: pathName,
    owner: z.object({ login: pathName }),
    // Empty: the repo has no branch yet.
    default_branch: refName.nullish().catch(null),
  })
  .transform((repo) => ({
    hostId: String(repo.id),
    owner: repo.owner.login,
    name: repo.name,
    defaultBranch: repo.default_branch ?? null,
  }));

/**
 * The items of an answer in the expected shape.
 * @throws TransientError if the shape is another: nothing is concluded then
 */
export function readAnswer<T>(what: string, shape: z.ZodType<T>, items: unknown[]): T[] {
  return readItems(
    shape,
    items,
    (problem) => new TransientError("gitea-answer-unusable", `Gitea's answer is not ${what}: ${problem}.`),
  );
}

/** The repo's id at Gitea: it stays the same when the repo is renamed or transferred. */
export function repoId({ id, host }: Repo): string {
  return id.slice(host.length + 1);
}

/** `/repos/<owner>/<name>`, which begins nearly every route. Gitea redirects a GET of a former name. */
export function routeOf({ owner, name }: { owner: string; name: string }): string {
  return path`/repos/${owner}/${name}`;
}
