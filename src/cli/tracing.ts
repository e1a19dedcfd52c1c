import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
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
  try {
    const { openOtelTracer } = await import("../observe/otel.ts");
    const tracer = openOtelTracer({ env, version: VERSION, instance: `${hostname()}/${randomUUID()}`, log, mask });
    log.info("sending traces", { endpoint: originOf(endpoint), protocol });
    return tracer;
  } catch (error) {
    log.error("no traces: the exporter cannot be started", { error });
    return null;
  }
}

/** The values of headers for the collector: they mostly hold its key, so no log and no answer may show them. */
export function tracingSecrets(env: NodeJS.ProcessEnv): string[] {
  const lists = [env.OTEL_EXPORTER_OTLP_HEADERS, env.OTEL_EXPORTER_OTLP_TRACES_HEADERS];
  return lists
    .flatMap((list) => (list ?? "").split(","))
    .flatMap((pair) => {
      const value = pair.slice(pair.indexOf("=") + 1).trim();
      return pair.includes("=") && value !== "" ? [value, decoded(value)] : [];
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
