import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import type { FrozenFile } from "../../src/delivery/types.ts";

const SIZE = 64 * 2 ** 20;
const CHUNK = Buffer.alloc(2 ** 16, 7);

export interface SlowRegistry {
  url: string;
  /** What stands under every name; of 64 MB. */
  file: Omit<FrozenFile, "name">;
  /** Paths that were read. */
  asked: string[];
  /** Answers that are not out yet. */
  open(): number;
  stop(): Promise<void>;
}

/** A plain HTTP store that gives the same large file under every name, as fast as it is taken. */
export async function startSlowRegistry(): Promise<SlowRegistry> {
  const asked: string[] = [];
  let open = 0;
  const server = createServer((request, response) => {
    response.setHeader("content-length", SIZE);
    if (request.method === "HEAD") return void response.end();
    asked.push(request.url ?? "");
    open += 1;
    response.once("close", () => {
      open -= 1;
    });
    Readable.from(chunks(), { objectMode: false }).pipe(response);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const hash = createHash("sha256");
  for (const chunk of chunks()) hash.update(chunk);
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    file: { digest: `sha256:${hash.digest("hex")}`, size: SIZE },
    asked,
    open: () => open,
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

function* chunks(): Generator<Buffer> {
  for (let sent = 0; sent < SIZE; sent += CHUNK.length) yield CHUNK;
}
