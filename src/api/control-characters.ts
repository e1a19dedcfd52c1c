import type { RequestHandler } from "express";
import { Problem } from "../receiver/problem.ts";

/** Refuses URLs with control characters: no valid request has any, and a NUL would make ledger queries fail. */
export const rejectControlCharacters: RequestHandler = (request, _response, next) => {
  if (/\p{Cc}/u.test(decoded(request.originalUrl)))
    throw new Problem(400, "The path or the query contains control characters.");
  next();
};

function decoded(url: string): string {
  try {
    return decodeURIComponent(url);
  } catch {
    throw new Problem(400, "The path or the query is not encoded as UTF-8.");
  }
}
