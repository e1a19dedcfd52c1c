import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { join } from "node:path";
import { createGunzip } from "node:zlib";
import { gitEnvironment } from "./git.ts";

export interface Credentials {
  username: string;
  password: string;
}

/** Where a repo stands on disk, or why this caller is not shown it. `moved` sends on to `<owner>/<name>`. */
export type Lookup = { directory: string } | { refuse: 401 | 404 } | { moved: string };

export interface GitServerOptions {
  /** Left out: every repo is open. */
  lookup?: (owner: string, name: string, credentials: Credentials | null) => Lookup;
  /** Whether a token may come as `Bearer` too: its credentials have no user name then. */
  takesBearer?: boolean;
  /** Whether it speaks the first version of the protocol alone, as servers before git 2.18 do. */
  isOld?: boolean;
}

export interface GitRequest {
  /** `<owner>/<name>` as it was asked for; empty for any other path. */
  repo: string;
  kind: "refs" | "fetch";
  /** 0 until it is answered. */
  status: number;
  /** Whether it came with credentials, never which. */
  credentials: boolean;
  /** The caller's: requests of one connection have the same. */
  port: number | undefined;
}

export interface GitServer {
  /** Clones come from `<cloneUrl>/<owner>/<name>.git`. */
  cloneUrl: string;
  /** The bare repos stand at `<root>/<owner>/<name>.git`. */
  root: string;
  /** A fetch is a request that asks for objects; a `git ls-remote` is `refs` only. */
  requests: GitRequest[];
  /** Fetches that were answered 200, of one repo or of all. */
  fetches(repo?: { owner: string; name: string }): number;
  close(): Promise<void>;
}

/** Smart HTTP on 127.0.0.1 by git's own CGI program. It serves fetches only: a push is answered 403. */
export async function startGitServer(root: string, options: GitServerOptions = {}): Promise<GitServer> {
  const lookup = options.lookup ?? ((owner, name) => ({ directory: join(root, owner, `${name}.git`) }));
  const requests: GitRequest[] = [];
  const running = new Set<ChildProcessWithoutNullStreams>();
  const server = createServer((request, response) => {
    const credentials = credentialsOf(request.headers.authorization, options.takesBearer ?? false);
    const port = request.socket.remotePort;
    const entry: GitRequest = { repo: "", kind: "refs", status: 0, credentials: credentials !== null, port };
    requests.push(entry);
    if (options.isOld) delete request.headers["git-protocol"];
    answer({ request, response, entry, running }, lookup, credentials);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the git server has no port");
  return {
    cloneUrl: `http://127.0.0.1:${address.port}`,
    root,
    requests,
    fetches: (repo) =>
      requests.filter(
        (one) => one.kind === "fetch" && one.status === 200 && (!repo || one.repo === `${repo.owner}/${repo.name}`),
      ).length,
    async close() {
      const gone = [once(server, "close"), ...[...running].map((child) => once(child, "exit"))];
      server.close();
      server.closeAllConnections();
      for (const child of running) end(child);
      await Promise.all(gone);
    },
  };
}

interface Exchange {
  request: IncomingMessage;
  response: ServerResponse;
  entry: GitRequest;
  running: Set<ChildProcessWithoutNullStreams>;
}

type Find = NonNullable<GitServerOptions["lookup"]>;

// Names as hosts allow them, so that no path leads out of the root. GitLab has groups within groups, Bitbucket `~user`.
const pathPattern =
  /^\/((?:~?[A-Za-z0-9][\w.-]*\/)*~?[A-Za-z0-9][\w.-]*)\/([A-Za-z0-9_][\w.-]*?)\.git\/(info\/refs|git-upload-pack|git-receive-pack)$/;

function answer(exchange: Exchange, lookup: Find, credentials: Credentials | null): void {
  const { request, response, entry } = exchange;
  const url = new URL(request.url ?? "/", "http://127.0.0.1");
  const [, owner, name, service] = pathPattern.exec(url.pathname) ?? [];
  if (owner === undefined || name === undefined || service === undefined) {
    refuse(exchange, 404, "Not Found");
    return;
  }
  entry.repo = `${owner}/${name}`;
  const found = lookup(owner, name, credentials);
  const isRefs = request.method === "GET" && `${service}${url.search}` === "info/refs?service=git-upload-pack";
  const isPack = request.method === "POST" && service === "git-upload-pack";
  if ("refuse" in found) {
    refuse(exchange, found.refuse, found.refuse === 401 ? "Authentication required" : "Repository not found.");
  } else if ("moved" in found) {
    response.setHeader("location", `/${found.moved}.git/${service}${url.search}`);
    refuse(exchange, 301, "Moved Permanently");
  } else if (!isRefs && !isPack) {
    refuse(exchange, 403, "This server is for smart fetches only");
  } else {
    runBackend(exchange, { directory: found.directory, service, query: url.search.slice(1) });
  }
}

function refuse({ request, response, entry }: Exchange, status: number, text: string): void {
  entry.status = status;
  request.resume();
  if (status === 401) response.setHeader("www-authenticate", 'Basic realm="GitHub"');
  response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(`${text}\n`);
}

function credentialsOf(header: string | undefined, takesBearer: boolean): Credentials | null {
  const [, token] = /^bearer (\S+)$/i.exec(header ?? "") ?? [];
  if (token !== undefined) return takesBearer ? { username: "", password: token } : null;
  const [, encoded] = /^basic ([A-Za-z0-9+/=]+)$/i.exec(header ?? "") ?? [];
  if (encoded === undefined) return null;
  const [username = "", ...password] = Buffer.from(encoded, "base64").toString().split(":");
  return { username, password: password.join(":") };
}

/** One CGI run (RFC 3875), streaming both ways. */
function runBackend(exchange: Exchange, target: { directory: string; service: string; query: string }): void {
  const { request, response, entry, running } = exchange;
  const child = spawn("git", ["http-backend"], {
    // A group of its own: git starts further processes, which outlive one that is killed.
    detached: true,
    env: {
      ...gitEnvironment,
      GIT_PROJECT_ROOT: target.directory,
      GIT_HTTP_EXPORT_ALL: "1",
      GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
      PATH_INFO: `/${target.service}`,
      QUERY_STRING: target.query,
      REQUEST_METHOD: request.method,
      CONTENT_TYPE: request.headers["content-type"] ?? "",
    },
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  child.once("error", (error) => response.destroy(error));
  child.stderr.resume();
  response.once("close", () => end(child));
  // The body is unpacked here, not by git, because its first line tells a fetch from a listing of refs.
  const body = request.headers["content-encoding"] === "gzip" ? request.pipe(createGunzip()) : request;
  body.once("error", (error) => response.destroy(error));
  body.once("data", (chunk: Buffer) => {
    if (/^[0-9a-f]{4}(command=fetch|want )/.test(chunk.subarray(0, 30).toString("latin1"))) entry.kind = "fetch";
  });
  // A backend that has seen enough may close its end first.
  child.stdin.once("error", () => {});
  body.pipe(child.stdin);
  answerFrom(child, response, entry);
}

/** Nobody reads its output any more: left open, it would be waited for by whoever waits for the end of the process's streams. */
function end(child: ChildProcessWithoutNullStreams): void {
  for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  process.kill(-child.pid, "SIGKILL");
}

/** The head of a CGI answer becomes status and headers, the rest streams on. */
function answerFrom(child: ChildProcessWithoutNullStreams, response: ServerResponse, entry: GitRequest): void {
  let head = Buffer.alloc(0);
  const onData = (chunk: Buffer) => {
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    child.stdout.off("data", onData);
    entry.status = 200;
    for (const line of head.subarray(0, end).toString("latin1").split("\r\n")) {
      const [name = "", ...value] = line.split(": ");
      if (name.toLowerCase() === "status") entry.status = Number.parseInt(value.join(": "), 10);
      else response.setHeader(name, value.join(": "));
    }
    response.writeHead(entry.status);
    response.write(head.subarray(end + 4));
    child.stdout.pipe(response);
  };
  child.stdout.on("data", onData);
  child.stdout.once("end", () => {
    if (!response.headersSent && !response.destroyed) response.writeHead(500).end("git http-backend gave no answer\n");
  });
}
