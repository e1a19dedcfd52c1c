import { STATUS_CODES } from "node:http";
import type { ErrorRequestHandler, RequestHandler, Response } from "express";
import { printable } from "../delivery/printable.ts";
import type { Log } from "../observe/log.ts";

/** An answer that is not a success, to be thrown by a route. The detail is for the caller: it must hold no secret. */
export class Problem extends Error {
  readonly status: number;
  readonly headers: Record<string, string>;
  constructor(status: number, detail: string, headers: Record<string, string> = {}) {
    super(detail);
    this.status = status;
    this.headers = headers;
  }
}

/** Answers with RFC 9457 problem details. `about:blank` says that the status is all there is to the type. */
export function sendProblem(
  response: Response,
  status: number,
  detail: string,
  headers: Record<string, string> = {},
): void {
  response.status(status).set(headers).set("content-type", "application/problem+json");
  const problem = { type: "about:blank", title: STATUS_CODES[status] ?? "Error", status, detail };
  response.end(printable(JSON.stringify(problem)));
}

export const notFound: RequestHandler = (_request, response) => {
  sendProblem(response, 404, "There is nothing at this path.");
};

/** The app's last handler. Express marks what a request itself got wrong with a 4xx status; all else is ours. */
export function problemHandler(log: Log): ErrorRequestHandler {
  return (error: unknown, request, response, _next) => {
    const status = statusOf(error);
    if (status >= 500) log.error(`${request.method} ${request.path} failed`, { error });
    if (response.headersSent) {
      response.destroy();
    } else if (error instanceof Problem) {
      sendProblem(response, error.status, error.message, error.headers);
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
