import * as z from "zod";
import { TransientError } from "../../../delivery/errors.ts";
import { parseRepoPath } from "../../../delivery/repo-name.ts";
import type { Repo } from "../../../delivery/types.ts";
import { printableText, readItems, refName } from "../../payload.ts";
import { path } from "../../rest/client.ts";

/**
 * The parts of Bitbucket Cloud's data that deliverd uses.
 * https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/
 */

const MAX_PATH_LENGTH = 255;

/** `workspace/slug`. The `name` of a repo is for people, and may have spaces. */
const fullName = printableText(MAX_PATH_LENGTH).transform((text, context) => {
  const path = parseRepoPath(text);
  if (path !== null && !path.owner.includes("/")) return path;
  context.addIssue("is not the name of a repo");
  return z.NEVER;
});

/** `{…}`. It is kept without braces, since they mean something in URLs and shells. */
const uuid = z
  .string()
  .regex(/^\{[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\}$/i, "is not a UUID in braces")
  .transform((text) => text.slice(1, -1).toLowerCase());

/** A repo in an answer of the API and, without `mainbranch`, in a webhook. */
export const repository = z
  .object({
    uuid,
    full_name: fullName,
    // Mercurial repos went in 2020. What is left of them is only in lists.
    scm: z.string().nullish(),
    // Null: the repo is empty.
    mainbranch: z.object({ name: refName }).nullish().catch(null),
  })
  .transform(({ uuid, full_name, mainbranch, scm }) => ({
    isGit: (scm ?? "git") === "git",
    repo: {
      hostId: uuid,
      owner: full_name.owner,
      name: full_name.name,
      defaultBranch: mainbranch?.name ?? null,
    },
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

/**
 * The route of a repo by its id, which survives renames and transfers. An empty workspace stands for whichever has it:
 * https://developer.atlassian.com/cloud/bitbucket/rest/intro/#universally-unique-identifier
 */
export function routeById(hostId: string): string {
  return path`/repositories/${"{}"}/${`{${hostId}}`}`;
}

export function routeOf({ id, host }: Repo): string {
  return routeById(id.slice(host.length + 1));
}
