import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";

/**
 * Holds a server to so many connections: one more ends the oldest of those on which the client is silent or slow.
 * `maxConnections` turns away whoever comes last instead, so that a thousand silent connections would keep everybody out.
 */
export function boundConnections(server: Server, max: number): void {
  /** With the request that is being answered, if any; in the order in which they came or were last answered. */
  const open = new Map<Socket, IncomingMessage | null>();
  server.on("connection", (socket: Socket) => {
    if (open.size >= max) {
      const victim = longestWaitedFor(open) ?? socket;
      open.delete(victim);
      victim.destroy();
      if (victim === socket) return;
    }
    open.set(socket, null);
    socket.once("close", () => open.delete(socket));
  });
  server.on("request", (request, response) => {
    const { socket } = request;
    if (open.has(socket)) open.set(socket, request);
    response.once("close", () => {
      if (open.get(socket) !== request) return;
      open.delete(socket);
      open.set(socket, null);
    });
  });
}

function longestWaitedFor(open: Map<Socket, IncomingMessage | null>): Socket | undefined {
  for (const [socket, request] of open) if (request === null || !request.complete) return socket;
  return undefined;
}
