import { once } from "node:events";
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

export interface ReceivedNotice {
  id: string;
  event: Record<string, unknown>;
}

/** A deployer's end of the line: takes notices, verifies them as Standard Webhooks says, and keeps them. */
export interface NoticeSink {
  url: string;
  secret: string;
  /** In the order they came, resends too. */
  notices: ReceivedNotice[];
  /** What came and did not verify. */
  refused: string[];
  /** Answers this status from now on. */
  answer: number;
  stop(): Promise<void>;
}

export async function startNoticeSink(): Promise<NoticeSink> {
  const secret = `whsec_${Buffer.from("a notice secret of 32 bytes here").toString("base64")}`;
  const webhook = new Webhook(secret);
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    if (request.method !== "POST") {
      response.writeHead(405, { allow: "POST" }).end();
      return;
    }
    try {
      const event = webhook.verify(body, request.headers as Record<string, string>) as Record<string, unknown>;
      if (sink.answer < 300) sink.notices.push({ id: String(request.headers["webhook-id"]), event });
      response.writeHead(sink.answer).end();
    } catch (error) {
      sink.refused.push(String(error));
      response.writeHead(400).end();
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const sink: NoticeSink = {
    url: `http://127.0.0.1:${address.port}/ready`,
    secret,
    notices: [],
    refused: [],
    answer: 204,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
  return sink;
}
