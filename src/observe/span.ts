import { currentScope, inScope, type Scope } from "./scope.ts";
import type { Span, SpanFacts, SpanStart, TraceSubject } from "./trace.ts";

/** Does the work in a span below the current one. Without a tracer, it only does the work. */
export function span<T>(name: string, facts: SpanFacts, work: () => Promise<T>): Promise<T> {
  const scope = currentScope();
  if (scope === undefined || scope.observer.tracer === null) return work();
  const parent = scope.span === null ? null : { span: scope.span };
  return inSpan(scope, scope.observer.tracer.start(name, { parent, kind: "internal", facts }), work);
}

/** Does the work in the commit's own trace. Its log lines have these facts, also without a tracer. */
export function inTrace<T>(subject: TraceSubject, name: string, facts: SpanFacts, work: () => Promise<T>): Promise<T> {
  const outer = currentScope();
  if (outer === undefined) return work();
  const scope = { ...outer, facts: { ...outer.facts, ...facts } };
  const { tracer } = scope.observer;
  if (tracer === null) return inScope(scope, work);
  const start: SpanStart = { parent: { subject }, kind: "consumer", facts: attributesOf(scope) };
  return inSpan(scope, tracer.start(name, start), work);
}

/** Ends the trace of a delivery with the span that all others lead to. Times in ms since the epoch. */
export function endTrace(subject: TraceSubject, facts: SpanFacts, startedAt: number): void {
  const start: SpanStart = { parent: { rootOf: subject }, kind: "internal", facts, startedAt };
  currentScope()?.observer.tracer?.start("delivery", start).end();
}

/** The headers by which a receiver can go on with the trace; none without a span. */
export function traceHeaders(): Record<string, string> {
  const current = currentScope()?.span ?? null;
  return current === null ? {} : { traceparent: current.traceparent() };
}

async function inSpan<T>(scope: Scope, own: Span, work: () => Promise<T>): Promise<T> {
  try {
    const result = await inScope({ ...scope, span: own }, work);
    own.end();
    return result;
  } catch (error) {
    own.end(error);
    throw error;
  }
}

/** The ids of the scope as attributes: they are texts and numbers, and never secrets. */
function attributesOf({ facts }: Scope): SpanFacts {
  const entries = Object.entries(facts).filter(([, value]) => typeof value === "string" || typeof value === "number");
  return Object.fromEntries(entries) as SpanFacts;
}
