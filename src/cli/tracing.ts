import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { type Fail, secretFrom } from "../config/environment.ts";
import type { Log } from "../observe/log.ts";
import type { Mask } from "../observe/mask.ts";
import type { Tracer } from "../observe/trace.ts";
import { VERSION } from "../run/version.ts";

/**
 * Opens a tracer if OpenTelemetry's standard variables name a collector; else null, and nothing of the SDK is loaded. A
 * setting that cannot be used costs the traces and a line in the log, never the start.
 */
export async function openTracer(env: NodeJS.ProcessEnv, log: Log, mask: Mask): Promise<Tracer | null> {
  const endpoint = env.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || env.OTEL_EXPORTER_OTLP_ENDPOINT;
  const isOff = env.OTEL_SDK_DISABLED?.toLowerCase() === "true" || env.OTEL_TRACES_EXPORTER === "none";
  if (!endpoint || isOff) return null;
  const protocol = env.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL || env.OTEL_EXPORTER_OTLP_PROTOCOL || "http/protobuf";
  if (protocol !== "http/protobuf" && protocol !== "http/json") {
    log.error("no traces: OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf or http/json", { protocol });
    return null;
  }
  const headers = pairsOf(
    headerList(env, (name, missing) => log.error("traces are sent without their headers", { name, missing })),
  );
  try {
    const { openOtelTracer } = await import("../observe/otel.ts");
    const tracer = openOtelTracer({
      ...{ env, protocol, version: VERSION, instance: `${hostname()}/${randomUUID()}`, log, mask },
      headers: Object.fromEntries(headers.map(([name, value]) => [name, decoded(value)])),
    });
    log.info("sending traces", { endpoint: originOf(endpoint), protocol });
    return tracer;
  } catch (error) {
    log.error("no traces: the exporter cannot be started", { error });
    return null;
  }
}

/** The values of headers for the collector: they mostly hold its key, so no log and no answer may show them. */
export function tracingSecrets(env: NodeJS.ProcessEnv): string[] {
  return pairsOf(headerList(env, () => {})).flatMap(([, value]) => [value, decoded(value)]);
}

function headerList(env: NodeJS.ProcessEnv, fail: Fail): string {
  const names = ["OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];
  return names.map((name) => secretFrom(env, name, fail)).find((list) => list !== undefined) ?? "";
}

/** https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables */
function pairsOf(list: string): [string, string][] {
  return list.split(",").flatMap((pair) => {
    const at = pair.indexOf("=");
    return at < 0 ? [] : [[pair.slice(0, at).trim(), pair.slice(at + 1).trim()] as [string, string]];
  });
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function originOf(endpoint: string): string {
  return URL.canParse(endpoint) ? new URL(endpoint).origin : "no valid URL";
}
