import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { EXIT, Failure } from "./exit.ts";

export interface ClientOptions {
  server: string;
  token: string | null;
}

/**
 * The server from `--server` or DELIVERD_SERVER, and the token from DELIVERD_TOKEN or, on the server's machine, from
 * its admin-token file.
 */
export async function clientOptions(server: string | undefined, env: NodeJS.ProcessEnv): Promise<ClientOptions> {
  const url = server ?? env.DELIVERD_SERVER ?? env.DELIVERD_PUBLIC_URL ?? `http://127.0.0.1:${env.PORT ?? 8080}`;
  const fromFile = async () =>
    env.DELIVERD_DATA_DIR
      ? (await readFile(join(env.DELIVERD_DATA_DIR, "admin-token"), "utf8").catch(() => "")).trim()
      : "";
  const token = env.DELIVERD_TOKEN ?? env.DELIVERD_ADMIN_TOKEN ?? (await fromFile());
  return { server: url.replace(/\/+$/, ""), token: token === "" ? null : token };
}

/**
 * Sends a request to the server.
 * @param expected statuses to return besides success
 * @throws Failure with the server's message for any other status
 */
export async function request(
  options: ClientOptions,
  path: string,
  init: RequestInit = {},
  expected: number[] = [],
): Promise<Response> {
  const headers = new Headers(init.headers);
  if (options.token !== null) headers.set("authorization", `Bearer ${options.token}`);
  let response: Response;
  try {
    response = await fetch(`${options.server}${path}`, { redirect: "error", ...init, headers });
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
    throw new Failure(
      EXIT.failed,
      `${options.server} does not answer: ${cause}. Name the server with --server or DELIVERD_SERVER.`,
    );
  }
  if (response.ok || expected.includes(response.status)) return response;
  const problem = (await response.json().catch(() => ({}))) as { detail?: string };
  const detail = problem.detail ?? `the server answered ${response.status}`;
  if (response.status === 401) throw new Failure(EXIT.usage, `${detail} Set DELIVERD_TOKEN.`);
  throw new Failure(
    response.status === 404 ? EXIT.notFound : response.status === 400 ? EXIT.usage : EXIT.failed,
    detail,
  );
}

export async function requestJson<T>(options: ClientOptions, path: string, init?: RequestInit): Promise<T> {
  return (await (await request(options, path, init)).json()) as T;
}
