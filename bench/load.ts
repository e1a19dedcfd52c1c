import { createHmac } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";

export interface Load {
  perSecond: number;
  /** ms */
  p99: number;
}

/**
 * Sends each request once, over so many connections at a time, the next as soon as the answer to the last is whole. By hand on
 * sockets, with the requests written out beforehand, so that little of the machine goes to the loader.
 * @throws where an answer has another status than `wanted`
 */
export async function load(port: number, requests: Buffer[], connections: number, wanted: number): Promise<Load> {
  const sockets = await Promise.all(Array.from({ length: connections }, () => open(port)));
  const times: number[] = [];
  let next = 0;
  const begin = performance.now();
  await Promise.all(
    sockets.map(async (socket) => {
      const answers = readAnswers(socket);
      for (let request = requests[next++]; request !== undefined; request = requests[next++]) {
        const sent = performance.now();
        socket.write(request);
        const { value: status } = await answers.next();
        if (status !== wanted) throw new Error(`port ${port} answered ${status}, not ${wanted}`);
        times.push(performance.now() - sent);
      }
    }),
  );
  const seconds = (performance.now() - begin) / 1000;
  for (const socket of sockets) socket.destroy();
  times.sort((a, b) => a - b);
  return { perSecond: times.length / seconds, p99: times[Math.ceil(times.length * 0.99) - 1] ?? Number.NaN };
}

/** A webhook as GitHub sends it, signed and written out. */
export function webhook(
  path: string,
  { event, id, secret, body }: { event: string; id: string; secret: string; body: Buffer },
): Buffer {
  const head = [
    `POST ${path} HTTP/1.1`,
    "Host: 127.0.0.1",
    "Accept: */*",
    "User-Agent: GitHub-Hookshot/5a9f8d1",
    "Content-Type: application/json",
    `X-GitHub-Delivery: ${id}`,
    `X-GitHub-Event: ${event}`,
    `X-Hub-Signature-256: sha256=${createHmac("sha256", secret).update(body).digest("hex")}`,
    `Content-Length: ${body.length}`,
  ];
  return Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`), body]);
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  return socket;
}

/** The status of each answer, once it is whole. Only what our peers send is understood: a length, or chunks. */
async function* readAnswers(socket: Socket): AsyncGenerator<number> {
  let text = "";
  for await (const chunk of socket) {
    text += (chunk as Buffer).toString("latin1");
    for (let end = endOfAnswer(text); end !== null; end = endOfAnswer(text)) {
      const status = Number(text.slice(9, 12));
      text = text.slice(end);
      yield status;
    }
  }
}

function endOfAnswer(text: string): number | null {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return null;
  const body = head + 4;
  const length = /^content-length: *(\d+)/im.exec(text.slice(0, head))?.[1];
  if (length !== undefined) return text.length >= body + Number(length) ? body + Number(length) : null;
  const last = text.indexOf("0\r\n\r\n", body);
  return last < 0 ? null : last + 5;
}
