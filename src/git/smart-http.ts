import type { OutgoingHttpHeaders } from "node:http";
import { withSignals } from "../async/with-signals.ts";
import { bodyOf, MAX_LIST_BYTES, readBytes } from "../http/body.ts";
import { type HttpResponse, IdleTimeout, type Send, StaleConnection } from "../http/client.ts";

/** One request of gitprotocol-http(5). */
export interface GitRequest {
  url: string;
  authorization: string | null;
  /** Null: a GET. */
  body: Buffer | null;
  /** The media type that the response must have. */
  type: string;
}

/**
 * There was no whole response of the right type. `affects` says what is not worth trying again for a while: this repo,
 * all repos of the host, or nothing (a stale connection says nothing about either).
 */
export class NoResponse extends Error {
  readonly affects: "repo" | "host" | "nothing";
  constructor(affects: NoResponse["affects"], message: string, options?: ErrorOptions) {
    super(message, options);
    this.affects = affects;
  }
}

/**
 * Sends a request and returns the whole body of a response with status 200. Follows no redirect.
 * @throws NoResponse; a signal's reason
 */
export async function exchange(send: Send, request: GitRequest, signals: AbortSignal[]): Promise<Buffer> {
  return withSignals(signals, async (signal) => {
    const { url, body, type } = request;
    let response: HttpResponse | undefined;
    try {
      response = await send({
        method: body === null ? "GET" : "POST",
        url: new URL(url),
        headers: headersOf(request),
        body: body === null ? undefined : bodyOf(body),
        signal,
      });
      checkResponse(response, type);
      return await readBytes(response, MAX_LIST_BYTES);
    } catch (error) {
      response?.stream.destroy();
      signal.throwIfAborted();
      throw error instanceof NoResponse
        ? error
        : new NoResponse(affected(error, response), "it broke", { cause: error });
    }
  });
}

function affected(error: unknown, response: HttpResponse | undefined): NoResponse["affects"] {
  if (error instanceof StaleConnection) return "nothing";
  return response !== undefined || error instanceof IdleTimeout ? "repo" : "host";
}

function headersOf({ authorization, body, type }: GitRequest): OutgoingHttpHeaders {
  return {
    // Some hosts recognise requests of git by this prefix.
    "User-Agent": "git/deliverd",
    "Git-Protocol": "version=2",
    Accept: type,
    Pragma: "no-cache",
    // Node sends each character as one byte, and git sends UTF-8.
    ...(authorization !== null && { Authorization: Buffer.from(authorization, "utf8").toString("latin1") }),
    ...(body !== null && { "Content-Type": "application/x-git-upload-pack-request" }),
  };
}

function checkResponse({ status, headers }: HttpResponse, type: string): void {
  if (status !== 200) throw new NoResponse("repo", `the response has status ${status}`);
  if (headers["content-type"] !== type || (headers["content-encoding"] ?? "identity") !== "identity")
    throw new NoResponse("repo", "the response has another type");
}
