/**
 * One packet of git's protocol (pkt-line, gitprotocol-common(5)): four hex digits give the length of the packet
 * including themselves. Three lengths below four are special packets without data.
 */
export type Packet = Buffer | typeof FLUSH | typeof DELIMITER | typeof RESPONSE_END;
export const FLUSH = 0;
export const DELIMITER = 1;
export const RESPONSE_END = 2;

const HEAD_BYTES = 4;
const MAX_BYTES = 65_520;

/** The bytes are no whole message of packets. */
export class MalformedPackets extends Error {}

/** Writes packets as the bytes of a message. */
export function encodePackets(packets: Packet[]): Buffer {
  return Buffer.concat(packets.flatMap((packet) => (typeof packet === "number" ? [head(packet)] : encoded(packet))));
}

function encoded(data: Buffer): Buffer[] {
  if (data.length > MAX_BYTES - HEAD_BYTES)
    throw new RangeError(`a packet of ${data.length} bytes is too long: at most ${MAX_BYTES - HEAD_BYTES}`);
  return [head(data.length + HEAD_BYTES), data];
}

function head(length: number): Buffer {
  return Buffer.from(length.toString(16).padStart(HEAD_BYTES, "0"));
}

/** Reads the packets of a whole message, which ends with a flush. @throws MalformedPackets during the iteration */
export function* decodePackets(message: Buffer): Generator<Packet> {
  let last: Packet | null = null;
  for (let at = 0; at < message.length; ) {
    const length = lengthAt(message, at);
    last = length <= RESPONSE_END ? (length as Packet) : message.subarray(at + HEAD_BYTES, at + length);
    at += Math.max(length, HEAD_BYTES);
    yield last;
  }
  if (last !== FLUSH) throw new MalformedPackets("the message is cut off or has no flush at its end");
}

function lengthAt(message: Buffer, at: number): number {
  const digits = message.toString("latin1", at, at + HEAD_BYTES);
  const length = /^[0-9a-f]{4}$/i.test(digits) ? Number.parseInt(digits, 16) : Number.NaN;
  const isSpecial = length <= RESPONSE_END;
  if (!isSpecial && !(length >= HEAD_BYTES && length <= MAX_BYTES))
    throw new MalformedPackets(`no valid packet length at byte ${at}`);
  if (at + length > message.length) throw new MalformedPackets("the message is cut off within a packet");
  return length;
}
