import {
  type Attributes,
  type Context,
  DiagLogLevel,
  diag,
  type Span as OtelSpan,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type IdGenerator,
  RandomIdGenerator,
  SamplingDecision,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import { withTimeout } from "../async/with-timeout.ts";
import type { Log } from "./log.ts";
import type { Mask } from "./mask.ts";
import { SampledLog } from "./sampled-log.ts";
import { type Span, type SpanFacts, type SpanStart, type Tracer, type TraceSubject, traceIdsOf } from "./trace.ts";

/** A collector that does not answer must not hold up the end of the process for longer. */
const CLOSE_LIMIT_MS = 1_000;

export interface OtelOptions {
  env: NodeJS.ProcessEnv;
  protocol: "http/protobuf" | "http/json";
  version: string;
  /** Names this process among those that share a trace. */
  instance: string;
  /** What the collector asks for, mostly its key. */
  headers: Record<string, string>;
  log: Log;
  mask: Mask;
}

/**
 * Sends spans by OpenTelemetry's own SDK, as its standard variables say (`OTEL_…`). Nothing that fails here reaches the
 * work: a collector that is down costs a line in the log and the spans.
 */
export function openOtelTracer({ env, protocol, version, instance, headers, log, mask }: OtelOptions): Tracer {
  const failures = new SampledLog(log, "failures of the OTLP exporter");
  const report = (message: string, ...details: unknown[]) =>
    failures.warn("traces could not be sent", { error: [message, ...details].map(messageIn).join(" ") });
  const silent = () => {};
  diag.setLogger({ error: report, warn: silent, info: silent, debug: silent, verbose: silent }, DiagLogLevel.ERROR);
  const ids = new PlannedIds();
  const exporter = protocol === "http/json" ? new JsonExporter({ headers }) : new ProtobufExporter({ headers });
  const provider = new BasicTracerProvider({
    idGenerator: ids,
    spanProcessors: [new BatchSpanProcessor(exporter)],
    resource: defaultResource()
      .merge(resourceFromAttributes({ "service.name": "deliverd", "service.version": version }))
      .merge(resourceFromAttributes({ "service.instance.id": instance }))
      .merge(detectResources({ detectors: [envDetector] })),
  });
  const tracer = provider.getTracer("deliverd", version);
  const contextOf = parentContexts(env);
  return {
    start(name, start) {
      const options = {
        kind: KINDS[start.kind],
        attributes: attributesOf(start.facts, mask),
        ...(start.startedAt === undefined ? {} : { startTime: start.startedAt }),
      };
      const { parent } = start;
      const begun =
        parent !== null && "rootOf" in parent
          ? ids.planned(parent.rootOf, () => tracer.startSpan(name, options, ROOT_CONTEXT))
          : tracer.startSpan(name, options, contextOf(parent));
      return new SentSpan(begun, mask);
    },
    async close() {
      await withTimeout(CLOSE_LIMIT_MS, provider.shutdown()).catch(() => {});
    },
  };
}

/** The SDK reports an error as JSON with its stack, which says nothing: the stack is the SDK's own. */
function messageIn(reported: unknown): string {
  try {
    const { message } = JSON.parse(String(reported)) as { message?: unknown };
    return String(message ?? reported);
  } catch {
    return String(reported);
  }
}

/** The parents that are not the root itself. */
type Above = Exclude<SpanStart["parent"], { rootOf: TraceSubject }>;

const KINDS: Record<SpanStart["kind"], SpanKind> = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  consumer: SpanKind.CONSUMER,
};

class SentSpan implements Span {
  readonly span: OtelSpan;
  readonly #mask: Mask;

  constructor(span: OtelSpan, mask: Mask) {
    this.span = span;
    this.#mask = mask;
  }

  set(facts: SpanFacts): void {
    this.span.setAttributes(attributesOf(facts, this.#mask));
  }

  end(failure?: unknown): void {
    if (failure !== undefined) {
      const message = failure instanceof Error ? failure.message : String(failure);
      this.span.setStatus({ code: SpanStatusCode.ERROR, message: this.#mask(message) });
      if (failure instanceof Error && "code" in failure) this.set({ "error.type": String(failure.code) });
    }
    this.span.end();
  }

  traceparent(): string {
    const { traceId, spanId, traceFlags } = this.span.spanContext();
    return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
  }
}

function attributesOf(facts: SpanFacts, mask: Mask): Attributes {
  const known = Object.entries(facts).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    known.map(([name, value]) => [
      name.includes(".") ? name : `deliverd.${name}`,
      typeof value === "string" ? mask(value) : value,
    ]),
  );
}

/**
 * The SDK's samplers ask the parent, and the root of a delivery is computed, not received. So the ratio is applied here,
 * to the trace's id: every process decides the same.
 */
function parentContexts(env: NodeJS.ProcessEnv): (parent: Above) => Context {
  const ratio = Number(env.OTEL_TRACES_SAMPLER_ARG || 1);
  const ratios: Record<string, number> = { parentbased_always_off: 0, parentbased_traceidratio: ratio };
  const sampler = new TraceIdRatioBasedSampler(ratios[env.OTEL_TRACES_SAMPLER ?? ""] ?? 1);
  return (parent) => {
    if (parent === null) return ROOT_CONTEXT;
    if ("span" in parent)
      return parent.span instanceof SentSpan ? trace.setSpan(ROOT_CONTEXT, parent.span.span) : ROOT_CONTEXT;
    const { traceId, rootSpanId } = traceIdsOf(parent.subject);
    const isSampled = sampler.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED;
    const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
    return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId: rootSpanId, traceFlags, isRemote: true });
  };
}

/** Random ids, except for the root of a delivery: its ids are asked for in the call that begins it. */
class PlannedIds implements IdGenerator {
  readonly #random = new RandomIdGenerator();
  #planned: { traceId: string; rootSpanId: string } | null = null;

  planned<T>(subject: TraceSubject, start: () => T): T {
    this.#planned = traceIdsOf(subject);
    try {
      return start();
    } finally {
      this.#planned = null;
    }
  }

  generateTraceId(): string {
    return this.#planned?.traceId ?? this.#random.generateTraceId();
  }

  generateSpanId(): string {
    return this.#planned?.rootSpanId ?? this.#random.generateSpanId();
  }
}
