import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import type Dockerode from "dockerode";
import { type BuildKit, type Session, serveSession, sessionMetadata } from "./connection.ts";
import { GrpcClient } from "./grpc/client.ts";
import type { Methods } from "./grpc/server.ts";

/**
 * Opens a session on the BuildKit inside Docker. It offers these methods only: without a login among them, nobody logs
 * in anywhere. BuildKit needs a session to fetch anything with an anonymous token, such as
 * `# syntax=docker/dockerfile:1` from Docker Hub. dockerode's own session would give one password to every registry
 * that asks, and stay open after a build is aborted.
 */
export async function openDockerSession(docker: Dockerode, methods: Methods): Promise<Session> {
  const id = randomUUID();
  const socket = await hijack(docker, "/session", sessionMetadata(id, methods));
  return serveSession(id, socket, methods);
}

/**
 * The BuildKit inside Docker, by the two requests that turn into connections. Docker has deprecated both since API 1.53.
 * @throws what the engine answers if it has no BuildKit
 */
export async function buildKitIn(docker: Dockerode): Promise<BuildKit> {
  const client = new GrpcClient(await hijack(docker, "/grpc", {}));
  const sessions: Session[] = [];
  return {
    client,
    async openSession(methods) {
      const session = await openDockerSession(docker, methods);
      sessions.push(session);
      return session;
    },
    close() {
      client.close();
      for (const session of sessions) session.close();
    },
  };
}

function hijack(docker: Dockerode, path: string, headers: Record<string, string | string[]>): Promise<Duplex> {
  const options = {
    ...{ method: "POST", path, hijack: true },
    headers: { Upgrade: "h2c", ...headers },
    statusCodes: { 101: true, 500: "server error" },
  };
  return new Promise((resolve, reject) => {
    docker.modem.dial(options, (error: unknown, socket: unknown) => {
      if (error) reject(error);
      else resolve(socket as Duplex);
    });
  });
}
