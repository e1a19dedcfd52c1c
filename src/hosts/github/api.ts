import { Octokit } from "@octokit/core";
import { paginateRest } from "@octokit/plugin-paginate-rest";
import { ConfigError, TransientError } from "../../delivery/errors.ts";
import { parseRetryAfter, readRetryAfter, serverTime } from "../../http/retry-after.ts";
import type { Budget } from "../host.ts";
import { createAttempts } from "../rest/attempts.ts";
import { type AnswerHeaders, type FailedCall, failureOf, type HostFailures, unanswered } from "../rest/failure.ts";
import { guardedFetch, type WholeResponse } from "../rest/fetch.ts";
import { budgetOf, createMeter } from "../rest/meter.ts";
import { isUsableToken } from "../rest/token.ts";

export { Declined } from "../rest/failure.ts";

/**
 * GitHub's REST API. Each call throws Declined, or TransientError: `github-unavailable` (no usable response, or 5xx
 * after two more attempts), `github-rate-limited` (with the time to wait), `github-token-refused`.
 */
export interface GitHubApi {
  get(route: string, parameters: Record<string, unknown>): Promise<unknown>;
  /** The items of all pages of a list. */
  list(route: string, parameters: Record<string, unknown>): Promise<unknown[]>;
  post(route: string, parameters: Record<string, unknown>): Promise<void>;
  /** A request of any method. @returns the parsed body; undefined where there is none */
  send(route: string, parameters: Record<string, unknown>): Promise<unknown>;
  /** The rate limit as of the last response; null before the first one. */
  budget(): Budget | null;
  /** Runs `work` and returns how many requests of it count against the rate limit. */
  counted(work: () => Promise<void>): Promise<number>;
  /** How far GitHub's clock is ahead of ours, in ms, as of the last response. */
  clockAhead(): number;
}

export interface ApiOptions {
  /** The key under `hosts`, for errors. */
  key: string;
  apiUrl: string;
  /** Null: no login, so only public data. */
  token: string | null;
  /** ms for one attempt. */
  timeout?: number;
  /** ms before the second attempt; the third one waits four times as long. */
  retryBase?: number;
}

const MAX_PAGES = 100;
const GitHub = Octokit.plugin(paginateRest);

export function githubApi({ key, apiUrl, token, timeout = 10_000, retryBase = 500 }: ApiOptions): GitHubApi {
  if (!isUsableToken(token)) {
    throw new ConfigError(
      "github-token-invalid",
      `hosts.${key}.token is empty or holds spaces, line ends or other characters that no token has: check where it comes from.`,
    );
  }
  const meter = createMeter({ readBudget, countsUnchanged: false });
  const fetchWhole = guardedFetch(apiUrl, timeout, meter.read);
  const octokit = new GitHub({
    ...(token === null ? {} : { auth: token }),
    baseUrl: apiUrl.replace(/\/+$/, ""),
    userAgent: "deliverd",
    log: { debug() {}, info() {}, warn() {}, error() {} },
    request: {
      fetch: async (...request: Parameters<typeof fetchWhole>) => withoutConflict(await fetchWhole(...request)),
    },
  });
  // GitHub allows a token 100 requests at a time:
  // https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
  const attempts = createAttempts(retryBase);
  // octokit's plugins for retries and throttling delay every call in queues: 18 ms for three calls at a time.
  octokit.hook.wrap("request", (request, options) => attempts(async () => request(options), isTransient));
  const translated = <T>(route: string, call: Promise<T>) =>
    call.catch((error: unknown) => {
      throw translate(error, { key, apiUrl, token, route });
    });
  const send = (route: string, parameters: Record<string, unknown>) =>
    translated(
      route,
      octokit.request(route, parameters).then((response): unknown => response.data),
    );
  return {
    get: send,
    list: (route, parameters) => translated(route, everyPage(octokit, route, parameters)),
    post: async (route, parameters) => {
      await translated(route, octokit.request(route, parameters));
    },
    send,
    budget: meter.budget,
    counted: meter.counted,
    clockAhead: meter.clockAhead,
  };
}

async function everyPage(octokit: InstanceType<typeof GitHub>, route: string, parameters: Record<string, unknown>) {
  const items: unknown[] = [];
  let pages = 0;
  for await (const page of octokit.paginate.iterator<unknown>(route, { ...parameters, per_page: 100 })) {
    pages += 1;
    if (pages > MAX_PAGES) throw new Error(`the list does not end after ${MAX_PAGES} pages`);
    items.push(...page.data);
  }
  return items;
}

interface HttpFailure extends Error {
  status: number;
  response?: { headers: Record<string, string | number | undefined> };
}

function isHttpFailure(error: unknown): error is HttpFailure {
  return error instanceof Error && error.name === "HttpError" && "status" in error;
}

/**
 * No response (octokit calls that 500), or a failure of GitHub's: the next attempt may succeed. A rate limit says
 * itself when.
 */
function isTransient(error: unknown): boolean {
  return isHttpFailure(error) && error.status >= 500;
}

/** octokit's errors hold the whole response with its secrets, so only their message is used. */
function translate(error: unknown, call: FailedCall): Error {
  if (!isHttpFailure(error) || error.response === undefined) return unanswered(FAILURES, call, error);
  const { status, response, message } = error;
  return failureOf(FAILURES, call, { status, headers: response.headers, message });
}

/** octokit takes 409 of a list for an empty one. */
function withoutConflict(response: WholeResponse): WholeResponse {
  if (response.status === 409) throw new Error("it answered 409");
  return response;
}

const FAILURES: HostFailures = {
  product: "GitHub",
  unavailable: (message, options) => new TransientError("github-unavailable", message, options),
  rateLimited: (message, options) => new TransientError("github-rate-limited", message, options),
  tokenRefused: (message, options) => new TransientError("github-token-refused", message, options),
  isRateLimit: ({ status, message, headers }) => status === 403 && isRateLimit(message, headers),
  waitOf,
};

/** https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests */
function readBudget(headers: AnswerHeaders, clockAhead: number): Budget | null {
  return budgetOf(headers, { remaining: "x-ratelimit-remaining", reset: "x-ratelimit-reset" }, clockAhead);
}

/** https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit */
function isRateLimit(message: string, headers: AnswerHeaders): boolean {
  return (
    headers["retry-after"] !== undefined ||
    String(headers["x-ratelimit-remaining"]) === "0" ||
    // The words of older servers for a secondary limit.
    /rate.?limit|abuse detection/i.test(message)
  );
}

/** How long (ms) a response asks to wait; null: it does not say. */
function waitOf(headers: AnswerHeaders): number | null {
  const asked = readRetryAfter(headers);
  if (asked !== null) return asked;
  const reset = Number(headers["x-ratelimit-reset"]);
  if (String(headers["x-ratelimit-remaining"]) !== "0" || !Number.isFinite(reset)) return null;
  return parseRetryAfter(Math.max(1, reset - serverTime(headers) / 1000 + 1));
}
