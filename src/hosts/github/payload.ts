import * as z from "zod";
import { TransientError } from "../../delivery/errors.ts";
import { printableText, readItems, refName } from "../payload.ts";

/**
 * The parts of GitHub's data that deliverd uses.
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads and https://docs.github.com/en/rest
 */

/** Owner and name become part of paths and URLs, so only the characters that GitHub allows are accepted. */
const pathName = printableText(100)
  .regex(/^[\w.-]+$/, "has characters that GitHub does not allow there")
  .refine((value) => value !== "." && value !== "..", "is no name");

export const repository = z
  .object({
    id: z.number().int().positive(),
    name: pathName,
    owner: z.object({ login: pathName }),
    default_branch: refName.nullish(),
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
    (problem) => new TransientError("github-answer-unusable", `GitHub's answer is not ${what}: ${problem}.`),
  );
}
