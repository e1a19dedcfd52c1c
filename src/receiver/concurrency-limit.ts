import type { Request, RequestHandler, Response } from "express";
import { Semaphore } from "../async/semaphore.ts";
import { Problem } from "./problem.ts";

export interface ConcurrencyLimitOptions {
  /** For whoever is turned away, as in `downloads`. */
  of: string;
  /** At a time. */
  most: number;
  /** How many more may wait for their turn; none if left out. */
  waiting?: number;
}

/**
 * What one class of requests may take of the server at a time: its connections, and the ledger's time. All shares together
 * are far fewer than the server's connections, so that none of them can keep webhooks out.
 */
export class ConcurrencyLimit {
  readonly #limits: Required<ConcurrencyLimitOptions>;
  readonly #turns: Semaphore;
  #taken = 0;

  constructor({ waiting = 0, ...limits }: ConcurrencyLimitOptions) {
    this.#limits = { ...limits, waiting };
    this.#turns = new Semaphore(limits.most);
  }

  /** A handler that takes part in the share until it has done its work. It throws Problem 503 where there is no room. */
  handler<R extends Request>(work: (request: R, response: Response) => Promise<void>): RequestHandler {
    return async (request, response) => {
      const { of, most, waiting } = this.#limits;
      if (this.#taken >= most + waiting) {
        throw new Problem(503, `Too many ${of} at a time. Ask again.`, { "retry-after": "5" });
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
  answers: ConcurrencyLimit;
  /** Logs that are followed. */
  followers: ConcurrencyLimit;
  /** Contents, and logs as a whole. */
  downloads: ConcurrencyLimit;
  /** What asks a git host before it answers. */
  asks: ConcurrencyLimit;
}

export function createConcurrencyLimits(): ConcurrencyLimits {
  return {
    // Few at a time, so that the ledger is soon free for a webhook.
    answers: new ConcurrencyLimit({ of: "requests", most: 2, waiting: 60 }),
    followers: new ConcurrencyLimit({ of: "followers of logs", most: 200 }),
    downloads: new ConcurrencyLimit({ of: "downloads", most: 24 }),
    asks: new ConcurrencyLimit({ of: "requests for a commit", most: 4, waiting: 8 }),
  };
}
