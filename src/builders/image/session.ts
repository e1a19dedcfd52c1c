import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import type Dockerode from "dockerode";
import { type Methods, serveMethods } from "../buildkit/grpc/server.ts";
import { health } from "../buildkit/session/health.ts";

/** A BuildKit session: a connection by which the engine can call whoever asked for the build. */
export interface Session {
  id: string;
  close(): void;
}

/**
 * Opens a session that offers these methods only: never credentials. BuildKit needs a session to fetch anything with an
 * anonymous token, such as `# syntax=docker/dockerfile:1` from Docker Hub. dockerode's own session would give one
 * password to every registry that asks, and stay open after a build is aborted.
 */
export async function openSession(docker: Dockerode, methods: Methods): Promise<Session> {
  const id = randomUUID();
  const socket = await hijack(docker, {
    Upgrade: "h2c",
    "X-Docker-Expose-Session-Uuid": id,
    "X-Docker-Expose-Session-Name": "deliverd",
    // BuildKit caches files under this key, and would reuse one with the same size and time.
    "X-Docker-Expose-Session-Sharedkey": id,
    "X-Docker-Expose-Session-Grpc-Method": Object.keys(methods),
  });
  serveMethods(socket, { ...methods, ...health });
  return { id, close: () => socket.destroy() };
}

function hijack(docker: Dockerode, headers: Record<string, string | string[]>): Promise<Duplex> {
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
