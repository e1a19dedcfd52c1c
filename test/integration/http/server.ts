import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Server as TcpServer } from "node:net";

export interface HttpServer {
  url: URL;
  /** Requests so far, with the number of their connection, counted from 1. */
  seen: { method: string; url: string; headers: IncomingMessage["headers"]; connection: number }[];
  /** Connections so far. */
  connections(): number;
  close(): Promise<void>;
}

/** Starts a server on 127.0.0.1 that answers each request as the test says. */
export async function serve(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  server: Server = createServer(),
): Promise<HttpServer> {
  const seen: HttpServer["seen"] = [];
  const sockets = new Map<unknown, number>();
  server.on("connection", (socket) => sockets.set(socket, sockets.size + 1));
  server.on("request", (request: IncomingMessage, response: ServerResponse) => {
    const { method = "", url = "", headers } = request;
    seen.push({ method, url, headers, connection: sockets.get(request.socket) ?? 0 });
    answer(request, response);
  });
  const port = await listen(server);
  return {
    url: new URL(`http://127.0.0.1:${port}/`),
    seen,
    connections: () => sockets.size,
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** @returns the port */
export async function listen(server: TcpServer | Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}
