import { setTimeout as delay } from "node:timers/promises";
import { Octokit } from "@octokit/core";
import { paginateRest } from "@octokit/plugin-paginate-rest";
import { ConfigError, TransientError } from "../../delivery/errors.ts";
import { remoteText } from "../../http/remote-text.ts";
import { parseRetryAfter, readRetryAfter, serverTime } from "../../http/retry-after.ts";
import type { Budget } from "../host.ts";
import { type Attempts, createAttempts } from "../rest/attempts.ts";
import { type AnswerHeaders, type FailedCall, failureOf, type HostFailures, unanswered } from "../rest/failure.ts";
import { guardedFetch, type WholeResponse } from "../rest/fetch.ts";
import { budgetOf, createMeter, type Meter } from "../rest/meter.ts";
import { isUsableToken } from "../rest/token.ts";
import { type Login, tokenLogin } from "./login.ts";

export { Declined } from "../rest/failure.ts";

/**
 * GitHub's REST API. Each call throws Declined, or TransientError: `github-unavailable` (no usable response, or 5xx
 * after two more attempts), `github-rate-limited` (with the time to wait), `github-token-refused`.
 */
export interface GitHubApi {
  get(route: string, parameters: Record<string, unknown>): Promise<unknown>;
  /** The items of all pages of a list. @param isEnough whether no page after this one is needed */
  list(route: string, parameters: Record<string, unknown>, isEnough?: (page: unknown[]) => boolean): Promise<unknown[]>;
  post(route: string, parameters: Record<string, unknown>): Promise<void>;
  /** A request of any method. @returns the parsed body; undefined where there is none */
  send(route: string, parameters: Record<string, unknown>): Promise<unknown>;
  /** The same for what must not be carried out twice: after a failure nobody knows whether it was carried out. */
  sendOnce(route: string, parameters: Record<string, unknown>): Promise<unknown>;
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

/** @throws ConfigError if the token cannot be one */
export function githubApi({ key, apiUrl, token, timeout, retryBase }: ApiOptions): GitHubApi {
  if (!isUsableToken(token)) {
    throw new ConfigError(
      "github-token-invalid",
      `hosts.${key}.token is empty or holds spaces, line ends or other characters that no token has: check where it comes from.`,
    );
  }
  return apiOver(openWire({ key, apiUrl, timeout, retryBase }), tokenLogin(token));
}

/** Where calls go, and the rate limit that they use. Several logins may share one. */
export interface Wire {
  key: string;
  apiUrl: string;
  fetch: ReturnType<typeof guardedFetch>;
  attempts: Attempts;
  meter: Meter;
  /** ms before the second attempt. */
  retryBase: number;
}

export interface WireOptions {
  key: string;
  apiUrl: string;
  /** ms for one attempt. */
  timeout?: number | undefined;
  retryBase?: number | undefined;
  /** What several rate limits of one host have in common. */
  shared?: Parameters<typeof createMeter>[1];
}

export function openWire({ key, apiUrl, timeout = 10_000, retryBase = 500, shared = {} }: WireOptions): Wire {
  const meter = createMeter({ readBudget, countsUnchanged: false }, shared);
  return {
    ...{ key, apiUrl, meter, retryBase },
    fetch: guardedFetch(apiUrl, timeout, meter.read),
    // GitHub allows a token 100 requests at a time:
    // https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
    attempts: createAttempts(retryBase),
  };
}

export function apiOver(wire: Wire, login: Login): GitHubApi {
  const { key, apiUrl, meter } = wire;
  const octokit = new GitHub({
    baseUrl: apiUrl.replace(/\/+$/, ""),
    userAgent: "deliverd",
    log: { debug() {}, info() {}, warn() {}, error() {} },
    request: {
      fetch: async (...request: Parameters<Wire["fetch"]>) => withoutConflict(await wire.fetch(...request)),
    },
  });
  // octokit's plugins for retries and throttling delay every call in queues: 18 ms for three calls at a time.
  octokit.hook.wrap("request", (request, options) => {
    const isOnce = options.request?.isOnce === true;
    const attempt = (headers: Record<string, string>) =>
      wire.attempts(
        async () => request({ ...options, headers: { ...options.headers, ...headers } }),
        (error) => !isOnce && isTransient(error),
      );
    return withLogin(wire, login, attempt);
  });
  const translated = <T>(route: string, call: Promise<T>) =>
    call.catch((error: unknown) => {
      throw translate(error, login, { key, apiUrl, token: login.secret(), route });
    });
  const send = (route: string, parameters: Record<string, unknown>) =>
    translated(
      route,
      octokit.request(route, parameters).then((response): unknown => response.data),
    );
  return {
    get: send,
    list: (route, parameters, isEnough) => translated(route, everyPage(octokit, route, parameters, isEnough)),
    post: async (route, parameters) => {
      await send(route, parameters);
    },
    send,
    sendOnce: (route, parameters) => send(route, { ...parameters, request: { isOnce: true } }),
    budget: meter.budget,
    counted: meter.counted,
    clockAhead: meter.clockAhead,
  };
}

/** Asks the login again after 401, as long as it hopes for another answer. */
async function withLogin<T>(
  wire: Wire,
  login: Login,
  attempt: (headers: Record<string, string>) => Promise<T>,
): Promise<T> {
  for (let refusals = 0; ; refusals++) {
    const authorization = await login.authorization();
    try {
      return await attempt(authorization === null ? {} : { authorization });
    } catch (error) {
      const isRefused = isHttpFailure(error) && error.status === 401;
      const wait = isRefused ? login.waitAfterRefusal(refusals, wire.retryBase) : null;
      if (wait === null) throw error;
      await delay(wait);
    }
  }
}

async function everyPage(
  octokit: InstanceType<typeof GitHub>,
  route: string,
  parameters: Record<string, unknown>,
  isEnough: (page: unknown[]) => boolean = () => false,
) {
  const items: unknown[] = [];
  let pages = 0;
  for await (const page of octokit.paginate.iterator<unknown>(route, { ...parameters, per_page: 100 })) {
    pages += 1;
    if (pages > MAX_PAGES) throw new Error(`the list does not end after ${MAX_PAGES} pages`);
    items.push(...page.data);
    if (isEnough(page.data)) break;
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
function translate(error: unknown, login: Login, call: FailedCall): Error {
  // What the login itself found out.
  if (error instanceof TransientError) return error;
  if (!isHttpFailure(error) || error.response === undefined) return unanswered(FAILURES, call, error);
  const { status, response, message } = error;
  const known = login.failure?.(status, remoteText(message, call.token === null ? [] : [call.token]));
  return known ?? failureOf(FAILURES, call, { status, headers: response.headers, message });
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
