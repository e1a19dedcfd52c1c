import { type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";

export interface ConnectionLimits {
  /** Open connections at a time. */
  maxConnections: number;
  /** Bytes of all responses together that clients have not read yet; 24 MB if left out. */
  maxUnreadBytes?: number;
  /** A client must read some of its response within this time; 30 s if left out. */
  stallTimeoutMs?: number;
}

/**
 * Requests of one connection that may be unanswered at a time, or arrive in one turn of the event loop. Node parses up
 * to 64 kB (2,000 requests) before it checks whether the client reads the responses, and before any other connection
 * gets a turn. Nearly no client sends a second request before the first is answered.
 */
const MAX_PIPELINED = 8;
/**
 * Turns of the event loop between a connection over the limit and the choice of the one to close. In one turn, Node may
 * accept connections between the requests of others, and Express answers an error only two turns after its request.
 */
const TURNS_BEFORE_CLOSING = 4;
/** A connection is read in the turn after it was accepted, which may come before or after the next is accepted. */
const TURNS_BEFORE_READ = 2;
const CHECK_INTERVAL_MS = 1_000;
/** Each request may cause a check, but a flood of requests not more than one in this time. */
const MIN_CHECK_INTERVAL_MS = 100;

interface Connection {
  socket: Socket;
  /** False while the event loop has not had time to read from it, so nobody knows yet whether its client is silent. */
  isRead: boolean;
  /** Responses that are not sent completely, in the order of their requests. */
  answers: ServerResponse[];
  /** It sent more requests than may wait. It is closed after the responses to the accepted ones. */
  isOverLimit: boolean;
  /** The turn of the event loop in which its last request arrived, and how many arrived in that turn. */
  turn: number;
  burst: number;
  /** Bytes that the client had read at the last check, and when this number last changed. */
  taken: number;
  takenAt: number;
}

/**
 * Limits a server's connections, and the memory of responses that clients do not read.
 *
 * If there are too many connections, the oldest one whose client is silent or slow is closed, or the newest if all
 * wait for a response. Node's own `maxConnections` would refuse the newest at once, so a thousand silent connections
 * could keep everybody out. For a few turns of the event loop, there may be up to twice as many.
 */
export function limitConnections(server: Server, limits: ConnectionLimits): void {
  const { maxConnections, maxUnreadBytes = 24 * 1024 * 1024, stallTimeoutMs = 30_000 } = limits;
  /** In the order in which they were opened or last answered. */
  const open = new Map<Socket, Connection>();
  const turn = turnsOfEventLoop();
  let checkedAt = 0;
  let isOver = false;

  const end = ({ socket }: Connection): void => {
    open.delete(socket);
    socket.destroy();
  };
  const check = (): void => {
    checkedAt = performance.now();
    endStalled([...open.values()], { maxUnreadBytes, stallTimeoutMs, now: checkedAt }, end);
  };
  const timer = setInterval(check, CHECK_INTERVAL_MS).unref();
  server.once("close", () => clearInterval(timer));

  const makeRoom = (): void => {
    isOver = false;
    for (let over = open.size - maxConnections; over > 0; over--) {
      const victim = oldestSilent(open) ?? [...open.values()].at(-1);
      if (victim !== undefined) end(victim);
    }
  };

  server.on("connection", (socket: Socket) => {
    const connection = newConnection(socket);
    open.set(socket, connection);
    afterTurns(TURNS_BEFORE_READ, () => {
      connection.isRead = true;
    });
    if (open.size > 2 * maxConnections) makeRoom();
    else if (open.size > maxConnections && !isOver) {
      isOver = true;
      afterTurns(TURNS_BEFORE_CLOSING, makeRoom);
    }
    socket.once("close", () => open.delete(socket));
    refuseRequests(socket, (request) => isRefused(connection, request, turn()));
  });
  const answering = (request: IncomingMessage, response: ServerResponse): void => {
    const connection = open.get(request.socket);
    if (connection === undefined) return;
    const { socket, answers } = connection;
    answers.push(response);
    if (performance.now() - checkedAt > MIN_CHECK_INTERVAL_MS) check();
    response.once("close", () => {
      answers.splice(answers.indexOf(response), 1);
      if (answers.length > 0 || !open.delete(socket)) return;
      if (connection.isOverLimit) socket.destroySoon();
      open.set(socket, connection);
    });
  };
  server.on("request", answering);
  // Without this listener Node would answer such requests itself, and they would not be counted.
  server.on("checkExpectation", (request: IncomingMessage, response: ServerResponse) => {
    answering(request, response);
    response.writeHead(417).end();
  });
  server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
    const connection = open.get(socket);
    if (!connection?.isOverLimit) refuse(error, socket, connection);
    else if (connection.answers.length > 0) socket.pause();
    else socket.destroySoon();
  });
}

/**
 * Closes connections whose client reads nothing. If too many bytes are unread, it also closes others, beginning with
 * the one that has read nothing for the longest time.
 */
function endStalled(
  connections: Connection[],
  { maxUnreadBytes, stallTimeoutMs, now }: { maxUnreadBytes: number; stallTimeoutMs: number; now: number },
  end: (connection: Connection) => void,
): void {
  const waiting: { connection: Connection; bytes: number }[] = [];
  let total = 0;
  for (const connection of connections) {
    const bytes = unreadBytes(connection);
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

function unreadBytes({ socket, answers }: Connection): number {
  // The first response's writableLength includes the socket's.
  return answers.length === 0 ? socket.writableLength : answers.reduce((sum, each) => sum + each.writableLength, 0);
}

/**
 * The oldest connection whose client is silent, sends slowly, or does not read a response that is ready. One that was
 * not read yet comes last.
 */
function oldestSilent(open: Map<Socket, Connection>): Connection | undefined {
  let unread: Connection | undefined;
  for (const connection of open.values()) {
    const [answer] = connection.answers;
    if (answer?.req.complete && !answer.writableEnded) continue;
    if (connection.isRead) return connection;
    unread ??= connection;
  }
  return unread;
}

function newConnection(socket: Socket): Connection {
  return {
    socket,
    isRead: false,
    answers: [],
    isOverLimit: false,
    turn: 0,
    burst: 0,
    taken: 0,
    takenAt: performance.now(),
  };
}

function isRefused(connection: Connection, request: IncomingMessage, turn: number): boolean {
  connection.burst = connection.turn === turn ? connection.burst + 1 : 1;
  connection.turn = turn;
  connection.isOverLimit ||= connection.answers.length >= MAX_PIPELINED || connection.burst > MAX_PIPELINED;
  // Refuse requests without a Host header here: Node would answer them itself, and they would not be counted.
  return connection.isOverLimit || (request.httpVersion === "1.1" && request.headers.host === undefined);
}

function afterTurns(turns: number, action: () => void): void {
  setImmediate(() => (turns > 1 ? afterTurns(turns - 1, action) : action()));
}

/** Counts turns of the event loop. It costs nothing while nobody asks for the number. */
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

/** Stops parsing a connection's input at the first refused request. Node has no public interface for that. */
function refuseRequests(socket: Socket, refused: (request: IncomingMessage) => boolean): void {
  const { parser } = socket as Socket & { parser?: Parser | null };
  if (!parser) throw new Error("this version of Node.js does not expose the parser of a connection: use Node.js 20");
  const take = parser.onIncoming;
  parser.onIncoming = (request, keepAlive) => (refused(request) ? -1 : take(request, keepAlive));
}

const STATUS_OF: Record<string, number> = {
  HPE_HEADER_OVERFLOW: 431,
  HPE_CHUNK_EXTENSIONS_OVERFLOW: 413,
  ERR_HTTP_REQUEST_TIMEOUT: 408,
};

/** Does what Node does without a listener: answers, unless a response has begun, and closes the connection. */
function refuse(error: NodeJS.ErrnoException, socket: Socket, connection: Connection | undefined): void {
  if (socket.writable && !connection?.answers.some((each) => each.headersSent)) {
    const status = STATUS_OF[error.code ?? ""] ?? 400;
    socket.write(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`);
  }
  socket.destroy();
}
