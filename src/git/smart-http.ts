import { once } from "node:events";
import http, { type ClientRequest, type IncomingMessage } from "node:http";
import https from "node:https";

/** One request of gitprotocol-http(5), and the media type that its answer must have. */
export interface Question {
  url: string;
  authorization: string | null;
  /** Null: a GET. */
  body: Buffer | null;
  answer: string;
}

/** There was no whole answer of the right kind, and what that tells: a connection that had gone stale says nothing of either. */
export class NoAnswer extends Error {
  readonly of: "repo" | "host" | "nothing";
  constructor(of: NoAnswer["of"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.of = of;
  }
}

/** As much as git may print. */
const MAX_BYTES = 64 * 1024 * 1024;

/** `timeout` closes idle connections; until then they keep no process alive. */
const pool = { keepAlive: true, maxSockets: 16, maxFreeSockets: 4, timeout: 30_000 };
const plain = new http.Agent(pool);
// Whatever NODE_TLS_REJECT_UNAUTHORIZED says: git does not know it.
const secure = new https.Agent({ ...pool, rejectUnauthorized: true });

/** The whole body of an answer 200. Follows no redirect. @param stall ms without a byte. @throws NoAnswer, the signal's reason */
export async function exchange(question: Question, signals: AbortSignal[], stall: number): Promise<Buffer> {
  for (const signal of signals) signal.throwIfAborted();
  const request = open(question);
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(new NoAnswer("repo", `no byte came for ${stall} ms`)), stall);
  const abort = () => stop.abort();
  for (const signal of signals) signal.addEventListener("abort", abort, { once: true });
  stop.signal.addEventListener("abort", () => request.destroy(), { once: true });
  // It may fail once more after it has failed.
  request.on("error", () => {});
  let isHeard = false;
  try {
    request.end(question.body ?? undefined);
    // By the signal too: one that still waits for a connection does not tell that it was destroyed.
    const [answer] = (await once(request, "response", { signal: stop.signal })) as [IncomingMessage];
    isHeard = true;
    checkKind(answer, question);
    return await readAll(answer, () => timer.refresh());
  } catch (error) {
    request.destroy();
    for (const signal of signals) signal.throwIfAborted();
    if (stop.signal.aborted) throw stop.signal.reason;
    throw error instanceof NoAnswer
      ? error
      : new NoAnswer(tellsOf(error, request, isHeard), "it broke", { cause: error });
  } finally {
    clearTimeout(timer);
    for (const signal of signals) signal.removeEventListener("abort", abort);
  }
}

function tellsOf(error: unknown, request: ClientRequest, isHeard: boolean): NoAnswer["of"] {
  if (isHeard) return "repo";
  // The server may close an idle connection at the very moment we use it again.
  const { code } = error as NodeJS.ErrnoException;
  return request.reusedSocket && (code === "ECONNRESET" || code === "EPIPE") ? "nothing" : "host";
}

function open({ url, authorization, body, answer }: Question): ClientRequest {
  const headers: http.OutgoingHttpHeaders = {
    // Some hosts know git's requests by this beginning.
    "user-agent": "git/deliverd",
    "git-protocol": "version=2",
    accept: answer,
    pragma: "no-cache",
  };
  // The bytes that git would send: Node takes each character for one.
  if (authorization !== null) headers.authorization = Buffer.from(authorization, "utf8").toString("latin1");
  if (body !== null) headers["content-length"] = body.length;
  if (body !== null) headers["content-type"] = "application/x-git-upload-pack-request";
  const method = body === null ? "GET" : "POST";
  return url.startsWith("https:")
    ? https.request(url, { agent: secure, method, headers })
    : http.request(url, { agent: plain, method, headers });
}

function checkKind({ statusCode, headers }: IncomingMessage, { answer }: Question): void {
  if (statusCode !== 200) throw new NoAnswer("repo", `the answer was ${statusCode}`);
  if (headers["content-type"] !== answer || (headers["content-encoding"] ?? "identity") !== "identity")
    throw new NoAnswer("repo", "the answer is of another kind");
}

async function readAll(answer: IncomingMessage, onBytes: () => void): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    onBytes();
    size += chunk.length;
    if (size > MAX_BYTES) throw new NoAnswer("repo", `the answer is larger than ${MAX_BYTES} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
