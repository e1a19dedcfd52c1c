import { randomUUID } from "node:crypto";
import type { Duplex } from "node:stream";
import { GrpcClient, type Metadata } from "./grpc/client.ts";
import { type Methods, serveMethods } from "./grpc/server.ts";
import { health } from "./session/health.ts";
import { Tunnel } from "./session/tunnel.ts";

/** A BuildKit session: a connection by which BuildKit can call whoever asked for the build. */
export interface Session {
  id: string;
  close(): void;
}

/** A BuildKit that answers. */
export interface BuildKit {
  client: GrpcClient;
  /** Opens a session that offers these methods, and no others. */
  openSession(methods: Methods): Promise<Session>;
  /** Ends all calls and sessions. */
  close(): void;
}

/** What a session says of itself. BuildKit calls only methods that are listed. */
export function sessionMetadata(id: string, methods: Methods): Metadata {
  return {
    "x-docker-expose-session-uuid": id,
    "x-docker-expose-session-name": "deliverd",
    // BuildKit caches files under this key, and would reuse one with the same size and time.
    "x-docker-expose-session-sharedkey": id,
    "x-docker-expose-session-grpc-method": Object.keys(methods),
  };
}

/** Serves a session over a connection that BuildKit has accepted as one. */
export function serveSession(id: string, socket: Duplex, methods: Methods): Session {
  serveMethods(socket, { ...methods, ...health });
  return { id, close: () => socket.destroy() };
}

/** A BuildKit that speaks gRPC on the connection itself: a buildkitd, or Docker from version 29 on. */
export function speakTo(socket: Duplex): BuildKit {
  const client = new GrpcClient(socket);
  return {
    client,
    async openSession(methods) {
      const id = randomUUID();
      const call = client.open("/moby.buildkit.v1.Control/Session", sessionMetadata(id, methods));
      return serveSession(id, new Tunnel(call), methods);
    },
    close: () => client.close(),
  };
}
