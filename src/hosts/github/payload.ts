import * as z from "zod";
import { TransientError } from "../../delivery/errors.ts";

/**
 * The parts of GitHub's data that deliverd uses.
 * https://docs.github.com/en/webhooks/webhook-events-and-payloads and https://docs.github.com/en/rest
 */

/**
 * Control characters are not allowed in names: SQLite's text ends at NUL, PostgreSQL refuses it, terminals obey others.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u;

const text = (max: number) =>
  z
    .string()
    .min(1, "is empty")
    .max(max, `is longer than ${max} characters`)
    .refine((value) => !UNPRINTABLE.test(value), "has control characters");

/** Owner and name become part of paths and URLs, so only the characters that GitHub allows are accepted. */
const pathName = text(100)
  .regex(/^[\w.-]+$/, "has characters that GitHub does not allow there")
  .refine((value) => value !== "." && value !== "..", "is no name");

export const refName = text(1024);

export const sha = z
  .string()
  .regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i, "is not a commit id of 40 or 64 hex digits")
  .transform((value) => value.toLowerCase());

/** The name, action or state of an event or check. */
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

/** The first problem, with its path: `repository.id: …`. It never contains a value. */
export function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue === undefined ? "is not valid" : `${issue.path.join(".") || "the body"}: ${issue.message}`;
}

/**
 * The items of an answer in the expected shape.
 * @throws TransientError if the shape is another: nothing is concluded then
 */
export function readAnswer<T>(what: string, shape: z.ZodType<T>, items: unknown[]): T[] {
  const result = z.array(shape).safeParse(items);
  if (result.success) return result.data;
  throw new TransientError("github-answer-unusable", `GitHub's answer is not ${what}: ${firstIssue(result.error)}.`);
}
