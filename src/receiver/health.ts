import { type RequestHandler, type Response, Router } from "express";
import { withTimeout } from "../async/with-timeout.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";

/** One part of the readiness check. */
export interface HealthCheck {
  name: string;
  /**
   * Without it, webhooks cannot be stored: readiness is 503. If a part that is not vital fails, readiness is degraded.
   */
  vital: boolean;
  /** Rejects if the part does not work. */
  check(): Promise<unknown>;
}

export interface HealthOptions {
  checks: HealthCheck[];
  metrics: Metrics;
  log: Log;
  /** The time for one check; 2 s if left out. */
  checkTimeoutMs?: number;
}

export interface Readiness {
  status: "ready" | "degraded" | "unavailable";
  /** The names of the checks that failed. Their errors are in the log only, because this page is public. */
  degraded: string[];
}

/**
 * GET /healthz (the process runs), /readyz (webhooks can be stored), /metrics. All are public and contain no secrets.
 */
export function healthRoute(options: HealthOptions): RequestHandler {
  const router = Router();
  const readiness = cached(READINESS_TTL_MS, () => checkReadiness(options));
  router.get("/healthz", (_request, response) => sendFresh(response, 200, { status: "ok" }));
  router.get("/readyz", async (_request, response) => {
    const found = await readiness();
    sendFresh(response, found.status === "unavailable" ? 503 : 200, found);
  });
  router.get("/metrics", (_request, response) => {
    response.set("content-type", "text/plain; version=0.0.4; charset=utf-8").end(options.metrics.text());
  });
  return router;
}

/** Anybody may ask for readiness, and each check writes to the ledger. */
const READINESS_TTL_MS = 200;

/** Calls `ask` at most once per `ms`, and gives all callers its result. */
function cached<T>(ms: number, ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | null = null;
  return () => {
    if (answer === null) {
      answer = ask();
      const forget = () => {
        setTimeout(() => {
          answer = null;
        }, ms).unref();
      };
      answer.then(forget, forget);
    }
    return answer;
  };
}

function sendFresh(response: Response, status: number, body: object): void {
  response.status(status).set({ "content-type": "application/json; charset=utf-8", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}

async function checkReadiness({ checks, log, checkTimeoutMs = 2_000 }: HealthOptions): Promise<Readiness> {
  const failed: HealthCheck[] = [];
  await Promise.all(
    checks.map(async (check) => {
      try {
        await withTimeout(checkTimeoutMs, check.check());
      } catch (error) {
        failed.push(check);
        log.warn(`Readiness: ${check.name} is not well`, { error });
      }
    }),
  );
  const degraded = failed.map(({ name }) => name).sort();
  if (failed.some(({ vital }) => vital)) return { status: "unavailable", degraded };
  return { status: degraded.length > 0 ? "degraded" : "ready", degraded };
}
