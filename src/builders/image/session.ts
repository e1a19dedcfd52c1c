import { randomUUID } from "node:crypto";
import { performServerHandshake, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import type Dockerode from "dockerode";
import { type BuildFiles, FILE_SYNC, serveFiles } from "./file-sync.ts";

/** A BuildKit session: the way back from the engine to who asked for the build. */
export interface Session {
  id: string;
  close(): void;
}

// A gRPC message: not compressed, 2 bytes, field 1 = SERVING (grpc.health.v1.HealthCheckResponse).
const serving = Buffer.from([0, 0, 0, 0, 2, 0x08, 0x01]);
const unimplemented = "12";

/**
 * Opens a session that offers nothing but the files of one build, where there are any: no secrets, no credentials. BuildKit asks a session before it fetches
 * anything by anonymous token (as `# syntax=docker/dockerfile:1` does from Docker Hub) and fails where there is none.
 * dockerode opens one of its own, which hands one password to any registry that asks, and stays open when a build is aborted.
 */
export async function openSession(docker: Dockerode, files: BuildFiles | null): Promise<Session> {
  const id = randomUUID();
  const socket = await hijack(docker, {
    Upgrade: "h2c",
    "X-Docker-Expose-Session-Uuid": id,
    "X-Docker-Expose-Session-Name": "deliverd",
    // BuildKit keeps what it fetched under this name, and would take a file of the same size and time from there.
    "X-Docker-Expose-Session-Sharedkey": id,
    ...(files === null ? {} : { "X-Docker-Expose-Session-Grpc-Method": FILE_SYNC }),
  });
  const session = performServerHandshake(socket);
  // An engine that went away shows in the build itself.
  session.on("error", () => {});
  socket.on("error", () => {});
  session.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    if (files !== null && headers[":path"] === FILE_SYNC) void serveFiles(stream, headers, files);
    else answer(stream, headers[":path"]);
  });
  return { id, close: () => socket.destroy() };
}

function answer(stream: ServerHttp2Stream, path: string | undefined): void {
  const type = { ":status": 200, "content-type": "application/grpc" };
  // BuildKit drops a session that does not say it is well.
  if (path !== "/grpc.health.v1.Health/Check") {
    stream.respond({ ...type, "grpc-status": unimplemented }, { endStream: true });
    return;
  }
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.respond(type, { waitForTrailers: true });
  stream.end(serving);
}

function hijack(docker: Dockerode, headers: Record<string, string>): Promise<Duplex> {
  const options = {
    method: "POST",
    path: "/session",
    hijack: true,
    headers,
    statusCodes: { 101: true, 500: "server error" },
  };
  return new Promise((resolve, reject) => {
    docker.modem.dial(options, (error: unknown, socket: unknown) => {
      if (error) reject(error);
      else resolve(socket as Duplex);
    });
  });
}
