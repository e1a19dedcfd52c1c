import { ConfigError, TransientError } from "../../delivery/errors.ts";
import { readRetryAfter } from "../../http/retry-after.ts";
import { type RestApi, restApi } from "../rest/client.ts";
import type { HostFailures } from "../rest/failure.ts";
import { isUsableToken } from "../rest/token.ts";
import { giteaPager } from "./pager.ts";

/** The most that Gitea gives on a page, unless its administrator sets MAX_RESPONSE_ITEMS. */
const PAGE_SIZE = 50;

export interface ApiOptions {
  /** The key under `hosts`, for errors. */
  key: string;
  /** The URL of Gitea or Forgejo, without a slash at its end. */
  url: string;
  /** Null: no login, so only public repos. */
  token: string | null;
  /** ms for one attempt. */
  timeout?: number | undefined;
  /** ms before the second attempt. */
  retryBase?: number | undefined;
}

/** The REST API of Gitea and Forgejo, as RestApi. @throws ConfigError if the token cannot be one */
export function giteaApi({ key, url, token, timeout, retryBase }: ApiOptions): RestApi {
  if (!isUsableToken(token)) {
    throw new ConfigError(
      "gitea-token-invalid",
      `hosts.${key}.token is empty or holds spaces, line ends or other characters that no token has: check where it comes from.`,
    );
  }
  return restApi({
    ...{ key, token, timeout, retryBase },
    apiUrl: `${url}/api/v1`,
    login: (value) => ({ authorization: `token ${value}` }),
    failures: FAILURES,
    // Gitea has no rate limit and no headers of one. A proxy before it may answer 429.
    meter: { readBudget: () => null, countsUnchanged: true },
    pager: giteaPager(PAGE_SIZE),
  });
}

const FAILURES: HostFailures = {
  product: "Gitea",
  unavailable: (message, options) => new TransientError("gitea-unavailable", message, options),
  rateLimited: (message, options) => new TransientError("gitea-rate-limited", message, options),
  tokenRefused: (message, options) => new TransientError("gitea-token-refused", message, options),
  waitOf: readRetryAfter,
};
