import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";

export interface ConnectionLimits {
  /** Connections at a time. */
  maxConnections: number;
  /** Bytes of answers that clients have not taken yet, in all; 24 MB if left out. */
  maxUnreadBytes?: number;
  /** ms within which a client takes something of an answer that waits for it; 30 s if left out. */
  stallTimeoutMs?: number;
}

/**
 * Requests of one connection that may be unanswered at a time, or come in one turn of the event loop. Node parses a whole
 * read of 64 kB, up to 2,000 requests, before it looks whether anybody takes the answers, and before any other connection
 * has its turn. Nearly no client sends a second request before the first is answered.
 */
const MAX_PIPELINED = 8;
const LOOK_EVERY = 1_000;
/** Requests of a flood do not each cause a look of their own (ms). */
const LOOK_AT_MOST_EVERY = 100;

interface Connection {
  socket: Socket;
  /** Those that are not out yet, in the order of their requests. */
  answers: ServerResponse[];
  /** It sent more requests than may wait: it is closed after the answers that are due. */
  isCrowded: boolean;
  /** The turn of the event loop in which its last request came, and how many came in it. */
  turn: number;
  burst: number;
  /** Bytes that the client had taken at the last look, and when that last changed. */
  taken: number;
  takenAt: number;
}

/**
 * Holds a server to so many connections and so many bytes that nobody takes.
 *
 * One connection too many ends the oldest of those on which the client is silent or slow: `maxConnections` turns away
 * whoever comes last instead, so that a thousand silent connections would keep everybody out.
 */
export function limitConnections(server: Server, limits: ConnectionLimits): void {
  const { maxConnections, maxUnreadBytes = 24 * 1024 * 1024, stallTimeoutMs = 30_000 } = limits;
  /** In the order in which they came or were last answered. */
  const open = new Map<Socket, Connection>();
  const turn = turnsOfEventLoop();
  let lookedAt = 0;

  const end = ({ socket }: Connection): void => {
    open.delete(socket);
    socket.destroy();
  };
  const look = (): void => {
    lookedAt = performance.now();
    endUntaken([...open.values()], { maxUnreadBytes, stallTimeoutMs, now: lookedAt }, end);
  };
  const timer = setInterval(look, LOOK_EVERY).unref();
  server.once("close", () => clearInterval(timer));

  server.on("connection", (socket: Socket) => {
    if (open.size >= maxConnections) {
      const victim = longestWaitedFor(open);
      if (victim === undefined) {
        socket.destroy();
        return;
      }
      end(victim);
    }
    const connection = newConnection(socket);
    open.set(socket, connection);
    socket.once("close", () => open.delete(socket));
    refuseRequests(socket, (request) => isRefused(connection, request, turn()));
  });
  const answering = (request: IncomingMessage, response: ServerResponse): void => {
    const connection = open.get(request.socket);
    if (connection === undefined) return;
    const { socket, answers } = connection;
    answers.push(response);
    if (performance.now() - lookedAt > LOOK_AT_MOST_EVERY) look();
    response.once("close", () => {
      answers.splice(answers.indexOf(response), 1);
      if (answers.length > 0 || !open.delete(socket)) return;
      if (connection.isCrowded) socket.destroySoon();
      open.set(socket, connection);
    });
  };
  server.on("request", answering);
  // Node answers these by itself, and would not count them.
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
    answering(request, response);
    response.writeHead(417).end();
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    const connection = open.get(socket);
    if (!connection?.isCrowded) refuse(error, socket, connection);
    else if (connection.answers.length > 0) socket.pause();
    else socket.destroySoon();
  });
}

/** Ends those who take nothing, and, where too much waits, those first who have taken nothing for the longest time. */
function endUntaken(
  connections: Connection[],
  { maxUnreadBytes, stallTimeoutMs, now }: { maxUnreadBytes: number; stallTimeoutMs: number; now: number },
  end: (connection: Connection) => void,
): void {
  const waiting: { connection: Connection; bytes: number }[] = [];
  let total = 0;
  for (const connection of connections) {
    const bytes = waitingFor(connection);
    const taken = connection.socket.bytesWritten - connection.socket.writableLength;
    if (bytes === 0 || taken !== connection.taken) connection.takenAt = now;
    connection.taken = taken;
    if (bytes === 0) continue;
    if (now - connection.takenAt > stallTimeoutMs) end(connection);
    else {
      waiting.push({ connection, bytes });
      total += bytes;
    }
  }
  if (total <= maxUnreadBytes) return;
  for (const { connection, bytes } of waiting.sort((a, b) => a.connection.takenAt - b.connection.takenAt)) {
    end(connection);
    total -= bytes;
    if (total <= maxUnreadBytes) return;
  }
}

function waitingFor({ socket, answers }: Connection): number {
  // The first answer counts what the socket holds.
  return answers.length === 0 ? socket.writableLength : answers.reduce((sum, each) => sum + each.writableLength, 0);
}

/** A client that is silent, sends slowly, or does not take an answer that is ready. */
function longestWaitedFor(open: Map<Socket, Connection>): Connection | undefined {
  for (const connection of open.values()) {
    const [answer] = connection.answers;
    if (answer === undefined || !answer.req.complete || answer.writableEnded) return connection;
  }
  return undefined;
}

function newConnection(socket: Socket): Connection {
  return { socket, answers: [], isCrowded: false, turn: 0, burst: 0, taken: 0, takenAt: performance.now() };
}

function isRefused(connection: Connection, request: IncomingMessage, turn: number): boolean {
  connection.burst = connection.turn === turn ? connection.burst + 1 : 1;
  connection.turn = turn;
  connection.isCrowded ||= connection.answers.length >= MAX_PIPELINED || connection.burst > MAX_PIPELINED;
  // Node's own answer to a request without a host is one that nobody counts.
  return connection.isCrowded || (request.httpVersion === "1.1" && request.headers.host === undefined);
}

/** The number of the turn that runs now; it costs nothing while nobody asks. */
function turnsOfEventLoop(): () => number {
  let turn = 1;
  let isRunning = false;
  return () => {
    if (!isRunning) {
      isRunning = true;
      setImmediate(() => {
        turn += 1;
        isRunning = false;
      });
    }
    return turn;
  };
}

interface Parser {
  onIncoming(request: IncomingMessage, keepAlive: boolean): number;
}

/** Ends the parsing of what a connection sends at the first request that is refused: nothing else of Node's can. */
function refuseRequests(socket: Socket, refused: (request: IncomingMessage) => boolean): void {
  const { parser } = socket as Socket & { parser?: Parser | null };
  if (!parser) throw new Error("this version of Node.js shows no parser of its connections");
  const take = parser.onIncoming;
  parser.onIncoming = (request, keepAlive) => (refused(request) ? -1 : take(request, keepAlive));
}

const STATUS_OF: Record<string, number> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** What Node does where nobody listens: an answer, unless one has begun, and the end. */
function refuse(error: NodeJS.ErrnoException, socket: Socket, connection: Connection | undefined): void {
  if (socket.writable && !connection?.answers.some((each) => each.headersSent)) {
    const status = STATUS_OF[error.code ?? ""] ?? 400;
    socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`);
  }
  socket.destroy();
}
