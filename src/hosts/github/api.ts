import { setTimeout as delay } from "node:timers/promises";
import { Octokit } from "@octokit/core";
import { paginateRest } from "@octokit/plugin-paginate-rest";
import { Semaphore } from "../../async/semaphore.ts";
import { ConfigError, TransientError } from "../../delivery/errors.ts";
import { MAX_CONNECTIONS } from "../../http/client.ts";
import { reasonWithoutAnswer } from "../../http/no-answer.ts";
import { remoteText } from "../../http/remote-text.ts";
import { parseRetryAfter, readRetryAfter, serverTime } from "../../http/retry-after.ts";
import type { Budget } from "../host.ts";
import { guardedFetch } from "./fetch.ts";
import { createMeter } from "./meter.ts";

/** GitHub understood a request and refused it. The caller decides what that means. */
export class Declined extends Error {
  /** 400, 403 (not for its rate limit), 404, 410, 422 or 451. */
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

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
const MAX_ATTEMPTS = 3;
const GitHub = Octokit.plugin(paginateRest);

export function githubApi({ key, apiUrl, token, timeout = 10_000, retryBase = 500 }: ApiOptions): GitHubApi {
  if (token !== null && !/^[\x21-\x7e]+$/.test(token)) {
    // Such a token is no valid header value, so every request would fail.
    throw new ConfigError(
      "github-token-invalid",
      `hosts.${key}.token is empty or holds spaces, line ends or other characters that no token has: check where it comes from.`,
    );
  }
  const meter = createMeter();
  const octokit = new GitHub({
    ...(token === null ? {} : { auth: token }),
    baseUrl: apiUrl.replace(/\/+$/, ""),
    userAgent: "deliverd",
    log: { debug() {}, info() {}, warn() {}, error() {} },
    request: { fetch: guardedFetch(apiUrl, timeout, meter.read) },
  });
  // The time-out of an attempt begins when it has a connection. GitHub allows a token 100 requests at a time:
  // https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
  const connections = new Semaphore(MAX_CONNECTIONS);
  // octokit's plugins for retries and throttling delay every call in queues: 18 ms for three calls at a time.
  octokit.hook.wrap("request", async (request, options) => {
    for (let attempt = 1; ; attempt++) {
      await connections.acquire();
      try {
        return await request(options);
      } catch (error) {
        if (!isTransient(error) || attempt === MAX_ATTEMPTS) throw error;
      } finally {
        connections.release();
      }
      await delay(retryBase * attempt ** 2);
    }
  });
  const translated = <T>(route: string, call: Promise<T>) =>
    call.catch((error: unknown) => {
      throw translate(error, { key, apiUrl, route, token });
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

interface Call {
  key: string;
  apiUrl: string;
  route: string;
  token: string | null;
}

function translate(error: unknown, { key, apiUrl, route, token }: Call): Error {
  // octokit's errors hold the whole response with its secrets, so only one masked line is kept.
  const message = remoteText(reasonWithoutAnswer(error), token === null ? [] : [token]);
  const cause = new Error(message);
  if (!isHttpFailure(error) || error.response === undefined) {
    return new TransientError(
      "github-unavailable",
      `GitHub at ${apiUrl} gave no usable answer to ${route}: ${message}`,
      { cause },
    );
  }
  const { status } = error;
  const { headers } = error.response;
  if (status === 429 || (status === 403 && isRateLimit(message, headers))) {
    const retryAfter = waitOf(headers) ?? 60_000;
    const wait = Math.ceil(retryAfter / 1000);
    return new TransientError(
      "github-rate-limited",
      `GitHub limits our requests to ${route} for ${wait} s: ${message}`,
      {
        cause,
        retryAfter,
      },
    );
  }
  if (status === 401) {
    return new TransientError(
      "github-token-refused",
      `GitHub refuses the token of host '${key}' (${message}): it has expired or was revoked. Set hosts.${key}.token to a valid one.`,
      { cause },
    );
  }
  if (status >= 500) {
    return new TransientError("github-unavailable", `GitHub at ${apiUrl} answered ${status} to ${route}: ${message}`, {
      cause,
      retryAfter: waitOf(headers),
    });
  }
  return new Declined(status, message);
}

type Headers = Record<string, string | number | undefined>;

/** https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit */
function isRateLimit(message: string, headers: Headers): boolean {
  return (
    headers["retry-after"] !== undefined ||
    String(headers["x-ratelimit-remaining"]) === "0" ||
    // The words of older servers for a secondary limit.
    /rate.?limit|abuse detection/i.test(message)
  );
}

/** How long (ms) a response asks to wait; null: it does not say. */
function waitOf(headers: Headers): number | null {
  const asked = readRetryAfter(headers);
  if (asked !== null) return asked;
  const reset = Number(headers["x-ratelimit-reset"]);
  if (String(headers["x-ratelimit-remaining"]) !== "0" || !Number.isFinite(reset)) return null;
  return parseRetryAfter(Math.max(1, reset - serverTime(headers) / 1000 + 1));
}
