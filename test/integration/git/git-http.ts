import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { tempDir } from "../../support/process.ts";

const run = promisify(execFile);

export interface GitHttp {
  /** `http://127.0.0.1:<port>`. */
  url: string;
  /** The requests it had, as `<method> <path>`. */
  requests: string[];
  /** Answers a request by itself when it returns true; may also wait before it returns false. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;
  /** Makes a bare repository `<name>.git`, and a work tree to commit in. */
  repo(name: string): Promise<WorkTree>;
  stop(): Promise<void>;
}

export interface WorkTree {
  path: string;
  url: string;
  bare: string;
  git(...args: string[]): Promise<string>;
  /** Writes the files, commits and pushes them; returns the sha. */
  commit(files: Record<string, string | Buffer>, message?: string): Promise<string>;
}

const AUTHOR = {
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.com",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.com",
};
const ENV = { PATH: process.env.PATH, HOME: "/dev/null", GIT_CONFIG_NOSYSTEM: "1", ...AUTHOR };

/** A smart HTTP server over git's own http-backend. */
export async function startGitHttp(): Promise<GitHttp> {
  const home = await tempDir();
  const root = join(home.path, "srv");
  await mkdir(root);
  const requests: string[] = [];
  const http = createServer(async (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    if (!(await server.intercept(request, response))) backend(root, request, response);
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  const address = http.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const url = `http://127.0.0.1:${address.port}`;
  const server: GitHttp = {
    url,
    requests,
    intercept: () => false,
    repo: (name) => makeRepo(home.path, root, url, name),
    async stop() {
      http.closeAllConnections();
      http.close();
      await once(http, "close");
      await home.remove();
    },
  };
  return server;
}

async function makeRepo(home: string, root: string, url: string, name: string): Promise<WorkTree> {
  const bare = join(root, `${name}.git`);
  const path = join(home, "work", name);
  const git = async (...args: string[]) =>
    (await run("git", ["-C", path, ...args], { env: ENV, maxBuffer: 2 ** 28 })).stdout.trim();
  await run("git", ["init", "-q", "--bare", "-b", "main", bare], { env: ENV });
  await mkdir(path, { recursive: true });
  await run("git", ["init", "-q", "-b", "main", path], { env: ENV });
  await git("remote", "add", "origin", bare);
  return {
    path,
    bare,
    url: `${url}/${name}.git`,
    git,
    async commit(files, message = "A change") {
      for (const [file, content] of Object.entries(files)) {
        await mkdir(dirname(join(path, file)), { recursive: true });
        await writeFile(join(path, file), content);
      }
      await git("add", "--all");
      await git("commit", "-q", "--allow-empty", "-m", message);
      await git("push", "-q", "--force", "origin", "HEAD");
      return git("rev-parse", "HEAD");
    },
  };
}

/** RFC 3875, as far as git-http-backend(1) asks for it. */
function backend(root: string, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url ?? "/", "http://x");
  const env = {
    ...ENV,
    GIT_PROJECT_ROOT: root,
    GIT_HTTP_EXPORT_ALL: "1",
    PATH_INFO: decodeURIComponent(url.pathname),
    QUERY_STRING: url.search.slice(1),
    REQUEST_METHOD: request.method,
    CONTENT_TYPE: request.headers["content-type"] ?? "",
    HTTP_CONTENT_ENCODING: request.headers["content-encoding"] ?? "",
    GIT_PROTOCOL: String(request.headers["git-protocol"] ?? ""),
  };
  const child = spawn("git", ["http-backend"], { env, stdio: ["pipe", "pipe", "ignore"] });
  request.pipe(child.stdin);
  child.stdin.on("error", () => {});
  response.once("close", () => child.kill());
  let head: Buffer | null = Buffer.alloc(0);
  child.stdout.on("data", (chunk: Buffer) => {
    if (head === null) return response.write(chunk);
    head = Buffer.concat([head, chunk]);
    const end = head.indexOf("\r\n\r\n");
    if (end < 0) return;
    for (const line of head.subarray(0, end).toString().split("\r\n")) {
      const [name = "", value = ""] = line.split(/: (.*)/s);
      if (name === "Status") response.statusCode = Number(value.slice(0, 3));
      else response.setHeader(name, value);
    }
    response.write(head.subarray(end + 4));
    head = null;
  });
  child.stdout.on("end", () => response.end());
}
