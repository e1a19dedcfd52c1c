export interface Answer {
  status: number;
  /** Undefined: none. */
  body?: unknown;
  headers?: Record<string, string>;
  /** What was wrong with the request, beyond what its answer says. */
  violation?: string;
}

/** Gitea's form of a refusal. */
export function refusal(status: number, message: string): Answer {
  return { status, body: { message, url: "http://localhost/api/swagger" } };
}

/** Gitea says why among `errors`, and the message is the same for a repo, a commit and a branch. */
export function notFound(reason?: string): Answer {
  const errors = reason === undefined ? null : [reason];
  return { status: 404, body: { errors, message: "not found", url: "http://localhost/api/swagger" } };
}
