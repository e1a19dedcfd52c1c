import protobuf from "protobufjs";

/** The parts of `moby.buildkit.v1.StatusResponse` that a log needs. */
export interface Trace {
  vertexes: Vertex[];
  logs: { vertex: string; msg: Uint8Array }[];
}

export interface Vertex {
  digest: string;
  name: string;
  cached: boolean;
  started: object | null;
  completed: object | null;
  error: string;
}

// From BuildKit's api/services/control/control.proto. dockerode can read it too, but does not export that, and keeps
// all output in memory.
const { root } = protobuf.parse(`
  syntax = "proto3";
  message StatusResponse { repeated Vertex vertexes = 1; repeated VertexLog logs = 3; }
  message Vertex {
    string digest = 1; string name = 3; bool cached = 4;
    Timestamp started = 5; Timestamp completed = 6; string error = 7;
  }
  message VertexLog { string vertex = 1; bytes msg = 4; }
  message Timestamp { int64 seconds = 1; int32 nanos = 2; }
`);
const statusResponse = root.lookupType("StatusResponse");

export function readTrace(bytes: Uint8Array): Trace {
  const decoded = statusResponse.decode(bytes);
  return statusResponse.toObject(decoded, { defaults: true, arrays: true, longs: Number }) as Trace;
}
