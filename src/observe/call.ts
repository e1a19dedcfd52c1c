/**
 * How a call to another server ended. `denied`: 401 or 403 · `absent`: 404 · `refused`: another 4xx · `limited`: too many
 * calls · `failed`: 5xx · `unreachable`: no response · `aborted`: we gave it up.
 */
export type CallOutcome = "ok" | "denied" | "absent" | "refused" | "limited" | "failed" | "unreachable" | "aborted";

/** A finished call to another server. It holds no path and no query: they may grant access. */
export interface Call {
  /** The key of the host or registry, or `notices`. */
  to: string;
  /** `GET`, `git fetch`, or AWS's action: `ecr:PutImage`. */
  method: string;
  /** Where it went: scheme, host and port. Null: AWS's SDK decided. */
  origin: string | null;
  outcome: CallOutcome;
  /** Null: there was no response. */
  status: number | null;
  /** Until the headers of the response. */
  seconds: number;
  /** By which the other side finds the call in its own log. */
  requestId: string | null;
  /** Why there was no response. */
  error: unknown;
}

/** By lower-case name, as Node and AWS's SDK give them. */
export type CallHeaders = Readonly<Record<string, string | string[] | number | undefined>>;

/** What is known of a call's end. `status` null: it was answered, by a protocol without a status. */
export interface CallEnd {
  status: number | null;
  headers: CallHeaders;
}

export function outcomeOf(status: number, headers: CallHeaders): CallOutcome {
  if (status === 429 || (status === 403 && isLimit(headers))) return "limited";
  if (status >= 500) return "failed";
  if (status === 404) return "absent";
  if (status === 401 || status === 403) return "denied";
  return status >= 400 ? "refused" : "ok";
}

/** https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit */
function isLimit(headers: CallHeaders): boolean {
  return headers["retry-after"] !== undefined || String(headers["x-ratelimit-remaining"] ?? "") === "0";
}

/** GitHub's, then the common one, then AWS's. */
const REQUEST_ID_HEADERS = ["x-github-request-id", "x-request-id", "x-amzn-requestid", "x-amz-request-id"];
/** Characters. The other side chose it. */
const MAX_REQUEST_ID = 100;

export function requestIdIn(headers: CallHeaders): string | null {
  const found = REQUEST_ID_HEADERS.map((name) => headers[name]).find((value) => value !== undefined);
  return found === undefined ? null : String(found).slice(0, MAX_REQUEST_ID);
}
