/**
 * The framing of git's protocol, gitprotocol-common(5): four hex digits that count themselves and what follows them.
 * Three of the lengths that are less than that are signs.
 */
export type Packet = Buffer | typeof FLUSH | typeof DELIMITER | typeof RESPONSE_END;
export const FLUSH = 0;
export const DELIMITER = 1;
export const RESPONSE_END = 2;

const HEAD = 4;
const MAX = 65_520;

export class Unframed extends Error {}

export function frame(packets: Packet[]): Buffer {
  return Buffer.concat(packets.flatMap((packet) => (typeof packet === "number" ? [head(packet)] : framed(packet))));
}

function framed(data: Buffer): Buffer[] {
  if (data.length > MAX - HEAD) throw new RangeError(`a packet of ${data.length} bytes, where ${MAX - HEAD} fit`);
  return [head(data.length + HEAD), data];
}

function head(length: number): Buffer {
  return Buffer.from(length.toString(16).padStart(HEAD, "0"));
}

/** The packets of a whole message, which ends with a flush. @throws Unframed, when it comes to where it is none */
export function* unframe(message: Buffer): Generator<Packet> {
  let last: Packet | null = null;
  for (let at = 0; at < message.length; ) {
    const length = lengthAt(message, at);
    last = length <= RESPONSE_END ? (length as Packet) : message.subarray(at + HEAD, at + length);
    at += Math.max(length, HEAD);
    yield last;
  }
  if (last !== FLUSH) throw new Unframed("the message is cut, or has no end");
}

function lengthAt(message: Buffer, at: number): number {
  const digits = message.toString("latin1", at, at + HEAD);
  const length = /^[0-9a-f]{4}$/i.test(digits) ? Number.parseInt(digits, 16) : Number.NaN;
  const isSign = length <= RESPONSE_END;
  if (!isSign && !(length >= HEAD && length <= MAX)) throw new Unframed(`no length of a packet at byte ${at}`);
  if (at + length > message.length) throw new Unframed("the message is cut in a packet");
  return length;
}
