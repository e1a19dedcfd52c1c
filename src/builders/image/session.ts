import { randomUUID } from "node:crypto";
import { performServerHandshake, type ServerHttp2Stream } from "node:http2";
import type { Duplex } from "node:stream";
import type Dockerode from "dockerode";
import { type BuildFiles, FILE_SYNC, serveFiles } from "./file-sync.ts";

/** A BuildKit session: a connection by which the engine can call whoever asked for the build. */
export interface Session {
  id: string;
  close(): void;
}

/** A gRPC message: not compressed, 2 bytes, field 1 = SERVING (grpc.health.v1.HealthCheckResponse). */
const SERVING = Buffer.from([0, 0, 0, 0, 2, 0x08, 0x01]);
const UNIMPLEMENTED = "12";

/**
 * Opens a session that offers only the files of one build, if it has any: no secrets and no credentials. BuildKit needs
 * a session to fetch anything with an anonymous token, such as `# syntax=docker/dockerfile:1` from Docker Hub.
 * dockerode's own session would give one password to every registry that asks, and stay open after a build is aborted.
 */
export async function openSession(docker: Dockerode, files: BuildFiles | null): Promise<Session> {
  const id = randomUUID();
  const socket = await hijack(docker, {
    Upgrade: "h2c",
    "X-Docker-Expose-Session-Uuid": id,
    "X-Docker-Expose-Session-Name": "deliverd",
    // BuildKit caches files under this key, and would reuse one with the same size and time.
    "X-Docker-Expose-Session-Sharedkey": id,
    ...(files === null ? {} : { "X-Docker-Expose-Session-Grpc-Method": FILE_SYNC }),
  });
  const session = performServerHandshake(socket);
  // If the engine goes away, the build itself reports it.
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
  // BuildKit closes a session whose health check fails.
  if (path !== "/grpc.health.v1.Health/Check") {
    stream.respond({ ...type, "grpc-status": UNIMPLEMENTED }, { endStream: true });
    return;
  }
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
  stream.respond(type, { waitForTrailers: true });
  stream.end(SERVING);
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
