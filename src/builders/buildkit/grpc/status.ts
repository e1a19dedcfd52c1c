/** Codes of https://github.com/grpc/grpc/blob/master/doc/statuscodes.md that are used here. */
export const Status = {
  ok: 0,
  cancelled: 1,
  unknown: 2,
  notFound: 5,
  permissionDenied: 7,
  resourceExhausted: 8,
  unimplemented: 12,
  internal: 13,
  unavailable: 14,
  unauthenticated: 16,
} as const;

/** How a call ended, other than well. */
export class GrpcError extends Error {
  readonly code: number;
  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "GrpcError";
    this.code = code;
  }
}

/** The status as headers or trailers. The message is percent-encoded, as gRPC writes it. */
export function statusHeaders(code: number, message = ""): Record<string, string> {
  return { "grpc-status": String(code), ...(message === "" ? {} : { "grpc-message": encodeURIComponent(message) }) };
}

/** The status in headers or trailers. Null: they have none. */
export function readStatus(headers: NodeJS.Dict<string | string[]>): { code: number; message: string } | null {
  const code = headers["grpc-status"];
  if (code === undefined) return null;
  return { code: Number(code), message: decoded(String(headers["grpc-message"] ?? "")) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
