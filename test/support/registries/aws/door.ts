import { once } from "node:events";
import { createServer, request as forward, type IncomingHttpHeaders } from "node:http";
import { buffer } from "node:stream/consumers";

export interface Visit {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface Refusal {
  status: number;
  headers?: Record<string, string>;
  body?: string;
}

export interface Door {
  url: string;
  /** All that came by, and what it was answered. */
  passed: (Visit & { status: number })[];
  stop(): Promise<void>;
}

/**
 * Stands before a real server, as AWS stands before what it keeps.
 * @param order.refuse what is not let through, and how it is told
 * @param order.authorization what the server behind wants instead of AWS's token; null: nothing
 * @param order.prefix the path at the door that stands for the root behind it
 * @param order.inside what a path below the prefix is called behind it
 */
export async function startDoor(order: {
  target: string;
  refuse: (visit: Visit) => Refusal | null;
  authorization: string | null;
  prefix?: string;
  inside?: (path: string) => string;
}): Promise<Door> {
  const { target, refuse, authorization, prefix = "/", inside = (same) => same } = order;
  const passed: Door["passed"] = [];
  const server = createServer(async (request, response) => {
    const { method = "", url: path = "", headers } = request;
    const visit: Visit = { method, path, headers, body: await buffer(request) };
    const seen = { ...visit, status: 0 };
    passed.push(seen);
    const refused = path.startsWith(prefix) ? refuse(visit) : { status: 404 };
    if (refused !== null) {
      seen.status = refused.status;
      response.writeHead(refused.status, refused.headers).end(refused.body);
      return;
    }
    const { authorization: _, expect: __, "transfer-encoding": ___, ...others } = headers;
    const own = authorization === null ? {} : { authorization };
    const behind = forward(new URL(inside(path.slice(prefix.length - 1)), target), {
      method,
      headers: { ...others, ...own },
    });
    behind.on("response", async (answer) => {
      seen.status = answer.statusCode ?? 502;
      const bytes = await buffer(answer);
      // It knows nothing of the prefix.
      const isDocument = prefix !== "/" && /json/.test(answer.headers["content-type"] ?? "");
      const text = isDocument ? bytes.toString().replaceAll(`http://${headers.host}/`, `${door.url}${prefix}`) : bytes;
      const { "content-encoding": encoding, ...told } = answer.headers;
      if (!isDocument || encoding !== undefined) told["content-encoding"] = encoding;
      if (method !== "HEAD") told["content-length"] = String(Buffer.byteLength(text));
      for (const name of ["transfer-encoding", "content-encoding"]) if (!told[name]) delete told[name];
      if (method !== "HEAD") delete told["transfer-encoding"];
      response.writeHead(seen.status, told).end(text);
    });
    behind.on("error", () => response.destroy());
    behind.end(visit.body);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const door: Door = {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`,
    passed,
    async stop() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return door;
}
