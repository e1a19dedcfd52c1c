import { type RequestHandler, type Response, Router } from "express";
import { cached } from "../async/cached.ts";
import { withTimeout } from "../async/with-timeout.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";
import { RepeatedLog } from "../observe/repeated-log.ts";

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
export function healthRoute(options: HealthOptions, readiness = createReadiness(options)): RequestHandler {
  const router = Router();
  router.get("/healthz", (_request, response) => sendFresh(response, 200, { status: "ok" }));
  router.get("/readyz", async (_request, response) => {
    const found = await readiness();
    sendFresh(response, found.status === "unavailable" ? 503 : 200, found);
  });
  router.get("/metrics", async (_request, response) => {
    const text = await options.metrics.text();
    response.set("content-type", "text/plain; version=0.0.4; charset=utf-8").end(text);
  });
  return router;
}

/** Anybody may ask for readiness, and each check writes to the ledger. */
const READINESS_TTL_MS = 200;

/** Runs the checks, at most five times a second. */
export function createReadiness(options: Omit<HealthOptions, "metrics">): () => Promise<Readiness> {
  // A monitor asks every few seconds, for as long as something is down.
  const unwell = new RepeatedLog(({ check, ...facts }) => options.log.warn(`Readiness: ${check} is not well`, facts));
  return cached(READINESS_TTL_MS, () => checkReadiness(options, unwell));
}

function sendFresh(response: Response, status: number, body: object): void {
  response.status(status).set({ "content-type": "application/json; charset=utf-8", "cache-control": "no-store" });
  response.end(JSON.stringify(body));
}

async function checkReadiness(
  { checks, checkTimeoutMs = 2_000 }: Omit<HealthOptions, "metrics">,
  unwell: RepeatedLog,
): Promise<Readiness> {
  const failed: HealthCheck[] = [];
  await Promise.all(
    checks.map(async (check) => {
      try {
        await withTimeout(checkTimeoutMs, check.check());
      } catch (error) {
        failed.push(check);
        unwell.add(check.name, { check: check.name, error });
      }
    }),
  );
  const degraded = failed.map(({ name }) => name).sort();
  if (failed.some(({ vital }) => vital)) return { status: "unavailable", degraded };
  return { status: degraded.length > 0 ? "degraded" : "ready", degraded };
}
