import type { RequestHandler } from "express";
import { Problem } from "../receiver/problem.ts";

/** Nothing that is asked of us holds a control character, and no ledger takes a NUL. */
export const rejectControlCharacters: RequestHandler = (request, _response, next) => {
  if (/\p{Cc}/u.test(decoded(request.originalUrl)))
    throw new Problem(400, "The path or the query holds control characters.");
  next();
};

function decoded(url: string): string {
  try {
    return decodeURIComponent(url);
  } catch {
    throw new Problem(400, "The path or the query is not encoded as UTF-8.");
  }
}
