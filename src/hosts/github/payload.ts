import * as z from "zod";
import { TransientError } from "../../delivery/errors.ts";

/**
 * The shapes of GitHub's data that deliverd uses, and nothing else of it.
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads and https://docs.github.com/en/rest
 */

/** SQLite's text ends at NUL, PostgreSQL refuses it, and terminals obey the others: none of them belongs into a name. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u;

const text = (max: number) =>
  z
    .string()
    .min(1, "is empty")
    .max(max, `is longer than ${max} characters`)
    .refine((value) => !UNPRINTABLE.test(value), "has control characters");

/** Owner and name become part of a path and of a URL, so only what GitHub itself allows in them. */
const pathName = text(100)
  .regex(/^[\w.-]+$/, "has characters that GitHub does not allow there")
  .refine((value) => value !== "." && value !== "..", "is no name");

export const refName = text(1024);

export const sha = z
  .string()
  .regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i, "is not a commit id of 40 or 64 hex digits")
  .transform((value) => value.toLowerCase());

/** What an event or a check calls its action, its state or itself. */
export const label = text(1024);

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

/** The first thing that is wrong, by its path: `repository.id: …`. It never repeats a value. */
export function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue === undefined ? "is not valid" : `${issue.path.join(".") || "the body"}: ${issue.message}`;
}

/** Items of an answer in the shape we use. @throws TransientError: nothing is to be concluded from another one. */
export function readAnswer<T>(what: string, shape: z.ZodType<T>, items: unknown[]): T[] {
  const result = z.array(shape).safeParse(items);
  if (result.success) return result.data;
  throw new TransientError("github-answer-unusable", `GitHub's answer is not ${what}: ${firstIssue(result.error)}.`);
}
