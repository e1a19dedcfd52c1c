import { ConfigError, TransientError } from "../../../delivery/errors.ts";
import { basicAuth } from "../../../http/login.ts";
import { readRetryAfter } from "../../../http/retry-after.ts";
import type { Budget } from "../../host.ts";
import { type RestApi, restApi } from "../../rest/client.ts";
import type { AnswerHeaders, HostFailures } from "../../rest/failure.ts";
import { type Pager, withQueryOf } from "../../rest/pagers.ts";
import { isUsableToken } from "../../rest/token.ts";

export interface ApiOptions {
  /** The key under `hosts`, for errors. */
  key: string;
  /** Without a slash at its end. */
  apiUrl: string;
  /** The e-mail address of the account that an API token belongs to. Any other text, or null: it is an access token. */
  username: string | null;
  /** Null: no login, so only public repos. */
  token: string | null;
  /** ms for one attempt. */
  timeout?: number | undefined;
  /** ms before the second attempt. */
  retryBase?: number | undefined;
}

/** The REST API of Bitbucket Cloud, as RestApi. @throws ConfigError if the token cannot be one */
export function cloudApi({ key, apiUrl, username, token, timeout, retryBase }: ApiOptions): RestApi {
  if (!isUsableToken(token)) {
    throw new ConfigError(
      "bitbucket-token-invalid",
      `hosts.${key}.token is empty or holds spaces, line ends or other characters that no token has: check where it comes from.`,
    );
  }
  return restApi({
    ...{ key, apiUrl, token, timeout, retryBase },
    login: (value) => ({
      authorization: isAccount(username) ? basicAuth(username, value) : `Bearer ${value}`,
    }),
    failures: failuresOf(key),
    meter: { readBudget: hourlyBudget(token === null ? ANONYMOUS_LIMIT : DEFAULT_LIMIT), countsUnchanged: true },
    pager,
  });
}

/**
 * Whether the token is an API token of an Atlassian account. The login by the name of a user went with the app
 * passwords. https://support.atlassian.com/bitbucket-cloud/docs/using-api-tokens/
 */
export function isAccount(username: string | null): username is string {
  return username?.includes("@") ?? false;
}

/** The most that Bitbucket gives on a page. */
const PAGE_SIZE = 100;

/** https://developer.atlassian.com/cloud/bitbucket/rest/intro/#pagination */
const pager: Pager = {
  query: { pagelen: PAGE_SIZE },
  read(asked, { body }) {
    const { values, next } = (body ?? {}) as { values?: unknown; next?: unknown };
    if (!Array.isArray(values)) throw new Error("the answer is no list");
    return { items: values, next: typeof next === "string" ? withQueryOf(next, asked) : null };
  },
};

function failuresOf(key: string): HostFailures {
  return {
    product: "Bitbucket",
    unavailable: (message, options) => new TransientError("bitbucket-unavailable", message, options),
    rateLimited: (message, options) => new TransientError("bitbucket-rate-limited", message, options),
    tokenRefused: (message, options) =>
      new TransientError(
        "bitbucket-token-refused",
        `${message} An API token needs hosts.${key}.username, the e-mail address of its account. App passwords no longer work.`,
        options,
      ),
    waitOf: readRetryAfter,
  };
}

/** Requests of an hour: https://support.atlassian.com/bitbucket-cloud/docs/api-request-limits/ */
const DEFAULT_LIMIT = 1_000;
const ANONYMOUS_LIMIT = 60;
const HOUR_MS = 60 * 60_000;
/** What `X-RateLimit-NearLimit` means: less than a fifth is left. */
const NEAR_LIMIT = 0.2;

/**
 * Bitbucket says how many requests an hour it allows, and not how many are left: we count our own. Other programs with
 * the same token show only by `NearLimit`.
 * @param defaultLimit where no header says it
 */
function hourlyBudget(defaultLimit: number): (headers: AnswerHeaders) => Budget {
  let startedAt = 0;
  let calls = 0;
  return (headers) => {
    const now = Date.now();
    if (now - startedAt >= HOUR_MS) {
      startedAt = now;
      calls = 0;
    }
    calls += 1;
    const limit = Number(headers["x-ratelimit-limit"]) || defaultLimit;
    const isNear = String(headers["x-ratelimit-nearlimit"]).toLowerCase() === "true";
    const left = Math.min(limit - calls, isNear ? limit * NEAR_LIMIT : limit);
    return { remaining: Math.max(0, Math.floor(left)), resetsAt: startedAt + HOUR_MS };
  };
}
