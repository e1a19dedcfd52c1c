import { once } from "node:events";
import { createServer, request as forward, type IncomingHttpHeaders } from "node:http";
import { Transform } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";

/** What goes wrong with one request. */
export interface Fault {
  /** Answered here; the server behind never sees the request. */
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  /** The connection is cut after so many bytes of the request's body. */
  cutAfter?: number;
  /** Nothing more passes after so many bytes of the request's body, and the connection stays. */
  stallAfter?: number;
  /** The same of the answer's body. */
  stallAnswerAfter?: number;
  /** The connection is cut after so many bytes of the answer's body. */
  cutAnswerAfter?: number;
  /** The server behind does its work, and the connection is cut instead of its answer; a refusal is passed on. */
  loseAnswer?: boolean;
  /** ms before anything happens. */
  delay?: number;
  /** Nothing happens before this has. */
  after?: Promise<unknown>;
  /** Nothing ever happens. */
  hang?: boolean;
  /** Headers of the answer that are left out. */
  hide?: string[];
}

/** A request that came by. */
export interface Passed {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  /** Bytes of its body so far. */
  bytes: number;
  /** Of the answer; 0: none yet. */
  status: number;
  /** Bytes of the answer's body that were passed on. */
  answered: number;
}

export interface FaultyProxy {
  url: string;
  host: string;
  passed: Passed[];
  /** Decides about each request; replace it at will. */
  fault: (request: Passed) => Fault | undefined;
  /** Refuses connections, and cuts those that are open, until `accept`. */
  refuse(): Promise<void>;
  accept(): Promise<void>;
  stop(): Promise<void>;
}

function passing(seen: Passed, end = Number.POSITIVE_INFINITY, atEnd = () => {}): Transform {
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const part = chunk.subarray(0, end - seen.answered);
      seen.answered += part.length;
      this.push(part);
      if (part.length === chunk.length) done();
      else atEnd();
    },
  });
}

/** Stands before a plain-HTTP server and does to it what networks and busy servers do. @param target URL of that server */
export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const passed: Passed[] = [];
  const server = createServer(async (request, response) => {
    const { method = "", url = "", headers } = request;
    const seen: Passed = { method, url, headers, bytes: 0, status: 0, answered: 0 };
    passed.push(seen);
    const fault = proxy.fault(seen) ?? {};
    if (fault.delay !== undefined) await delay(fault.delay);
    await fault.after;
    if (fault.hang) return;
    if (fault.status !== undefined) {
      seen.status = fault.status;
      request.resume();
      response.writeHead(fault.status, fault.headers).end(fault.body);
      return;
    }
    const behind = forward(new URL(url, target), { method, headers });
    const cut = () => {
      request.socket.destroy();
      behind.destroy();
    };
    const count = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        seen.bytes += chunk.length;
        if (fault.cutAfter !== undefined && seen.bytes > fault.cutAfter) return cut();
        if (fault.stallAfter !== undefined && seen.bytes > fault.stallAfter) return;
        done(null, chunk);
      },
    });
    request.on("error", () => behind.destroy());
    behind.on("error", () => response.destroy());
    behind.on("response", (answer) => {
      seen.status = answer.statusCode ?? 0;
      if (fault.loseAnswer && seen.status < 400) {
        cut();
        return;
      }
      for (const name of fault.hide ?? []) delete answer.headers[name];
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      const { stallAnswerAfter, cutAnswerAfter } = fault;
      const end = cutAnswerAfter ?? stallAnswerAfter;
      // What came before the cut shall have arrived.
      const atEnd = cutAnswerAfter === undefined ? undefined : () => void setImmediate(cut);
      answer.pipe(passing(seen, end, atEnd)).pipe(response);
    });
    request.pipe(count).pipe(behind);
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  const close = async () => {
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  await listen(0);
  const address = server.address();
  const port = typeof address === "object" ? (address?.port ?? 0) : 0;
  const host = `127.0.0.1:${port}`;
  const proxy: FaultyProxy = {
    url: `http://${host}`,
    host,
    passed,
    fault: () => undefined,
    refuse: close,
    accept: () => listen(port),
    async stop() {
      if (server.listening) await close();
    },
  };
  return proxy;
}
