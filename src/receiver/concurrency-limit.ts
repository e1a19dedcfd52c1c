import type { Request, RequestHandler, Response } from "express";
import { Semaphore } from "../async/semaphore.ts";
import { Problem } from "./problem.ts";

export interface ConcurrencyLimitOptions {
  /** For whoever is turned away, as in `downloads`. */
  subject: string;
  /** At a time. */
  maxRunning: number;
  /** How many more may wait for their turn; none if left out. */
  maxWaiting?: number;
}

/**
 * What one class of requests may take of the server at a time: its connections, and the ledger's time. All shares together
 * are far fewer than the server's connections, so that none of them can keep webhooks out.
 */
export class ConcurrencyLimit {
  readonly #limits: Required<ConcurrencyLimitOptions>;
  readonly #turns: Semaphore;
  #taken = 0;

  constructor({ maxWaiting = 0, ...limits }: ConcurrencyLimitOptions) {
    this.#limits = { ...limits, maxWaiting };
    this.#turns = new Semaphore(limits.maxRunning);
  }

  /** A handler that takes part in the share until it has done its work. It throws Problem 503 where there is no room. */
  handler<R extends Request>(work: (request: R, response: Response) => Promise<void>): RequestHandler {
    return async (request, response) => {
      const { subject, maxRunning, maxWaiting } = this.#limits;
      if (this.#taken >= maxRunning + maxWaiting) {
        throw new Problem(503, `Too many ${subject} at a time. Ask again.`, { "retry-after": "5" });
      }
      this.#taken += 1;
      await this.#turns.acquire();
      try {
        // Who left while it waited costs nothing more.
        if (!response.destroyed) await work(request as R, response);
      } finally {
        this.#taken -= 1;
        this.#turns.release();
      }
    };
  }
}

/** All that is answered but webhooks and health; none of them needs to wait for another. */
export interface ConcurrencyLimits {
  /** Pages and the API: what asks the ledger. */
  queries: ConcurrencyLimit;
  /** Logs that are followed. */
  logStreams: ConcurrencyLimit;
  /** Contents, and logs as a whole. */
  downloads: ConcurrencyLimit;
  /** What asks a git host before it answers. */
  commitRequests: ConcurrencyLimit;
}

export function createConcurrencyLimits(): ConcurrencyLimits {
  return {
    // Few at a time, so that the ledger is soon free for a webhook.
    queries: new ConcurrencyLimit({ subject: "requests", maxRunning: 2, maxWaiting: 60 }),
    logStreams: new ConcurrencyLimit({ subject: "followers of logs", maxRunning: 200 }),
    downloads: new ConcurrencyLimit({ subject: "downloads", maxRunning: 24 }),
    commitRequests: new ConcurrencyLimit({ subject: "requests for a commit", maxRunning: 4, maxWaiting: 8 }),
  };
}
