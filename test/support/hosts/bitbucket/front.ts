import { createHash } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Answer {
  status: number;
  /** Undefined: none. */
  body?: unknown;
  headers?: Record<string, string>;
  /** What was wrong with the request, beyond what its answer says. */
  violation?: string;
}

export interface Call {
  method: string;
  /** As it was sent: nothing is decoded. */
  path: string;
  query: URLSearchParams;
  authorization: string | undefined;
  /** Parsed; undefined where there was none. */
  body: Record<string, unknown> | undefined;
}

export interface Fault {
  /** `cut`: no answer; `half`: half of one, whose first half is an empty list. */
  status: number | "cut" | "half";
  headers?: Record<string, string>;
  times: number;
  method?: string;
  /** The whole body. */
  body?: unknown;
}

/** One way that a request can be answered. */
export interface Route<Backend> {
  method: string;
  pattern: RegExp;
  /** Known keys of the query. */
  query: string[];
  answer(backend: Backend, call: Call, parts: string[]): Answer | Promise<Answer>;
}

/** The HTTP server in front of either stand-in: it counts requests, and fails where a test wants it. */
export class Front {
  readonly requests: { method: string; path: string; status: number | null }[] = [];
  /** What no client should have sent. A test ends by asserting that it is empty. */
  readonly violations: string[] = [];
  readonly #server: Server;
  readonly #faults: Fault[] = [];
  readonly #refuse: (status: number, message: string) => Answer;
  answer: (call: Call) => Answer | Promise<Answer> = () => ({ status: 503 });
  limitHeaders: () => Record<string, string> = () => ({});

  private constructor(server: Server, refuse: (status: number, message: string) => Answer) {
    this.#server = server;
    this.#refuse = refuse;
    server.on("request", (request, response) => {
      this.#respond(request, response).catch((error: unknown) => {
        this.violations.push(`the stand-in failed on ${request.method} ${request.url}: ${error}`);
        response.destroy();
      });
    });
  }

  /** @param refuse the form of the product's errors */
  static async start(refuse: (status: number, message: string) => Answer): Promise<Front> {
    const server = createServer();
    const front = new Front(server, refuse);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return front;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  fail(fault: Fault): void {
    this.#faults.push({ ...fault });
  }

  forgetFaults(): void {
    this.#faults.splice(0);
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async #respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "" } = request;
    const entry: Front["requests"][number] = { method, path: url, status: null };
    this.requests.push(entry);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const fault = this.#takeFault(method);
    if (fault?.status === "cut") {
      response.destroy();
      return;
    }
    if (fault?.status === "half") {
      response.writeHead(200, { "content-type": "application/json", "content-length": 1000 }).write("[]");
      setImmediate(() => response.destroy());
      return;
    }
    const failed = fault && {
      ...this.#refuse(fault.status as number, "Planted failure"),
      ...(fault.body === undefined ? {} : { body: fault.body }),
      headers: fault.headers ?? {},
    };
    this.#send(request, response, entry, failed ?? (await this.#work(request, Buffer.concat(chunks).toString())));
  }

  #send(request: IncomingMessage, response: ServerResponse, entry: Front["requests"][number], answer: Answer): void {
    if (answer.violation !== undefined) this.violations.push(`${request.method} ${request.url}: ${answer.violation}`);
    const text = answer.body === undefined ? "" : JSON.stringify(answer.body);
    const etag = `"${createHash("md5").update(text).digest("hex")}"`;
    const isKnown =
      request.method === "GET" && answer.status === 200 && request.headers["if-none-match"] === etag && text !== "";
    entry.status = isKnown ? 304 : answer.status;
    response.writeHead(entry.status, {
      "content-type": "application/json",
      ...this.limitHeaders(),
      etag,
      ...answer.headers,
    });
    response.end(isKnown || answer.status === 204 ? undefined : text);
  }

  #takeFault(method: string): Fault | undefined {
    const at = this.#faults.findIndex((fault) => fault.method === undefined || fault.method === method);
    const fault = this.#faults[at];
    if (fault !== undefined && --fault.times <= 0) this.#faults.splice(at, 1);
    return fault;
  }

  async #work(request: IncomingMessage, text: string): Promise<Answer> {
    const [path = "", query = ""] = (request.url ?? "").split("?", 2);
    let body: Call["body"];
    try {
      body = text === "" ? undefined : (JSON.parse(text) as Record<string, unknown>);
    } catch {
      return { ...this.#refuse(400, "The request body is not JSON"), violation: "the body is not JSON" };
    }
    const { authorization } = request.headers;
    return this.answer({
      method: request.method ?? "",
      path,
      query: new URLSearchParams(query),
      authorization,
      body,
    });
  }
}

/** The answer of the route that a call fits. What no client should ask is a violation. */
export async function answerBy<Backend>(
  routes: readonly Route<Backend>[],
  backend: Backend,
  call: Call,
  otherwise: Answer,
): Promise<Answer> {
  for (const { method, pattern, query, answer } of routes) {
    const parts = method === call.method ? pattern.exec(call.path) : null;
    if (parts === null) continue;
    const unknown = [...call.query.keys()].find((key) => !query.includes(key));
    const answered = await answer(
      backend,
      call,
      parts.slice(1).map((part) => decodeURIComponent(part ?? "")),
    );
    return unknown === undefined ? answered : { ...answered, violation: `the query '${unknown}'` };
  }
  return { ...otherwise, violation: "there is no such route" };
}
