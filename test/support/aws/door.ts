import { once } from "node:events";
import { createServer, request as forward, type IncomingMessage, type ServerResponse } from "node:http";

export interface Door {
  url: string;
  /** `<method> <path>` of all that came by, and what it was answered. */
  passed: { method: string; path: string; status: number; authorization: string | undefined }[];
  stop(): Promise<void>;
}

/**
 * Stands before a real server, as AWS stands before what it keeps.
 * @param order.before answers what is not let through, and says so
 * @param order.authorization what the server behind wants instead of AWS's token; null: nothing
 */
export async function startDoor(order: {
  target: string;
  before: (request: IncomingMessage, response: ServerResponse) => boolean;
  authorization: string | null;
}): Promise<Door> {
  const passed: Door["passed"] = [];
  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    const seen = { method, path: url, status: 0, authorization: headers.authorization };
    passed.push(seen);
    response.on("finish", () => {
      seen.status = response.statusCode;
    });
    if (order.before(request, response)) {
      request.resume();
      return;
    }
    const { authorization: _, ...others } = headers;
    const own = order.authorization === null ? {} : { authorization: order.authorization };
    const behind = forward(new URL(url, order.target), { method, headers: { ...others, ...own } });
    behind.on("response", (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    behind.on("error", () => response.destroy());
    request.on("error", () => behind.destroy());
    request.pipe(behind);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`,
    passed,
    async stop() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
