export interface Answer {
  status: number;
  /** Undefined: none. */
  body?: unknown;
  headers?: Record<string, string>;
  /** What was wrong with the request, beyond what its answer says. */
  violation?: string;
}

/** GitLab's form of a refusal. */
export function refusal(status: number, message: unknown): Answer {
  return { status, body: { message } };
}
