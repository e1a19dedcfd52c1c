import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { openTracer, tracingSecrets } from "../../../src/cli/tracing.ts";
import { createLog, type Log, silentLog } from "../../../src/observe/log.ts";
import { createMask } from "../../../src/observe/mask.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";
import { observeCall } from "../../../src/observe/observe-call.ts";
import { createObserver } from "../../../src/observe/observer.ts";
import { calling, observed } from "../../../src/observe/scope.ts";
import { endTrace, inTrace, span, traceHeaders } from "../../../src/observe/span.ts";
import { type Tracer, traceIdsOf } from "../../../src/observe/trace.ts";
import { type OtlpCollector, startOtlpCollector } from "../../support/network/otlp-collector.ts";
import { tempDir, until } from "../../support/processes/process.ts";

const SUBJECT = { repoId: "github:1", commit: "a".repeat(40) };

describe("Traces", () => {
  let collector: OtlpCollector;
  const before = { ...process.env };
  beforeEach(async () => {
    collector = await startOtlpCollector();
  });
  afterEach(async () => {
    process.env = { ...before };
    await collector.stop();
  });

  /** The SDK reads its own variables from the process. */
  async function open(env: Record<string, string>, log: Log = silentLog): Promise<Tracer | null> {
    Object.assign(process.env, env);
    return openTracer(process.env, log, createMask(["s3cret-value"]));
  }
  async function withTracer<T>(env: Record<string, string>, work: () => Promise<T>): Promise<T> {
    const tracer = await open({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...env });
    const observer = createObserver({ metrics: createMetrics(), log: silentLog, tracer });
    const result = await observed(observer, { queue: "deliver", job: "7" }, work);
    await tracer?.close();
    return result;
  }
  /** Two stations, as two processes would run them, and the end. */
  async function story(): Promise<void> {
    await inTrace(SUBJECT, "evaluate", { repo: "github:1" }, async () => {});
    await inTrace(SUBJECT, "deliver", { delivery: "d1" }, () =>
      span("publish", { registry: "hub" }, () =>
        calling("hub", () =>
          observeCall(
            { method: "PUT", origin: "https://hub.example.com:8443", isAborted: () => false },
            async () => ({ status: 503, headers: {} }),
            (answer) => answer,
          ),
        ),
      ),
    );
    endTrace(SUBJECT, { delivery: "d1", outcome: "delivered" }, Date.now() - 60_000);
  }

  for (const [protocol, contentType] of [
    ["http/protobuf", "application/x-protobuf"],
    ["http/json", "application/json"],
  ] as const) {
    it(`of one delivery are one tree, whichever process sends them, by ${protocol}`, async () => {
      await withTracer({ OTEL_EXPORTER_OTLP_PROTOCOL: protocol, OTEL_RESOURCE_ATTRIBUTES: "zone=eu" }, story);
      assert.deepEqual(new Set(collector.requests.map((one) => one.path)), new Set(["/v1/traces"]));
      assert.equal(collector.requests[0]?.contentType, contentType);
      const { traceId, rootSpanId } = traceIdsOf(SUBJECT);
      assert.deepEqual(new Set(collector.spans.map((one) => one.traceId)), new Set([traceId]));
      const idOf = (name: string) => collector.spans.find((one) => one.name === name)?.spanId ?? "";
      const tree = collector.spans.map(({ name, kind, parentSpanId }) => [name, kind, parentSpanId]);
      assert.deepEqual(tree.sort(), [
        ["PUT", "CLIENT", idOf("publish")],
        ["deliver", "CONSUMER", rootSpanId],
        ["delivery", "INTERNAL", ""],
        ["evaluate", "CONSUMER", rootSpanId],
        ["publish", "INTERNAL", idOf("deliver")],
      ]);
      const root = collector.spans.find((one) => one.name === "delivery");
      assert.equal(root?.spanId, rootSpanId);
      assert.ok((root?.endedAt ?? 0) - (root?.startedAt ?? 0) >= 60_000);
      assert.equal(root?.attributes["deliverd.outcome"], "delivered");
      const call = collector.spans.find((one) => one.name === "PUT");
      assert.equal(call?.status.code, "STATUS_CODE_ERROR");
      assert.deepEqual(call?.attributes, {
        "http.request.method": "PUT",
        "server.address": "hub.example.com",
        "peer.service": "hub",
        "http.response.status_code": "503",
        "deliverd.outcome": "failed",
      });
      assert.equal(call?.resource["service.name"], "deliverd");
      assert.equal(call?.resource.zone, "eu");
    });
  }

  it("hold no secret: not in an attribute, not in an error, and the collector's own key is masked in the log", async () => {
    await withTracer({ OTEL_EXPORTER_OTLP_HEADERS: "x-api-key=collector%20key" }, () =>
      assert.rejects(
        inTrace(SUBJECT, "deliver", { delivery: "with s3cret-value" }, () =>
          Promise.reject(new Error("the registry showed s3cret-value")),
        ),
      ),
    );
    assert.equal(collector.spans[0]?.status.message, "the registry showed [secret]");
    assert.doesNotMatch(collector.raw(), /s3cret-value/);
    assert.equal(collector.requests[0]?.headers["x-api-key"], "collector key");
    assert.deepEqual(tracingSecrets(process.env), ["collector%20key", "collector key"]);
  });

  it("have the collector's key from a file, as Docker and Kubernetes mount secrets", async () => {
    const dir = await tempDir();
    try {
      await writeFile(join(dir.path, "headers"), "authorization=Bearer%20from-a-file\n");
      await withTracer({ OTEL_EXPORTER_OTLP_HEADERS_FILE: join(dir.path, "headers") }, story);
      assert.equal(collector.requests[0]?.headers.authorization, "Bearer from-a-file");
      assert.deepEqual(tracingSecrets(process.env), ["Bearer%20from-a-file", "Bearer from-a-file"]);
    } finally {
      await dir.remove();
    }
  });

  it("go on at a receiver of notices, by the header of W3C's trace context", async () => {
    const headers = await withTracer({}, () => inTrace(SUBJECT, "notice", {}, async () => traceHeaders()));
    const [sent] = collector.spans;
    assert.equal(headers.traceparent, `00-${traceIdsOf(SUBJECT).traceId}-${sent?.spanId}-01`);
    assert.deepEqual(traceHeaders(), {}, "there is none without a span");
  });

  it("are sampled by their id, so that all processes keep or drop the same deliveries", async () => {
    const sampling = { OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.5" };
    await withTracer(sampling, async () => {
      for (let n = 0; n < 64; n++) {
        const subject = { repoId: "github:1", commit: String(n) };
        for (const station of ["evaluate", "deliver"]) await inTrace(subject, station, {}, async () => {});
      }
    });
    const stations = new Map<string, number>();
    for (const { traceId } of collector.spans) stations.set(traceId, (stations.get(traceId) ?? 0) + 1);
    assert.ok(stations.size > 10 && stations.size < 54, `${stations.size} of 64`);
    assert.deepEqual(new Set(stations.values()), new Set([2]));
  });

  it("are off without an endpoint, if the SDK is disabled, and for a protocol that is not there", async () => {
    assert.equal(await openTracer({}, silentLog, createMask([])), null);
    const endpoint = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
    for (const off of [
      { OTEL_SDK_DISABLED: "true" },
      { OTEL_TRACES_EXPORTER: "none" },
      { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
    ])
      assert.equal(await openTracer({ ...endpoint, ...off }, silentLog, createMask([])), null, JSON.stringify(off));
  });

  it("that no collector takes disturb no work, and are one line in the log", async () => {
    await collector.stop();
    const stream = new PassThrough();
    const log = createLog({ mask: createMask([]), stream });
    const quick = { OTEL_EXPORTER_OTLP_TIMEOUT: "200", OTEL_BSP_SCHEDULE_DELAY: "10" };
    const tracer = await open({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...quick }, log);
    const observer = createObserver({ metrics: createMetrics(), log, tracer });
    await observed(observer, {}, story);
    let printed = "";
    const read = () => {
      printed += (stream.read() ?? "").toString();
      return printed;
    };
    await until("the log says it", () =>
      /"traces could not be sent","error":"connect ECONNREFUSED [\d.:]+"/.test(read()),
    );
    await tracer?.close();
    collector = await startOtlpCollector();
  });
});
