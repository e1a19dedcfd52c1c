import { type RequestHandler, type Response, Router } from "express";
import { withTimeout } from "../async/with-timeout.ts";
import type { Log } from "../observe/log.ts";
import type { Metrics } from "../observe/metrics.ts";

/** One thing that readiness rests on. */
export interface HealthCheck {
  name: string;
  /** Without it webhooks cannot be kept: readiness is then 503. Others only degrade. */
  vital: boolean;
  /** Rejects where it is not well. */
  check(): Promise<unknown>;
}

export interface HealthOptions {
  checks: HealthCheck[];
  metrics: Metrics;
  log: Log;
  /** ms that one check may take. */
  checkTimeoutMs?: number;
}

export interface Readiness {
  status: "ready" | "degraded" | "unavailable";
  /** The names of what is not well. The reasons are in the log: this page is open to everybody. */
  degraded: string[];
}

/** GET /healthz (the process answers), /readyz (webhooks can be kept), /metrics. All open, and silent about secrets. */
export function healthRoute(options: HealthOptions): RequestHandler {
  const router = Router();
  const readiness = sharedFor(READY_FOR, () => readinessOf(options));
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

/** ms: anybody may ask, and each look writes to the ledger. */
const READY_FOR = 200;

/** One answer for all who ask within so many ms. */
function sharedFor<T>(ms: number, ask: () => Promise<T>): () => Promise<T> {
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

async function readinessOf({ checks, log, checkTimeoutMs = 2_000 }: HealthOptions): Promise<Readiness> {
  const unwell: HealthCheck[] = [];
  await Promise.all(
    checks.map(async (check) => {
      try {
        await withTimeout(checkTimeoutMs, check.check());
      } catch (error) {
        unwell.push(check);
        log.warn(`Readiness: ${check.name} is not well`, { error });
      }
    }),
  );
  const degraded = unwell.map(({ name }) => name).sort();
  if (unwell.some(({ vital }) => vital)) return { status: "unavailable", degraded };
  return { status: degraded.length > 0 ? "degraded" : "ready", degraded };
}
