import type { Log } from "./log.ts";
import type { Metrics } from "./metrics.ts";
import { FAILURES } from "./observe-call.ts";
import { RepeatedLog } from "./repeated-log.ts";
import type { Observer } from "./scope.ts";
import type { Tracer } from "./trace.ts";

const CALL_BUCKETS_SECONDS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];

/** Counts the calls of this process to hosts and registries, logs the failed ones, and traces. */
export function createObserver({
  metrics,
  log,
  tracer,
}: {
  metrics: Metrics;
  log: Log;
  tracer: Tracer | null;
}): Observer {
  const calls = metrics.counter("deliverd_calls_total", "Calls to hosts and registries, by their key.");
  const seconds = metrics.histogram(
    "deliverd_call_seconds",
    "How long calls to hosts and registries took, until the headers of the response.",
    CALL_BUCKETS_SECONDS,
  );
  const failures = new RepeatedLog((facts) => log.warn("a call failed", facts));
  return {
    tracer,
    called(call) {
      const { to, outcome, method, origin, status, requestId, error } = call;
      calls.add({ to, outcome });
      seconds.observe({ to }, call.seconds);
      if (!FAILURES.has(outcome)) return;
      const ms = Math.round(call.seconds * 1000);
      failures.add(`${to} ${outcome}`, { to, outcome, method, origin, status, ms, requestId, error: textOf(error) });
    },
  };
}

/** The stack says nothing: it is the client's own. */
function textOf(error: unknown): string | undefined {
  if (error === undefined) return undefined;
  return error instanceof Error ? error.message || error.name : String(error);
}
