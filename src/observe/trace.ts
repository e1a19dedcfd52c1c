import { createHash } from "node:crypto";

/** What a span says of its work, by attribute. A name without a dot becomes `deliverd.<name>`. */
export type SpanFacts = Readonly<Record<string, string | number | undefined>>;

/** A piece of work in a trace. */
export interface Span {
  /** Adds facts that were found later. */
  set(facts: SpanFacts): void;
  /** @param failure what was thrown; left out: it went well */
  end(failure?: unknown): void;
  /** The value of a `traceparent` header: https://www.w3.org/TR/trace-context/#traceparent-header */
  traceparent(): string;
}

/**
 * The commit that a trace is about. A commit has one delivery, so this is the delivery's trace, whichever process works
 * on it: nothing has to be handed from one to the next.
 */
export interface TraceSubject {
  repoId: string;
  /** A sha; or a full ref, where no commit is known yet. */
  commit: string;
}

export interface SpanStart {
  /**
   * `subject`: the span is right below the root of this subject's trace · `rootOf`: it is that root · null: it begins a
   * trace of its own
   */
  parent: { span: Span } | { subject: TraceSubject } | { rootOf: TraceSubject } | null;
  kind: "internal" | "server" | "client" | "consumer";
  facts: SpanFacts;
  /** ms since the epoch; left out: now. */
  startedAt?: number;
}

export interface Tracer {
  start(name: string, start: SpanStart): Span;
  /** Sends what is not sent yet, and waits for it a moment. */
  close(): Promise<void>;
}

/** The ids of a subject's trace and of its root span. Every process computes the same. */
export function traceIdsOf({ repoId, commit }: TraceSubject): { traceId: string; rootSpanId: string } {
  const hash = createHash("sha256").update(`trace ${repoId}@${commit}`).digest("hex");
  return { traceId: hash.slice(0, 32), rootSpanId: hash.slice(32, 48) };
}
