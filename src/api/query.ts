import type { Request } from "express";
import * as z from "zod";
import { didYouMean } from "../delivery/did-you-mean.ts";
import { isShaPrefix } from "../delivery/sha.ts";
import { rangeIntervals } from "../delivery/version-order.ts";
import { DELIVERY_STATES } from "../ledger/deliveries.ts";
import { isCursor } from "../ledger/page.ts";
import { Problem } from "../receiver/problem.ts";

/** The keys of a query, each with the schema of its value, which is text. */
export type QueryShape = Record<string, z.ZodType>;

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;
/** An error message shows this much of an unknown key. */
const MAX_KEY_CHARS = 64;
/** Each key that is told costs a search for the one that was meant, and a URL has room for thousands. */
const MAX_KEYS_TOLD = 5;

/** A text of a query; longer ones name nothing that deliverd knows. */
const text = z.string().max(1_000, { error: "a value of the query is longer than 1,000 characters." });

export const repoName = text.describe("A repo as `<host>/<owner>/<name>` or `<owner>/<name>`.");
export const artifactName = text.describe("The name of an artifact.");
export const branchName = text.describe("A branch, as `main`: what is or was on it.");
export const shaPrefix = text
  .refine(isShaPrefix, {
    error: "sha must be a commit id in lower case, or its first digits: at least 7 of 0-9 and a-f.",
  })
  .describe("A commit id, or its first 7 digits or more.");
export const searchText = text.describe("Words: parts of names, or the beginning of a version or commit id.");
export const deliveryState = z
  .enum(DELIVERY_STATES, { error: `state must be one of ${DELIVERY_STATES.join(", ")}.` })
  .describe("A state of deliveries.");
export const versionRange = text
  .refine((range) => rangeIntervals(range) !== null, {
    error: 'version must be a range of semantic versions, such as "^1.2.0" or ">=1.2 <3".',
  })
  .describe("A range of semantic versions, by the rules of npm.");
export const registryKey = text.describe("The key of a registry in the server's configuration.");

/** A day or a time. */
export const timeOf = (key: string) =>
  z
    .union([z.iso.date(), z.iso.datetime({ offset: true })], {
      error: `${key} must be a day or a time, such as 2026-11-30 or 2026-11-30T12:00:00Z.`,
    })
    .describe("A day (UTC) or a time, in ISO 8601.");

/** What every list takes. */
export const paging = {
  cursor: text
    .refine(isCursor, { error: "cursor must be the `next` of another page of this list." })
    .optional()
    .describe("The `next` of the page before."),
  limit: z
    .string()
    .transform((value) => (/^\d{1,3}$/.test(value) ? Number(value) : 0))
    .pipe(
      z
        .int()
        .min(1, { error: `limit must be a number from 1 to ${MAX_LIMIT}.` })
        .max(MAX_LIMIT, { error: `limit must be a number from 1 to ${MAX_LIMIT}.` }),
    )
    .prefault(String(DEFAULT_LIMIT))
    .describe("How many items a page has at most."),
};

/**
 * The values of a query. A mistyped key would otherwise be ignored, and the answer would be wrong.
 * @throws Problem 400 that names unknown keys, a key that is given twice, or the first value that is wrong
 */
export function parseQuery<Shape extends QueryShape>(
  schema: z.ZodObject<Shape>,
  { query }: Pick<Request, "query">,
): z.output<z.ZodObject<Shape>> {
  const known = Object.keys(schema.shape);
  requireKnown(Object.keys(query), known);
  const values: Record<string, string> = {};
  for (const key of known) {
    const value = query[key];
    if (value === undefined || value === "") continue;
    if (typeof value !== "string") throw new Problem(400, `${key} is given more than once.`);
    values[key] = value;
  }
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  throw new Problem(400, result.error.issues[0]?.message ?? "The query cannot be understood.");
}

function requireKnown(keys: string[], known: string[]): void {
  const unknown = keys.filter((key) => !known.includes(key));
  if (unknown.length === 0) return;
  const told = unknown.slice(0, MAX_KEYS_TOLD);
  const named = told.map((key) => `"${key.slice(0, MAX_KEY_CHARS)}"${didYouMean(key, known)}`).join(", ");
  const rest = known.length === 0 ? "This path takes no query." : `Known keys: ${known.join(", ")}.`;
  throw new Problem(
    400,
    `The query has ${unknown.length === 1 ? "an unknown key" : "unknown keys"}: ${named}. ${rest}`,
  );
}
