import * as z from "zod";
import { TransientError } from "../../delivery/errors.ts";
import type { RestApi } from "../rest/client.ts";
import { Declined } from "../rest/failure.ts";

const versionShape = z.object({ version: z.string() });

/** How long an answer is good for (ms): a server may be updated while deliverd runs. */
const GOOD_FOR_MS = 60 * 60_000;

/**
 * Whether webhooks say that CI has ended. Gitea's do, from 1.24 on; before, few or none were sent. Forgejo's do not. Only
 * the server's version tells one from the other.
 */
export class CiEvents {
  readonly #api: RestApi;
  readonly #now: () => number;
  #areSent = false;
  #goodUntil = 0;

  constructor(api: RestApi, now: () => number = Date.now) {
    this.#api = api;
    this.#now = now;
  }

  /** As of the last answer. False as long as nobody knows: then deliverd asks more often, and nothing waits. */
  get areSent(): boolean {
    return this.#areSent;
  }

  /** Asks for the version, unless the last answer is young. It never throws. */
  async refresh(): Promise<void> {
    if (this.#now() < this.#goodUntil) return;
    this.#goodUntil = this.#now() + GOOD_FOR_MS;
    try {
      const told = versionShape.safeParse(await this.#api.get("/version"));
      this.#areSent = sendsCiEvents(told.data?.version ?? "");
    } catch (error) {
      if (!(error instanceof TransientError || error instanceof Declined)) throw error;
      this.#goodUntil = 0;
    }
  }
}

/** Gitea writes `1.25.4` or `1.26.0+dev-5-g1a2b3c4`, Forgejo since version 7 `11.0.1+gitea-1.22.0`. */
function sendsCiEvents(version: string): boolean {
  const [, minor] = /^1\.(\d+)\b/.exec(version) ?? [];
  return minor !== undefined && Number(minor) >= 24;
}
