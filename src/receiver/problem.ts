import { STATUS_CODES } from "node:http";
import type { ErrorRequestHandler, RequestHandler, Response } from "express";
import { printable } from "../delivery/printable.ts";
import type { Log } from "../observe/log.ts";

/**
 * An HTTP error, which a route throws. The client sees `detail` and `members`, so they must not contain secrets.
 * `members` are further members of the problem details (RFC 9457, 3.2).
 */
export class Problem extends Error {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly members: object;
  constructor(status: number, detail: string, headers: Record<string, string> = {}, members: object = {}) {
    super(detail);
    this.status = status;
    this.headers = headers;
    this.members = members;
  }
}

/** Answers with RFC 9457 problem details. Type `about:blank` means: the HTTP status says it all. */
export function sendProblem(
  response: Response,
  status: number,
  detail: string,
  headers: Record<string, string> = {},
  members: object = {},
): void {
  response.status(status).set(headers).set("content-type", "application/problem+json");
  const problem = { type: "about:blank", title: STATUS_CODES[status] ?? "Error", status, detail, ...members };
  response.end(printable(JSON.stringify(problem)));
}

export const notFound: RequestHandler = (_request, response) => {
  sendProblem(response, 404, "There is nothing at this path.");
};

/** The app's error handler. Express sets a 4xx status on errors of the request; all others are bugs of deliverd. */
export function problemHandler(log: Log): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    const status = statusOf(error);
    if (status >= 500) log.error(`${request.method} ${request.path} failed`, { error });
    if (response.headersSent) {
      response.destroy();
    } else if (error instanceof Problem) {
      sendProblem(response, error.status, error.message, error.headers, error.members);
    } else if (status < 500) {
      sendProblem(response, status, "The request cannot be understood.");
    } else {
      sendProblem(response, 500, "Something went wrong in deliverd. Its log has the reason.");
    }
  };
}

function statusOf(error: unknown): number {
  const status = error instanceof Error && "status" in error ? error.status : undefined;
  return typeof status === "number" && status >= 400 && status < 600 ? status : 500;
}
