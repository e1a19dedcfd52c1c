import { GrpcError, Status } from "./status.ts";

/** Bytes before each message: a flag for compression, and the length of the message. */
const HEAD_BYTES = 5;

/** The limit of gRPC's own implementation for Go, which BuildKit keeps. */
const MAX_MESSAGE_BYTES = 4 * 1024 * 1024;

/** A message as gRPC sends it: not compressed, behind its length. */
export function framed(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + message.length);
  frame.writeUInt8(0, 0);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, HEAD_BYTES);
  return frame;
}

/**
 * Splits what arrives into messages. Each is copied once, however many pieces it comes in.
 * @throws GrpcError if a message is larger than the limit or compressed, or if the last one is cut off
 */
export async function* messagesOf(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes = MAX_MESSAGE_BYTES,
): AsyncGenerator<Buffer> {
  let pieces: Uint8Array[] = [];
  let size = 0;
  /** Bytes that the message and its head need. Null: the head is not complete. */
  let needed: number | null = null;
  for await (const chunk of chunks) {
    pieces.push(chunk);
    size += chunk.length;
    while (size >= (needed ?? HEAD_BYTES)) {
      const whole: Buffer = joined(pieces);
      needed = HEAD_BYTES + lengthOf(whole, maxBytes);
      if (size < needed) {
        pieces = [whole];
        break;
      }
      yield whole.subarray(HEAD_BYTES, needed);
      const rest = whole.subarray(needed);
      pieces = rest.length === 0 ? [] : [rest];
      size = rest.length;
      needed = null;
    }
  }
  if (size > 0) throw new GrpcError(Status.unavailable, "the connection ended within a message");
}

/** One piece is not copied: a large piece may hold many messages. */
function joined(pieces: Uint8Array[]): Buffer {
  const [first] = pieces;
  if (first === undefined || pieces.length > 1) return Buffer.concat(pieces);
  return Buffer.from(first.buffer, first.byteOffset, first.byteLength);
}

function lengthOf(head: Buffer, maxBytes: number): number {
  if (head.readUInt8(0) !== 0) throw new GrpcError(Status.unimplemented, "a compressed message");
  const length = head.readUInt32BE(1);
  if (length > maxBytes)
    throw new GrpcError(Status.resourceExhausted, `a message of ${length} bytes; at most ${maxBytes} are read`);
  return length;
}
