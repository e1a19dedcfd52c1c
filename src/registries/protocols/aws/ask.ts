import { Refused, TransientError } from "../../../delivery/errors.ts";
import { remoteText } from "../../../http/remote-text.ts";
import { readRetryAfter } from "../../../http/retry-after.ts";
import type { CallEnd } from "../../../observe/call.ts";
import { observeCall } from "../../../observe/observe-call.ts";

/** What an error says about its call. */
export interface Question {
  /** `registry ecr (ECR of 123456789012 in eu-west-1)` */
  registry: string;
  /** The IAM action that the call needs: `ecr:CreateRepository`. */
  right: string;
  signal: AbortSignal;
}

/** The parts of the SDK's errors that are read here: `ServiceException` of `@smithy/core`, or a failed connection. */
interface SdkError extends Error {
  code?: unknown;
  $metadata?: { httpStatusCode?: number; requestId?: string };
  $retryable?: { throttling?: boolean };
  $response?: { headers?: Record<string, string> };
}

const THROTTLED =
  /Throttl|RequestLimitExceeded|TooManyRequests|SlowDown|ConcurrentLimitExceeded|(?:Pending|Concurrent)SnapshotLimit/;
const DENIED =
  /AccessDenied|Unauthorized|InvalidClientTokenId|UnrecognizedClient|SignatureDoesNotMatch|AuthFailure|ExpiredToken|InvalidSignature|MissingAuthenticationToken|OptInRequired/;

/**
 * Makes one call of AWS's SDK and translates its errors.
 * @throws TransientError `registry-limited`, `registry-unavailable`,
 * `registry-unreachable`, Refused `registry-denied`, `aws-credentials`, `registry-name-unknown`, `registry-refused`
 */
export async function ask<T>(question: Question, call: () => Promise<T>): Promise<T> {
  try {
    question.signal.throwIfAborted();
    const asked = { method: question.right, origin: null, isAborted: () => question.signal.aborted };
    return await observeCall(asked, call, () => ({ status: 200, headers: {} }), endOf);
  } catch (error) {
    throw failureOf(question, error);
  }
}

/** What an error of the SDK says of its call. AWS limits with 400 too, and the name of the error says so. */
function endOf(error: unknown): CallEnd | null {
  if (!(error instanceof Error)) return null;
  const { name, $metadata, $retryable }: SdkError = error;
  if ($metadata?.httpStatusCode === undefined) return null;
  const isLimited = THROTTLED.test(name) || $retryable?.throttling;
  return {
    status: isLimited ? 429 : $metadata.httpStatusCode,
    headers: { "x-amzn-requestid": $metadata.requestId },
  };
}

/** Whether AWS answered with one of these errors. @param names as in AWS's API reference */
export function isAnswer(error: unknown, ...names: string[]): boolean {
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  return cause instanceof Error && names.includes(cause.name);
}

function failureOf({ registry, right, signal }: Question, thrown: unknown): unknown {
  if (signal.aborted) return signal.reason;
  if (thrown instanceof Refused || thrown instanceof TransientError || !(thrown instanceof Error)) return thrown;
  const error: SdkError = thrown;
  const status = error.$metadata?.httpStatusCode;
  // The SDK's errors hold request and response with their secrets, so only the name is kept.
  const cause = Object.assign(new Error(error.name), { name: error.name });
  const retryAfter = readRetryAfter(error.$response?.headers ?? {});
  const failed = status === undefined ? "failed" : `failed with ${status}`;
  const told = `${registry}: ${right} ${failed}: ${error.name}: ${remoteText(error.message)}`;
  if (/CredentialsProviderError|TokenProviderError/.test(error.name)) {
    return new Refused(
      "aws-credentials",
      `${told}. Give deliverd credentials where AWS's SDK looks for them: AWS_ACCESS_KEY_ID and ` +
        "AWS_SECRET_ACCESS_KEY, a profile, a web identity, or the role of its container or machine.",
      { cause },
    );
  }
  if (status === 429 || THROTTLED.test(error.name) || error.$retryable?.throttling) {
    return new TransientError("registry-limited", told, { cause, retryAfter });
  }
  if (status === undefined) {
    // A failed connection has a code. Anything else without a response is a bug in the SDK's or our code.
    if (error.code === undefined && !/Timeout|Network|ECONN|EPIPE|socket/i.test(`${error.name} ${error.message}`)) {
      return thrown;
    }
    return new TransientError("registry-unreachable", told, { cause });
  }
  if (status >= 500 || status === 408) {
    return new TransientError("registry-unavailable", told, { cause, retryAfter });
  }
  if (status === 401 || status === 403 || DENIED.test(error.name)) {
    return new Refused(
      "registry-denied",
      `${told}. Check the credentials that AWS's SDK finds, and that their IAM policy allows ${right} there.`,
      { cause },
    );
  }
  if (status === 404 || /NotFound/.test(error.name)) return new Refused("registry-name-unknown", `${told}.`, { cause });
  return new Refused("registry-refused", told, { cause });
}
