import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import protobuf from "protobufjs";
import type { GrpcClient } from "./grpc/client.ts";
import { readTrace, type Trace } from "./trace.ts";

// From BuildKit's api/services/control/control.proto.
const { root } = protobuf.parse(
  `
  syntax = "proto3";
  message SolveRequest {
    string Ref = 1; string ExporterDeprecated = 3; map<string, string> ExporterAttrsDeprecated = 4; string Session = 5;
    string Frontend = 6; map<string, string> FrontendAttrs = 7; CacheOptions Cache = 8;
    repeated string Entitlements = 9; repeated Exporter Exporters = 13;
  }
  message CacheOptions { repeated Entry Exports = 4; repeated Entry Imports = 5; }
  message Entry { string Type = 1; map<string, string> Attrs = 2; }
  message Exporter { string Type = 1; map<string, string> Attrs = 2; }
  message SolveResponse { map<string, string> ExporterResponse = 1; }
  message StatusRequest { string Ref = 1; }
`,
  { keepCase: true },
);
const solveRequest = root.lookupType("SolveRequest");
const solveResponse = root.lookupType("SolveResponse");
const statusRequest = root.lookupType("StatusRequest");

/** A type of exporter or cache, with its attributes. */
export interface Typed {
  type: string;
  attrs: Record<string, string>;
}

/** What to build from a Dockerfile, and what to do with the result. */
export interface SolveOrder {
  /** The id of a session that is open on the same BuildKit. */
  session: string;
  /** Of the Dockerfile frontend, such as `target` or `build-arg:NAME`. */
  attrs: Record<string, string>;
  exporter: Typed;
  /** Rights that BuildKit must allow, such as `network.host`. */
  entitlements?: string[];
}

/** How long the end of the progress may take after the end of the build. */
const MAX_STATUS_DELAY_MS = 3_000;

/**
 * Builds a Dockerfile. If the signal is aborted, BuildKit stops the build.
 * @param onTrace is told of each step and its output
 * @returns what the exporter says of its result, such as `containerimage.digest`
 * @throws GrpcError, or the signal's reason
 */
export async function solve(
  client: GrpcClient,
  order: SolveOrder,
  onTrace: (trace: Trace) => void,
  signal: AbortSignal,
): Promise<Record<string, string>> {
  const Ref = randomBytes(16).toString("hex");
  const over = new AbortController();
  const progress = follow(client, Ref, onTrace, AbortSignal.any([signal, over.signal]));
  try {
    const answer = await client.call("/moby.buildkit.v1.Control/Solve", encode(order, Ref), signal);
    const { ExporterResponse } = solveResponse.toObject(solveResponse.decode(answer), { objects: true });
    return ExporterResponse as Record<string, string>;
  } finally {
    // The last lines may come after the result. An aborted build has none that matter.
    if (!signal.aborted) await Promise.race([progress, delay(MAX_STATUS_DELAY_MS, null, { signal: over.signal })]);
    over.abort();
    await progress;
  }
}

function encode({ session, attrs, exporter, entitlements }: SolveOrder, Ref: string): Uint8Array {
  const message = solveRequest.fromObject({
    Ref,
    Session: session,
    Frontend: "dockerfile.v0",
    FrontendAttrs: attrs,
    Cache: {},
    Entitlements: entitlements ?? [],
    Exporters: [{ Type: exporter.type, Attrs: exporter.attrs }],
    // BuildKit before 0.13 knows one exporter only.
    ExporterDeprecated: exporter.type,
    ExporterAttrsDeprecated: exporter.attrs,
  });
  return solveRequest.encode(message).finish();
}

/** Never throws: how the build ended is what Solve says. */
async function follow(
  client: GrpcClient,
  Ref: string,
  onTrace: (trace: Trace) => void,
  signal: AbortSignal,
): Promise<void> {
  const message = statusRequest.encode({ Ref }).finish();
  try {
    for await (const answer of client.stream("/moby.buildkit.v1.Control/Status", message, signal))
      onTrace(readTrace(answer));
  } catch {
    // A build that BuildKit refuses at once has no progress.
  }
}
