import type { Budget } from "../host.ts";
import { type Attempts, createAttempts } from "./attempts.ts";
import { type AnswerHeaders, type FailedCall, failureOf, type HostFailures, unanswered } from "./failure.ts";
import { guardedFetch } from "./fetch.ts";
import { messageOf } from "./message.ts";
import { createMeter, type MeterRules } from "./meter.ts";
import type { Pager } from "./pagers.ts";

/** Values of a query. Undefined: left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/**
 * The REST API of a host, in JSON. Paths come after `apiUrl`; `path` makes them. Each call throws Declined, or what
 * `HostFailures` makes: unavailable (no whole JSON answer, or 5xx), rateLimited, tokenRefused. What may be sent twice
 * (all but POST) gets two more attempts after a failure that may pass. A POST that failed may have been carried out: the
 * caller has to look first.
 */
export interface RestApi {
  get(path: string, query?: Query): Promise<unknown>;
  /** The items of all pages of a list. */
  list(path: string, query?: Query): Promise<unknown[]>;
  post(path: string, body: unknown): Promise<unknown>;
  put(path: string, body: unknown): Promise<unknown>;
  delete(path: string): Promise<void>;
  /** The rate limit as of the last answer that told it; null before. */
  budget(): Budget | null;
  /** Runs `work` and returns how many requests of it count against the rate limit. */
  counted(work: () => Promise<void>): Promise<number>;
  /** How far the host's clock is ahead of ours, in ms, as of the last answer. */
  clockAhead(): number;
}

export interface RestOptions {
  /** The key under `hosts`, for errors. */
  key: string;
  /** Without a slash at its end. No request leaves its origin. */
  apiUrl: string;
  /** Null: no login, so only public data. */
  token: string | null;
  /** The headers that log in with the token. */
  login(token: string): Record<string, string>;
  failures: HostFailures;
  meter: MeterRules;
  pager: Pager;
  /** ms for one attempt. */
  timeout?: number | undefined;
  /** ms before the second attempt; the third one waits four times as long. */
  retryBase?: number | undefined;
}

const MAX_PAGES = 100;

export function restApi(options: RestOptions): RestApi {
  const { apiUrl, pager, timeout = 10_000, retryBase = 500 } = options;
  const meter = createMeter(options.meter);
  const wire: Wire = {
    options,
    attempts: createAttempts(retryBase),
    fetch: guardedFetch(apiUrl, timeout, meter.read),
  };
  return {
    get: async (path, query) => (await call(wire, "GET", urlOf(apiUrl, path, query))).body,
    list: (path, query) => everyPage(wire, urlOf(apiUrl, path, { ...pager.query, ...query })),
    post: async (path, body) => (await call(wire, "POST", urlOf(apiUrl, path), body)).body,
    put: async (path, body) => (await call(wire, "PUT", urlOf(apiUrl, path), body)).body,
    delete: async (path) => {
      await call(wire, "DELETE", urlOf(apiUrl, path));
    },
    budget: meter.budget,
    counted: meter.counted,
    clockAhead: meter.clockAhead,
  };
}

/**
 * Makes a path whose inserted values are one segment each: path`/projects/${"group/sub"}` is `/projects/group%2Fsub`.
 * @throws Error if a value is `.` or `..`: a URL with such a segment leads elsewhere
 */
export function path(texts: TemplateStringsArray, ...values: (string | number)[]): string {
  return texts.reduce((before, text, at) => {
    const value = String(values[at - 1] ?? "");
    if (/^\.{0,2}$/.test(value)) throw new Error("an empty value, '.' or '..' is no segment of a path");
    return before + encodeURIComponent(value) + text;
  });
}

interface Wire {
  options: RestOptions;
  attempts: Attempts;
  fetch: ReturnType<typeof guardedFetch>;
}

interface Answer {
  headers: AnswerHeaders;
  /** Undefined: there is none. */
  body: unknown;
}

function urlOf(apiUrl: string, path: string, query: Query = {}): URL {
  const url = new URL(apiUrl + path);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) url.searchParams.set(name, String(value));
  }
  return url;
}

/** An answer that is no success. */
class Failure extends Error {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly body: string;
  constructor(status: number, headers: AnswerHeaders, body: string) {
    super(messageOf(body));
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

async function call(wire: Wire, method: "GET" | "POST" | "PUT" | "DELETE", url: URL, body?: unknown): Promise<Answer> {
  try {
    return await wire.attempts(
      () => callOnce(wire, method, url, body),
      // No answer, or a failure of the host's. A rate limit says itself when.
      (error) => method !== "POST" && !(error instanceof Failure && error.status < 500),
    );
  } catch (error) {
    throw translated(wire, `${method} ${url.pathname}`, error);
  }
}

async function callOnce({ options, fetch }: Wire, method: "GET" | "POST" | "PUT" | "DELETE", url: URL, body: unknown) {
  const { token, login } = options;
  const response = await fetch(url.href, {
    method,
    headers: {
      accept: "application/json",
      ...(token === null ? {} : login(token)),
      ...(body === undefined ? {} : { "content-type": "application/json" }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  const headers = Object.fromEntries(response.headers);
  if (response.status < 200 || response.status > 299) throw new Failure(response.status, headers, text);
  const parsed: unknown = response.status === 204 ? undefined : JSON.parse(text);
  return { headers, body: parsed };
}

async function everyPage(wire: Wire, first: URL): Promise<unknown[]> {
  const items: unknown[] = [];
  let url: URL | null = first;
  for (let pages = 0; url !== null; pages++) {
    const asked: URL = url;
    const answer: Answer = await call(wire, "GET", asked);
    try {
      if (pages === MAX_PAGES) throw new Error(`the list does not end after ${MAX_PAGES} pages`);
      const page = wire.options.pager.read(asked, answer);
      items.push(...page.items);
      url = page.next;
    } catch (error) {
      throw translated(wire, `GET ${asked.pathname}`, error);
    }
  }
  return items;
}

function translated({ options }: Wire, route: string, error: unknown): Error {
  const { key, apiUrl, token, failures } = options;
  const call: FailedCall = { key, apiUrl, token, route };
  return error instanceof Failure ? failureOf(failures, call, error) : unanswered(failures, call, error);
}
