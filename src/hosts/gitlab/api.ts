import { ConfigError, TransientError } from "../../delivery/errors.ts";
import { parseRetryAfter, readRetryAfter, serverTime } from "../../http/retry-after.ts";
import { type RestApi, restApi } from "../rest/client.ts";
import type { AnswerHeaders, HostFailures } from "../rest/failure.ts";
import { budgetOf } from "../rest/meter.ts";
import { linkPager } from "../rest/pagers.ts";
import { isUsableToken } from "../rest/token.ts";

/** The most that GitLab gives on a page: https://docs.gitlab.com/api/rest/#pagination */
const PAGE_SIZE = 100;

export interface ApiOptions {
  /** The key under `hosts`, for errors. */
  key: string;
  /** The URL of GitLab, without a slash at its end. */
  url: string;
  /** Null: no login, so only public projects. */
  token: string | null;
  /** ms for one attempt. */
  timeout?: number | undefined;
  /** ms before the second attempt. */
  retryBase?: number | undefined;
}

/** GitLab's REST API, as RestApi. @throws ConfigError if the token cannot be one */
export function gitlabApi({ key, url, token, timeout, retryBase }: ApiOptions): RestApi {
  if (!isUsableToken(token)) {
    throw new ConfigError(
      "gitlab-token-invalid",
      `hosts.${key}.token is empty or holds spaces, line ends or other characters that no token has: check where it comes from.`,
    );
  }
  return restApi({
    ...{ key, token, timeout, retryBase },
    apiUrl: `${url}/api/v4`,
    login: (value) => ({ "private-token": value }),
    failures: FAILURES,
    meter: {
      readBudget: (headers, ahead) =>
        budgetOf(headers, { remaining: "ratelimit-remaining", reset: "ratelimit-reset" }, ahead),
      // GitLab counts requests before it compares their condition.
      countsUnchanged: true,
    },
    pager: linkPager({ per_page: PAGE_SIZE }),
  });
}

const FAILURES: HostFailures = {
  product: "GitLab",
  unavailable: (message, options) => new TransientError("gitlab-unavailable", message, options),
  rateLimited: (message, options) => new TransientError("gitlab-rate-limited", message, options),
  tokenRefused: (message, options) => new TransientError("gitlab-token-refused", message, options),
  waitOf,
};

/** https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/#response-headers */
function waitOf(headers: AnswerHeaders): number | null {
  const asked = readRetryAfter(headers);
  if (asked !== null) return asked;
  if (String(headers["ratelimit-remaining"]) !== "0") return null;
  const reset = Number(headers["ratelimit-reset"] ?? Number.NaN);
  return Number.isFinite(reset)
    ? parseRetryAfter(Math.max(1, reset - serverTime(headers) / 1000 + 1))
    : parseRetryAfter(headers["ratelimit-resettime"], serverTime(headers));
}
