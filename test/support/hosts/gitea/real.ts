import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort, type Server, startServer, tempDir } from "../../processes/process.ts";

const run = promisify(execFile);

/** A Gitea or Forgejo that is no stand-in, and a user who may create organisations there. */
export interface RealGitea {
  url: string;
  token: string;
  version: string;
  /** A call of the API, as its user. @throws Error unless it is answered 2xx */
  call<T>(method: string, path: string, body?: unknown): Promise<T>;
  /** Ends the server if it was started here. */
  stop(): Promise<void>;
}

/**
 * @param where a binary, which is started in a directory of its own, or the URL of a server that may send webhooks to
 *   127.0.0.1; then DELIVERD_TEST_GITEA_TOKEN is a token with all scopes of a user there
 */
export async function openRealGitea(where: string): Promise<RealGitea> {
  if (!/^https?:/.test(where)) return startRealGitea(where);
  const token = process.env.DELIVERD_TEST_GITEA_TOKEN;
  if (token === undefined)
    throw new Error("DELIVERD_TEST_GITEA is a URL: set DELIVERD_TEST_GITEA_TOKEN to a token there");
  return opened(where.replace(/\/+$/, ""), token, async () => {});
}

async function startRealGitea(binary: string): Promise<RealGitea> {
  const dir = await tempDir();
  const stop: (() => Promise<unknown>)[] = [() => dir.remove()];
  const stopAll = async () => {
    for (const each of stop.reverse().splice(0)) await each();
  };
  try {
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const config = join(dir.path, "app.ini");
    await writeFile(config, appIni(dir.path, port, url));
    const env = { PATH: process.env.PATH, HOME: dir.path, USER: user(), GITEA_WORK_DIR: dir.path };
    const gitea = (...args: string[]) => run(binary, ["--config", config, ...args], { env, cwd: dir.path });
    await gitea("migrate");
    const { stdout } = await gitea(
      ...["admin", "user", "create", "--admin", "--username", "ada", "--email", "ada@example.com"],
      ...["--password", "a-password-of-the-test-1", "--must-change-password=false"],
    );
    if (!/successfully created/.test(stdout)) throw new Error(`no user was created:\n${stdout}`);
    const created = await gitea(
      ...["admin", "user", "generate-access-token", "--username", "ada", "--token-name", "test"],
      ...["--scopes", "all", "--raw"],
    );
    const token = created.stdout.trim().split("\n").at(-1) ?? "";
    const ready = async () => {
      const answer = await fetch(`${url}/api/v1/version`);
      if (!answer.ok) throw new Error(`version: ${answer.status}`);
    };
    const server: Server = await startServer(binary, ["--config", config, "web"], ready, { env, cwd: dir.path });
    stop.push(() => server.stop());
    return await opened(url, token, stopAll);
  } catch (error) {
    await stopAll();
    throw error;
  }
}

/** Nothing leaves this machine, and webhooks may come to it. */
function appIni(directory: string, port: number, url: string): string {
  // A build without its files in the binary needs them beside it.
  const files = process.env.DELIVERD_TEST_GITEA_FILES;
  return [
    `RUN_USER = ${user()}`,
    "RUN_MODE = prod",
    `WORK_PATH = ${directory}`,
    "I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true",
    "[server]",
    "HTTP_ADDR = 127.0.0.1",
    `HTTP_PORT = ${port}`,
    `ROOT_URL = ${url}/`,
    ...(files === undefined ? [] : [`STATIC_ROOT_PATH = ${files}`]),
    "DISABLE_SSH = true",
    "OFFLINE_MODE = true",
    "[database]",
    "DB_TYPE = sqlite3",
    `PATH = ${join(directory, "gitea.db")}`,
    "[security]",
    "INSTALL_LOCK = true",
    "SECRET_KEY = a-key-of-the-test",
    "[webhook]",
    "ALLOWED_HOST_LIST = loopback",
    "[session]",
    "PROVIDER = memory",
    "[log]",
    "MODE = console",
    "LEVEL = warn",
    "[cron.update_checker]",
    "ENABLED = false",
    "",
  ].join("\n");
}

function user(): string {
  return process.env.USER ?? "root";
}

async function opened(url: string, token: string, stop: () => Promise<void>): Promise<RealGitea> {
  const call = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const response = await fetch(`${url}/api/v1${path}`, {
      method,
      headers: { authorization: `token ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return (text === "" ? undefined : JSON.parse(text)) as T;
  };
  const { version } = await call<{ version: string }>("GET", "/version");
  return { url, token, version, call, stop };
}
