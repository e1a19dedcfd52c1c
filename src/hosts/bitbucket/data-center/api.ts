import { ConfigError, TransientError } from "../../../delivery/errors.ts";
import { parseRetryAfter, readRetryAfter } from "../../../http/retry-after.ts";
import type { Budget } from "../../host.ts";
import { type RestApi, restApi } from "../../rest/client.ts";
import type { AnswerHeaders, FailedAnswer, HostFailures } from "../../rest/failure.ts";
import type { Pager } from "../../rest/pagers.ts";
import { isUsableToken } from "../../rest/token.ts";

export interface ApiOptions {
  /** The key under `hosts`, for errors. */
  key: string;
  /** The URL of Bitbucket, without a slash at its end. */
  url: string;
  /** An HTTP access token. Null: no login, so only public repos. */
  token: string | null;
  /** ms for one attempt. */
  timeout?: number | undefined;
  /** ms before the second attempt. */
  retryBase?: number | undefined;
}

/** The REST API of Bitbucket Data Center, as RestApi. Paths come after `<url>/rest`. @throws ConfigError if the token cannot be one */
export function dataCenterApi({ key, url, token, timeout, retryBase }: ApiOptions): RestApi {
  if (!isUsableToken(token)) {
    throw new ConfigError(
      "bitbucket-token-invalid",
      `hosts.${key}.token is empty or holds spaces, line ends or other characters that no token has: check where it comes from.`,
    );
  }
  return restApi({
    ...{ key, token, timeout, retryBase },
    apiUrl: `${url}/rest`,
    login: (value) => ({ authorization: `Bearer ${value}` }),
    failures: FAILURES,
    meter: { readBudget: bucketOf, countsUnchanged: true },
    pager,
  });
}

const PAGE_SIZE = 100;

/** https://developer.atlassian.com/server/bitbucket/rest/v816/intro/#paged-apis */
const pager: Pager = {
  query: { limit: PAGE_SIZE },
  read(asked, { body }) {
    const { values, isLastPage, nextPageStart } = (body ?? {}) as Record<string, unknown>;
    if (!Array.isArray(values) || typeof isLastPage !== "boolean") throw new Error("the answer is no list");
    if (isLastPage) return { items: values, next: null };
    const next = new URL(asked);
    if (typeof nextPageStart !== "number" || nextPageStart <= Number(asked.searchParams.get("start")))
      throw new Error("the next page is not after this one");
    next.searchParams.set("start", String(nextPageStart));
    return { items: values, next };
  },
};

const FAILURES: HostFailures = {
  product: "Bitbucket",
  unavailable: (message, options) => new TransientError("bitbucket-unavailable", message, options),
  rateLimited: (message, options) => new TransientError("bitbucket-rate-limited", message, options),
  tokenRefused: (message, options) => new TransientError("bitbucket-token-refused", message, options),
  isForbidden,
  waitOf,
};

/** Data Center answers 401 also where it knows the user, who lacks a right. */
function isForbidden({ body = "" }: FailedAnswer): boolean {
  return /"exceptionName"\s*:\s*"[\w.]*AuthorisationException"/.test(body);
}

/**
 * A bucket of tokens, into which some fall at fixed times. It counts as reset when it is full again.
 * https://confluence.atlassian.com/bitbucketserver/improving-instance-stability-with-rate-limiting-976171954.html
 */
function bucketOf(headers: AnswerHeaders): Budget | null {
  const remaining = numberOf(headers["x-ratelimit-remaining"]);
  const size = numberOf(headers["x-ratelimit-limit"]);
  const fill = numberOf(headers["x-ratelimit-fillrate"]);
  const interval = numberOf(headers["x-ratelimit-interval-seconds"]);
  if (remaining === null || size === null || interval === null || fill === null || fill <= 0) return null;
  const intervals = Math.ceil(Math.max(0, size - remaining) / fill);
  return { remaining, resetsAt: Date.now() + intervals * interval * 1000 };
}

function waitOf(headers: AnswerHeaders): number | null {
  return readRetryAfter(headers) ?? parseRetryAfter(headers["x-ratelimit-interval-seconds"]);
}

function numberOf(value: string | number | undefined): number | null {
  const number = Number(value ?? Number.NaN);
  return Number.isFinite(number) ? number : null;
}
