import type { Request, RequestHandler, Response } from "express";
import { Semaphore } from "../async/semaphore.ts";
import { Problem } from "./problem.ts";

export interface ConcurrencyLimitOptions {
  /** What is limited, for the error message; for example `downloads`. */
  subject: string;
  /** How many requests may run at a time. */
  maxRunning: number;
  /** How many more may wait for their turn; 0 if left out. */
  maxWaiting?: number;
}

/**
 * Limits how many requests of one class run at a time, and so how many connections and how much of the ledger's time
 * they use. All limits together are far below the server's number of connections, so they always leave room for
 * webhooks.
 */
export class ConcurrencyLimit {
  readonly #limits: Required<ConcurrencyLimitOptions>;
  readonly #turns: Semaphore;
  #taken = 0;

  constructor({ maxWaiting = 0, ...limits }: ConcurrencyLimitOptions) {
    this.#limits = { ...limits, maxWaiting };
    this.#turns = new Semaphore(limits.maxRunning);
  }

  /**
   * Wraps a handler so that it counts towards the limit while it runs.
   * @throws (the handler) Problem 503 if there is no room
   */
  handler<R extends Request>(work: (request: R, response: Response) => Promise<void>): RequestHandler {
    return async (request, response) => {
      const { subject, maxRunning, maxWaiting } = this.#limits;
      if (this.#taken >= maxRunning + maxWaiting) {
        throw new Problem(503, `Too many ${subject} at a time. Ask again.`, { "retry-after": "5" });
      }
      this.#taken += 1;
      await this.#turns.acquire();
      try {
        // Skip the work if the client has closed the connection meanwhile.
        if (!response.destroyed) await work(request as R, response);
      } finally {
        this.#taken -= 1;
        this.#turns.release();
      }
    };
  }
}

/** One limit for each class of requests, except webhooks and health. */
export interface ConcurrencyLimits {
  /** Requests of pages and the API that query the ledger. */
  queries: ConcurrencyLimit;
  /** Streams that follow a log. */
  logStreams: ConcurrencyLimit;
  /** Streams that keep open pages current. */
  pageStreams: ConcurrencyLimit;
  /** Downloads of contents and of whole logs. */
  downloads: ConcurrencyLimit;
  /** Comparisons of commits, each of which runs git. */
  comparisons: ConcurrencyLimit;
  /** Requests to deliver a commit, which may call a git host. */
  commitRequests: ConcurrencyLimit;
  /** Results that CI sends, whose repo may have to be looked up at a git server. */
  ciResults: ConcurrencyLimit;
}

export function createConcurrencyLimits(): ConcurrencyLimits {
  return {
    // Few at a time, so that the ledger is free for webhooks soon.
    queries: new ConcurrencyLimit({ subject: "requests", maxRunning: 2, maxWaiting: 60 }),
    logStreams: new ConcurrencyLimit({ subject: "followers of logs", maxRunning: 200 }),
    pageStreams: new ConcurrencyLimit({ subject: "open pages", maxRunning: 100 }),
    downloads: new ConcurrencyLimit({ subject: "downloads", maxRunning: 24 }),
    comparisons: new ConcurrencyLimit({ subject: "comparisons", maxRunning: 2, maxWaiting: 20 }),
    commitRequests: new ConcurrencyLimit({ subject: "requests for a commit", maxRunning: 4, maxWaiting: 8 }),
    ciResults: new ConcurrencyLimit({ subject: "results of CI", maxRunning: 4, maxWaiting: 40 }),
  };
}
