import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { reasonWithoutAnswer } from "../http/no-answer.ts";
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

/** @throws Failure if it is no address to which a request can go */
function requireAddress(server: string): void {
  const url = URL.canParse(server) ? new URL(server) : null;
  if (url !== null && /^https?:$/.test(url.protocol) && !url.username && !url.search && !url.hash) return;
  throw new Failure(
    EXIT.usage,
    `The address of the server is ${JSON.stringify(server)}: expected a URL such as https://deliverd.example.com. ` +
      "It comes from --server, DELIVERD_SERVER or DELIVERD_PUBLIC_URL.",
  );
}

function notDeliverd({ server }: ClientOptions): Failure {
  return new Failure(
    EXIT.failed,
    `${server} answers, but not as deliverd does. Is something else at that address? ` +
      "Name the server with --server or DELIVERD_SERVER.",
  );
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
  requireAddress(options.server);
  const headers = new Headers(init.headers);
  if (options.token !== null) headers.set("authorization", `Bearer ${options.token}`);
  let response: Response;
  try {
    response = await fetch(`${options.server}${path}`, { redirect: "error", ...init, headers });
  } catch (error) {
    const because = reasonWithoutAnswer(error);
    throw new Failure(
      EXIT.failed,
      `${options.server} does not answer: ${because}. Name the server with --server or DELIVERD_SERVER.`,
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
  const response = await request(options, path, init);
  try {
    return (await response.json()) as T;
  } catch {
    throw notDeliverd(options);
  }
}
