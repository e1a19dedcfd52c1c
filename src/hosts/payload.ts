import * as z from "zod";
import type { TransientError } from "../delivery/errors.ts";
import { MalformedWebhook, type RawWebhook } from "./webhook.ts";

/* What hosts have in common in the data that they send. */

/**
 * Control characters are not allowed in names: SQLite's text ends at NUL, PostgreSQL refuses it, terminals obey others.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/u;

/** A text of 1 to `max` characters that can be kept and printed. */
export const printableText = (max: number) =>
  z
    .string()
    .min(1, "is empty")
    .max(max, `is longer than ${max} characters`)
    .refine((value) => !UNPRINTABLE.test(value), "has control characters");

export const refName = printableText(1024);

export const sha = z
  .string()
  .regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i, "is not a commit id of 40 or 64 hex digits")
  .transform((value) => value.toLowerCase());

/** The name, action or state of an event or check. */
export const label = printableText(1024);

/** ISO 8601 → ms since the epoch. */
export const time = z.string().transform(Date.parse).pipe(z.number());

/** The first problem, with its path: `repository.id: …`. It never contains a value. */
function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue === undefined ? "is not valid" : `${issue.path.join(".") || "the body"}: ${issue.message}`;
}

/**
 * The items of an answer in the expected shape.
 * @param unusable makes the error where the shape is another: nothing is concluded then
 */
export function readItems<T>(
  shape: z.ZodType<T>,
  items: unknown[],
  unusable: (problem: string) => TransientError,
): T[] {
  const result = z.array(shape).safeParse(items);
  if (result.success) return result.data;
  throw unusable(firstIssue(result.error));
}

/** The value of a header of a webhook, or an empty text. */
export function headerOf({ headers }: RawWebhook, name: string): string {
  return String(headers[name] ?? "");
}

/** @throws MalformedWebhook if the body is not JSON */
export function parseWebhook(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new MalformedWebhook("The body is not JSON.");
  }
}

/** What `read` makes of a body. @throws MalformedWebhook if its schema refuses the body */
export function readEvent<T>(event: string, read: (body: unknown) => T, body: unknown): T {
  try {
    return read(body);
  } catch (error) {
    if (error instanceof z.ZodError)
      throw new MalformedWebhook(`The body is no '${event}' event: ${firstIssue(error)}.`);
    throw error;
  }
}
