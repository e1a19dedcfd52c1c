import { setTimeout as delay } from "node:timers/promises";
import { Octokit } from "@octokit/core";
import { paginateRest } from "@octokit/plugin-paginate-rest";
import { Semaphore } from "../../async/semaphore.ts";
import { ConfigError, TransientError } from "../../delivery/errors.ts";
import { remoteText } from "../../http/remote-text.ts";
import { clockOf, readRetryAfter } from "../../http/retry-after.ts";
import { CONNECTIONS } from "../../http/transport.ts";
import type { Budget } from "../host.ts";
import { guardedFetch } from "./fetch.ts";
import { createMeter } from "./meter.ts";

/** GitHub has understood a request and says no: what that means is the caller's to say. */
export class Declined extends Error {
  /** 400, 403 (not for its rate limit), 404, 410, 422 or 451. */
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/**
 * GitHub's REST API. Each call throws Declined, or TransientError where nothing can be concluded: no answer, 5xx after
 * two more attempts, a rate limit (with what it asks us to wait), a token that it does not take.
 */
export interface GitHubApi {
  get(route: string, parameters: Record<string, unknown>): Promise<unknown>;
  /** Every page of a list. */
  list(route: string, parameters: Record<string, unknown>): Promise<unknown[]>;
  post(route: string, parameters: Record<string, unknown>): Promise<void>;
  /** By the last answer; null before the first that told. */
  budget(): Budget | null;
  counted(work: () => Promise<void>): Promise<number>;
  /** How far GitHub's clock is ahead of ours, in ms, by the last answer. */
  clockAhead(): number;
}

export interface ApiOptions {
  /** The key under `hosts`, for messages. */
  key: string;
  apiUrl: string;
  /** Null: only what GitHub shows to everybody. */
  token: string | null;
  /** What one attempt may take, in ms. */
  timeout?: number;
  /** The wait before the first further attempt, in ms; the second waits four times as long. */
  retryBase?: number;
}

const MAX_PAGES = 100;
const FURTHER_ATTEMPTS = 2;
const GitHub = Octokit.plugin(paginateRest);

export function githubApi({ key, apiUrl, token, timeout = 10_000, retryBase = 500 }: ApiOptions): GitHubApi {
  if (token !== null && !/^[\x21-\x7e]+$/.test(token)) {
    // It would fail each call, as a header that cannot be sent.
    throw new ConfigError(
      "github-token-invalid",
      `hosts.${key}.token is empty or has spaces, line ends or other characters that no token has: check where it comes from.`,
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
  // Who waits for a connection has not begun: that time is none of an attempt's. GitHub itself allows a token 100 at a time:
  // https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#about-secondary-rate-limits
  const turns = new Semaphore(CONNECTIONS);
  // octokit's own plugins for this queue each call twice more, which takes longer than GitHub on the same machine: 18 ms for three calls.
  octokit.hook.wrap("request", async (request, options) => {
    for (let attempt = 1; ; attempt++) {
      await turns.acquire();
      try {
        return await request(options);
      } catch (error) {
        if (!isPassing(error) || attempt > FURTHER_ATTEMPTS) throw error;
      } finally {
        turns.release();
      }
      await delay(retryBase * attempt ** 2);
    }
  });
  const told = <T>(route: string, call: Promise<T>) =>
    call.catch((error: unknown) => {
      throw translate(error, { key, apiUrl, route });
    });
  return {
    get: (route, parameters) =>
      told(
        route,
        octokit.request(route, parameters).then((response): unknown => response.data),
      ),
    list: (route, parameters) => told(route, everyPage(octokit, route, parameters)),
    post: async (route, parameters) => {
      await told(route, octokit.request(route, parameters));
    },
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

/** No answer, which octokit calls 500 too, or GitHub's own trouble: it may be over in a moment. A limit says itself when to come again. */
function isPassing(error: unknown): boolean {
  return isHttpFailure(error) && error.status >= 500;
}

function translate(error: unknown, { key, apiUrl, route }: { key: string; apiUrl: string; route: string }): Error {
  // octokit's errors carry the whole answer: what is kept of it is one line.
  const message = remoteText(error instanceof Error ? error.message : String(error));
  const cause = new Error(message);
  if (!isHttpFailure(error) || error.response === undefined) {
    return new TransientError(
      "github-unavailable",
      `GitHub at ${apiUrl} gave no usable answer to ${route}: ${message}`,
      {
        cause,
      },
    );
  }
  const { status } = error;
  const { headers } = error.response;
  if (status === 429 || (status === 403 && isRateLimit(message, headers))) {
    const retryAfter = waitOf(headers) ?? 60_000;
    const wait = Math.ceil(retryAfter / 1000);
    return new TransientError("github-rate-limited", `GitHub limits us at ${route}, for ${wait} s: ${message}`, {
      cause,
      retryAfter,
    });
  }
  if (status === 401) {
    return new TransientError(
      "github-token-refused",
      `GitHub does not take the token of host '${key}' (${message}): it has expired or was revoked. Set hosts.${key}.token to a valid one.`,
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
    // What older servers call a secondary limit.
    /rate.?limit|abuse detection/i.test(message)
  );
}

/** What an answer asks us to wait, in ms. */
function waitOf(headers: Headers): number | null {
  const now = clockOf(headers.date);
  const asked = readRetryAfter(headers["retry-after"], now);
  if (asked !== null) return asked;
  const reset = Number(headers["x-ratelimit-reset"]);
  if (String(headers["x-ratelimit-remaining"]) !== "0" || !Number.isFinite(reset)) return null;
  return readRetryAfter(Math.max(1, reset - now / 1000 + 1));
}
