import type { Request, RequestHandler } from "express";
import { didYouMean } from "../delivery/did-you-mean.ts";
import { quoted } from "../delivery/printable.ts";
import type { DeliveryState } from "../delivery/types.ts";
import { DELIVERY_STATES } from "../ledger/deliveries.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { isCursor } from "../ledger/page.ts";
import { findRepo, type KnownRepo } from "../ledger/repos.ts";
import { Problem } from "../receiver/problem.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 200;
/** An error message shows this much of an unknown key. */
const MAX_KEY_CHARS = 64;
/** Each key that is told costs a search for the one that was meant, and a URL has room for thousands. */
const MAX_KEYS_TOLD = 5;

/**
 * Refuses a query with other keys: a mistyped filter would otherwise be ignored, and the answer would be wrong.
 * @throws (the handler) Problem 400 that names the keys
 */
export function requireKnownQuery(...known: string[]): RequestHandler {
  return (request, _response, next) => {
    const unknown = Object.keys(request.query).filter((key) => !known.includes(key));
    if (unknown.length === 0) return next();
    const told = unknown.slice(0, MAX_KEYS_TOLD);
    const keys = told.map((key) => `"${key.slice(0, MAX_KEY_CHARS)}"${didYouMean(key, known)}`).join(", ");
    const rest = known.length === 0 ? "This path takes no query." : `Known keys: ${known.join(", ")}.`;
    throw new Problem(
      400,
      `The query has ${unknown.length === 1 ? "an unknown key" : "unknown keys"}: ${keys}. ${rest}`,
    );
  };
}

/**
 * The value of a query parameter; undefined if it is missing or empty.
 * @throws Problem 400 if the parameter is given more than once
 */
export function queryText(request: Request, key: string): string | undefined {
  const value = request.query[key];
  if (value === undefined || typeof value === "string") return value === "" ? undefined : value;
  throw new Problem(400, `${key} is given more than once.`);
}

/** The parameter `state`. @throws Problem 400 if there is no such state */
export function queryState(request: Request): DeliveryState | undefined {
  const value = queryText(request, "state");
  const state = DELIVERY_STATES.find((each) => each === value);
  if (value !== undefined && state === undefined)
    throw new Problem(400, `state must be one of ${DELIVERY_STATES.join(", ")}.`);
  return state;
}

/** The parameter `limit`, or the default. @throws Problem 400 if it is not a number from 1 to 200 */
export function queryLimit(request: Request): number {
  const value = queryText(request, "limit");
  if (value === undefined) return DEFAULT_LIMIT;
  if (/^\d{1,3}$/.test(value) && Number(value) >= 1 && Number(value) <= MAX_LIMIT) return Number(value);
  throw new Problem(400, `limit must be a number from 1 to ${MAX_LIMIT}.`);
}

/** The parameter `cursor`. @throws Problem 400 if it is no cursor of a list */
export function queryCursor(request: Request): string | undefined {
  const value = queryText(request, "cursor");
  if (value === undefined || isCursor(value)) return value;
  throw new Problem(400, "cursor must be the `next` of another page of this list.");
}

/** What the parameter `repo` names. */
export type QueriedRepo = { kind: "any" } | { kind: "one"; repo: KnownRepo } | { kind: "unknown"; name: string };

/** The repo that the parameter `repo` names. @throws Problem 409 if several hosts have a repo of this name */
export async function queryRepo(ledger: Ledger, request: Request): Promise<QueriedRepo> {
  const name = queryText(request, "repo");
  if (name === undefined) return { kind: "any" };
  const repo = await findOneRepo(ledger, name);
  return repo === null ? { kind: "unknown", name } : { kind: "one", repo };
}

/** The repo of this name; null if none is known. @throws Problem 409 if several hosts have one */
export async function findOneRepo(ledger: Ledger, name: string): Promise<KnownRepo | null> {
  const [repo, ...others] = await findRepo(ledger, name);
  if (repo === undefined || others.length === 0) return repo ?? null;
  const names = [repo, ...others].map((each) => `${each.host}/${each.owner}/${each.name}`).join(", ");
  throw new Problem(409, `Several hosts have a repo ${quoted(name)}: write ${names.replace(/, (?=[^,]*$)/, " or ")}.`);
}

/** The filter for a query in the ledger: the id of the repo, undefined for any; null: no row can match. */
export function repoFilter(queried: QueriedRepo): { repoId: string | undefined } | null {
  switch (queried.kind) {
    case "any":
      return { repoId: undefined };
    case "one":
      return { repoId: queried.repo.id };
    case "unknown":
      return null;
  }
}
