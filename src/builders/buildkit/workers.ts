import protobuf from "protobufjs";
import type { GrpcClient } from "./grpc/client.ts";

// From BuildKit's api/services/control/control.proto, api/types/worker.proto and solver/pb/ops.proto.
const { root } = protobuf.parse(`
  syntax = "proto3";
  message ListWorkersRequest { repeated string filter = 1; }
  message ListWorkersResponse { repeated WorkerRecord record = 1; }
  message WorkerRecord {
    string id = 1; map<string, string> labels = 2; repeated Platform platforms = 3; BuildkitVersion version = 5;
  }
  message Platform { string architecture = 1; string os = 2; string variant = 3; }
  message BuildkitVersion { string package = 1; string version = 2; }
`);
const request = root.lookupType("ListWorkersRequest");
const response = root.lookupType("ListWorkersResponse");

interface WorkerRecord {
  labels: Record<string, string>;
  platforms: { os: string; architecture: string; variant: string }[];
  version: { version: string } | null;
}

/** What a BuildKit says of itself. */
export interface BuildKitFacts {
  /** Null: it does not say, as before 0.13. */
  version: string | null;
  /** As in `linux/arm64`, its own first. Those after it may be emulated. */
  platforms: string[];
  /**
   * It can export images by itself: to a registry, for several platforms at once. The BuildKit inside Docker can do this
   * only with containerd's store.
   */
  exportsImages: boolean;
}

/** The label by which BuildKit's own clients tell Docker's two stores apart. */
const SNAPSHOTTER = "org.mobyproject.buildkit.worker.snapshotter";

/** @throws GrpcError, or the signal's reason */
export async function askWorkers(client: GrpcClient, signal?: AbortSignal): Promise<BuildKitFacts> {
  const answer = await client.call("/moby.buildkit.v1.Control/ListWorkers", request.encode({}).finish(), signal);
  const { record } = response.toObject(response.decode(answer), { defaults: true, arrays: true, objects: true }) as {
    record: WorkerRecord[];
  };
  const [worker] = record;
  return {
    version: worker?.version?.version || null,
    platforms: (worker?.platforms ?? []).map(({ os, architecture, variant }) =>
      [os, architecture, ...(variant === "" ? [] : [variant])].join("/"),
    ),
    exportsImages: worker?.labels[SNAPSHOTTER] !== undefined,
  };
}
