import { type Call, type CallEnd, outcomeOf, requestIdIn } from "./call.ts";
import { currentScope, type Scope } from "./scope.ts";
import type { Span } from "./trace.ts";

/** What is asked of another server. */
export interface Question {
  /** `GET`, `git fetch`, or AWS's action. */
  method: string;
  /** Null: a library decides. */
  origin: string | null;
  /** Whether we have given it up. */
  isAborted(): boolean;
}

/**
 * Makes a call to another server: counts it, logs it if it fails, and gives it a span. Does only the call if nobody
 * observes it.
 * @param endOf what the result says of the call
 * @param failureOf what an error says of it; left out or null: there was no response
 */
export async function observeCall<T>(
  question: Question,
  call: () => Promise<T>,
  endOf: (result: T) => CallEnd,
  failureOf: (error: unknown) => CallEnd | null = () => null,
): Promise<T> {
  const scope = currentScope();
  if (scope === undefined) return call();
  const began = performance.now();
  const span = startSpan(scope, question);
  const end = (known: CallEnd | null, error: unknown) => {
    const finished = describe(scope, question, known, error, (performance.now() - began) / 1000);
    span?.set({ "http.response.status_code": finished.status ?? undefined, outcome: finished.outcome });
    span?.end(FAILURES.has(finished.outcome) ? (error ?? new Error(finished.outcome)) : undefined);
    scope.observer.called(finished);
  };
  try {
    const result = await call();
    end(endOf(result), undefined);
    return result;
  } catch (error) {
    end(failureOf(error), error);
    throw error;
  }
}

/** 404 and 401 are answers that deliverd mostly asks for: whether a name is there, how to log in. */
export const FAILURES: ReadonlySet<Call["outcome"]> = new Set(["limited", "failed", "unreachable"]);

function describe(
  { to }: Scope,
  { method, origin, isAborted }: Question,
  known: CallEnd | null,
  error: unknown,
  seconds: number,
): Call {
  const common = { to: to ?? "unknown", method, origin, seconds };
  if (known === null) {
    const outcome = isAborted() ? "aborted" : "unreachable";
    return { ...common, outcome, status: null, requestId: null, error };
  }
  const outcome = known.status === null ? "ok" : outcomeOf(known.status, known.headers);
  return { ...common, outcome, status: known.status, requestId: requestIdIn(known.headers), error };
}

function startSpan({ observer, span, to }: Scope, { method, origin }: Question): Span | undefined {
  const facts = {
    "http.request.method": method,
    "server.address": origin !== null && URL.canParse(origin) ? new URL(origin).hostname : undefined,
    "peer.service": to ?? undefined,
  };
  return observer.tracer?.start(method, { parent: span === null ? null : { span }, kind: "client", facts });
}
