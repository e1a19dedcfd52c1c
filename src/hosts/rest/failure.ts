import type { TransientError } from "../../delivery/errors.ts";
import { reasonWithoutAnswer } from "../../http/no-answer.ts";
import { remoteText } from "../../http/remote-text.ts";

/** The host understood a request and refused it. The caller decides what that means. */
export class Declined extends Error {
  /** Any 4xx but 401, 429 and what the host uses for its rate limit. 403 also where a 401 `isForbidden`. */
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** By lower-case name. */
export type AnswerHeaders = Readonly<Record<string, string | number | undefined>>;

/** An answer that is no success. */
export interface FailedAnswer {
  status: number;
  headers: AnswerHeaders;
  /** What the host says about it. */
  message: string;
  /** The whole text, which only serves to recognise what happened. Left out: not known. */
  body?: string;
}

type MakeError = (message: string, options: { cause: Error; retryAfter?: number | null }) => TransientError;

/** A type of host, as far as its failures depend on it. Its errors have their own codes: the documents list them. */
export interface HostFailures {
  /** As people write it: `GitLab`. */
  product: string;
  /** No usable answer, or 5xx. */
  unavailable: MakeError;
  rateLimited: MakeError;
  tokenRefused: MakeError;
  /** Whether an answer that is not 429 says that the host limits us. Left out: none does. */
  isRateLimit?(answer: FailedAnswer): boolean;
  /** Whether a 401 is about a right that the login lacks, and not about the login. Left out: none is. */
  isForbidden?(answer: FailedAnswer): boolean;
  /** How long (ms) an answer asks to wait. Null: it does not say. */
  waitOf(headers: AnswerHeaders): number | null;
}

/** The configured host, and the request that failed. */
export interface FailedCall {
  /** The key under `hosts`. */
  key: string;
  apiUrl: string;
  /** Null: none is configured. */
  token: string | null;
  /** Method and route, for people. */
  route: string;
}

/** ms, if a limit does not say for how long it holds. */
const DEFAULT_WAIT_MS = 60_000;

/** Says that a request got no usable answer. The error holds only one masked line of what happened. */
export function unanswered(host: HostFailures, call: FailedCall, error: unknown): TransientError {
  const message = remoteText(reasonWithoutAnswer(error), secretsOf(call));
  const cause = new Error(message);
  return host.unavailable(`${host.product} at ${call.apiUrl} gave no usable answer to ${call.route}: ${message}`, {
    cause,
  });
}

/** What an answer that is no success means for the caller. */
export function failureOf(host: HostFailures, call: FailedCall, answer: FailedAnswer): TransientError | Declined {
  const { product } = host;
  const { key, apiUrl, route } = call;
  const { status, headers } = answer;
  const message = remoteText(answer.message, secretsOf(call));
  const cause = new Error(message);
  if (status === 429 || host.isRateLimit?.({ ...answer, message })) {
    const retryAfter = host.waitOf(headers) ?? DEFAULT_WAIT_MS;
    const wait = Math.ceil(retryAfter / 1000);
    return host.rateLimited(`${product} limits our requests to ${route} for ${wait} s: ${message}`, {
      cause,
      retryAfter,
    });
  }
  if (status === 401 && host.isForbidden?.(answer)) return new Declined(403, message);
  if (status === 401) {
    return host.tokenRefused(
      `${product} refuses the token of host '${key}' (${message}): it has expired or was revoked. Set hosts.${key}.token to a valid one.`,
      { cause },
    );
  }
  if (status >= 500) {
    return host.unavailable(`${product} at ${apiUrl} answered ${status} to ${route}: ${message}`, {
      cause,
      retryAfter: host.waitOf(headers),
    });
  }
  return new Declined(status, message);
}

function secretsOf({ token }: FailedCall): string[] {
  return token === null ? [] : [token];
}

/** The answer, or `otherwise` where the host declines. */
export async function unlessDeclined<T>(answer: Promise<T>, otherwise: T): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof Declined) return otherwise;
    throw error;
  }
}
