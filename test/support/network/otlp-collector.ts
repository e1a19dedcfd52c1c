import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { gunzipSync } from "node:zlib";
import protobuf from "protobufjs";

/** A span as it was received, in either encoding. Ids in hex, times in ms since the epoch. */
export interface ReceivedSpan {
  traceId: string;
  spanId: string;
  /** Empty: none. */
  parentSpanId: string;
  name: string;
  kind: string;
  startedAt: number;
  endedAt: number;
  attributes: Record<string, string>;
  /** `STATUS_CODE_ERROR` where it failed. */
  status: { code: string; message: string };
  /** Of the process that sent it. */
  resource: Record<string, string>;
}

export interface OtlpCollector {
  url: string;
  spans: ReceivedSpan[];
  /** Everything that was received, as text, to look for secrets in. */
  raw(): string;
  requests: { path: string; contentType: string; headers: Record<string, unknown> }[];
  stop(): Promise<void>;
}

/**
 * A collector of OTLP over HTTP, in protobuf and JSON: https://opentelemetry.io/docs/specs/otlp/#otlphttp. It shares no
 * line with the SDK: the messages are those of https://github.com/open-telemetry/opentelemetry-proto.
 */
export async function startOtlpCollector(): Promise<OtlpCollector> {
  const spans: ReceivedSpan[] = [];
  const requests: OtlpCollector["requests"] = [];
  const bodies: string[] = [];
  const server = createServer(async (request, response) => {
    const body = await buffer(request);
    const bytes = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
    const contentType = request.headers["content-type"] ?? "";
    requests.push({ path: request.url ?? "", contentType, headers: request.headers });
    bodies.push(bytes.toString("latin1"));
    const isJson = contentType.startsWith("application/json");
    spans.push(...spansIn(isJson ? (JSON.parse(bytes.toString()) as Request) : decode(bytes)));
    response.writeHead(200, { "content-type": contentType }).end(isJson ? "{}" : "");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    requests,
    raw: () => bodies.join("\n"),
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** The JSON form of the messages. Protobuf's decoder gives the same with its options below. */
interface Attribute {
  key: string;
  value: { stringValue?: string; intValue?: string | number; doubleValue?: number };
}
interface Request {
  resourceSpans: {
    resource?: { attributes?: Attribute[] };
    scopeSpans: {
      spans: {
        traceId: string;
        spanId: string;
        parentSpanId?: string;
        name: string;
        kind: string | number;
        startTimeUnixNano: string;
        endTimeUnixNano: string;
        attributes?: Attribute[];
        status?: { code?: string | number; message?: string };
      }[];
    }[];
  }[];
}

const KINDS = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
const CODES = ["STATUS_CODE_UNSET", "STATUS_CODE_OK", "STATUS_CODE_ERROR"];

function spansIn({ resourceSpans }: Request): ReceivedSpan[] {
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans
      .flatMap(({ spans }) => spans)
      .map((span) => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? "",
        name: span.name,
        kind: KINDS[Number(span.kind)] ?? "",
        startedAt: Number(BigInt(span.startTimeUnixNano) / 1_000_000n),
        endedAt: Number(BigInt(span.endTimeUnixNano) / 1_000_000n),
        attributes: attributesOf(span.attributes),
        status: { code: CODES[Number(span.status?.code ?? 0)] ?? "", message: span.status?.message ?? "" },
        resource: attributesOf(resource?.attributes),
      })),
  );
}

function attributesOf(attributes: Attribute[] = []): Record<string, string> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [key, String(value.stringValue ?? value.intValue ?? value.doubleValue ?? "")]),
  );
}

const PROTO = `syntax = "proto3";
message Request { repeated ResourceSpans resource_spans = 1; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
message Resource { repeated KeyValue attributes = 1; }
message ScopeSpans { repeated Span spans = 2; }
message KeyValue { string key = 1; AnyValue value = 2; }
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; } }
message Status { string message = 2; int32 code = 3; }
message Span {
  bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
  fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; Status status = 15;
}`;

function decode(bytes: Buffer): Request {
  const type = protobuf.parse(PROTO).root.lookupType("Request");
  const options = { longs: String, bytes: String, arrays: true };
  const message = type.toObject(type.decode(bytes), options) as Request;
  for (const { scopeSpans } of message.resourceSpans)
    for (const { spans } of scopeSpans)
      for (const span of spans)
        for (const name of ["traceId", "spanId", "parentSpanId"] as const)
          span[name] = Buffer.from(span[name] ?? "", "base64").toString("hex");
  return message;
}
