import { reasonWithoutAnswer } from "../http/no-answer.ts";
import { EXIT, Failure } from "./exit.ts";

export interface ClientOptions {
  server: string;
  token: string | null;
  /** For the message if the server refuses the token, or if there is none. */
  tokenSource: string;
}

/** What the server says of an error: problem details (RFC 9457). */
interface ProblemDetails {
  detail?: string;
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
    response = await fetch(`${options.server}${path}`, { redirect: "manual", ...init, headers });
  } catch (error) {
    throw new Failure(
      EXIT.failed,
      `${options.server} does not answer: ${reasonWithoutAnswer(error)}. Name the server with --server or DELIVERD_SERVER.`,
    );
  }
  if (response.ok || expected.includes(response.status)) return response;
  throw await refusal(options, response);
}

export async function requestJson<T>(options: ClientOptions, path: string, init?: RequestInit): Promise<T> {
  const response = await request(options, path, init);
  try {
    return (await response.json()) as T;
  } catch (error) {
    if (!(error instanceof SyntaxError))
      throw new Failure(EXIT.failed, `${options.server}: ${reasonWithoutAnswer(error)}`);
    throw new Failure(EXIT.failed, `${options.server} does not answer in JSON. ${NOT_DELIVERD}`);
  }
}

const NOT_DELIVERD = "Check that --server or DELIVERD_SERVER is the address of deliverd.";

async function refusal({ server, tokenSource }: ClientOptions, response: Response): Promise<Failure> {
  const { status } = response;
  const location = response.headers.get("location");
  // A redirect could lead the token to another server.
  if (status >= 300 && status < 400)
    return new Failure(EXIT.failed, `${server} redirects to ${location ?? "another address"}: give that to --server.`);
  const problem = (await response.json().catch(() => null)) as ProblemDetails | null;
  if (problem?.detail === undefined)
    return new Failure(EXIT.failed, `${server} answers ${status} without a reason. ${NOT_DELIVERD}`);
  const { detail } = problem;
  switch (status) {
    case 401:
      return new Failure(EXIT.usage, `${detail}\n${tokenSource} Set DELIVERD_TOKEN.`);
    case 404:
      return new Failure(EXIT.notFound, detail);
    case 400:
      return new Failure(EXIT.usage, detail);
    default:
      return new Failure(EXIT.failed, detail);
  }
}
