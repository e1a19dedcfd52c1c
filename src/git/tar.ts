import { PassThrough, type Readable, Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { decodePath, encodePath } from "./path-bytes.ts";

const BLOCK = 512;

/**
 * Passes on only the wanted entries of a tar from git, with `base` (`""` or `folder/`) removed from their names. Names
 * are bytes and stay unchanged; a library would write them as UTF-8. The output breaks if the input breaks.
 */
export function filterTar(archive: Readable, base: string, wanted: Set<string>): Readable {
  const out = new PassThrough();
  // It destroys both streams with the error, so the reader gets it.
  pipeline(archive, (chunks: AsyncIterable<Buffer>) => chosen(new Input(chunks), base, wanted), out).catch(() => {});
  return out;
}

/** The records of a pax header: https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_03 */
type Records = Map<string, Buffer>;

async function* chosen(input: Input, base: string, wanted: Set<string>): AsyncGenerator<Buffer> {
  let records: Records = new Map();
  for (let header = await input.take(BLOCK); header.some((byte) => byte !== 0); header = await input.take(BLOCK)) {
    const size = Number(records.get("size")?.toString() ?? Number.parseInt(field(header, 124, 12).toString(), 8));
    const padded = Math.ceil(size / BLOCK) * BLOCK;
    const type = String.fromCharCode(header[156] ?? 0);
    if (type === "x" || type === "g") {
      const bytes = await input.take(padded);
      if (type === "x") records = readRecords(bytes.subarray(0, size));
      continue;
    }
    const name = decodePath(nameOf(header, records));
    const path = name.replace(/\/$/, "");
    const isWanted = path.startsWith(base) && wanted.has(path);
    if (isWanted) yield renamed(header, records, encodePath(name.slice(base.length)));
    for await (const bytes of input.pass(padded)) if (isWanted) yield bytes;
    records = new Map();
  }
  yield Buffer.alloc(2 * BLOCK);
}

function nameOf(header: Buffer, records: Records): Buffer {
  const long = records.get("path");
  if (long !== undefined) return long;
  const [prefix, name] = [field(header, 345, 155), field(header, 0, 100)];
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from("/"), name]);
}

/** The header with another name. A pax header comes before it if the name or other values do not fit. */
function renamed(header: Buffer, records: Records, name: Buffer): Buffer {
  const own = Buffer.from(header).fill(0, 345, 500).fill(0, 0, 100);
  name.copy(own, 0, 0, 100);
  const others = new Map([...records].filter(([key]) => key !== "path"));
  if (name.length > 100) others.set("path", name);
  if (others.size === 0) return sealed(own);
  const bytes = Buffer.concat([...others].map(([key, value]) => recordOf(key, value)));
  const extended = Buffer.from(own).fill(0, 157, 257).fill(0, 0, 100);
  extended.write("pax_header", 0);
  extended.write(`${bytes.length.toString(8).padStart(11, "0")}\0`, 124);
  extended.write("x", 156);
  const padding = Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK);
  return Buffer.concat([sealed(extended), bytes, padding, sealed(own)]);
}

/** Writes the header's checksum. For it, the eight bytes of the checksum itself count as spaces. */
function sealed(header: Buffer): Buffer {
  header.fill(" ", 148, 156);
  const sum = header.reduce((before, byte) => before + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}

function readRecords(bytes: Buffer): Records {
  const records: Records = new Map();
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(" ", at);
    const end = at + Number(bytes.toString("latin1", at, space));
    const equals = bytes.indexOf("=", space);
    if (!(end > equals && equals > space && space > at))
      throw new Error("an extended header of the tar cannot be read");
    records.set(bytes.toString("utf8", space + 1, equals), bytes.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}

/** `<length> <key>=<value>\n`. The length includes its own digits. */
function recordOf(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from("\n")]);
  let length = rest.length;
  while (length !== rest.length + String(length).length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function field(header: Buffer, start: number, length: number): Buffer {
  const bytes = header.subarray(start, start + length);
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** Reads a given number of bytes at a time from a stream. */
class Input {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async take(size: number): Promise<Buffer> {
    const bytes: Buffer[] = [];
    for await (const each of this.pass(size)) bytes.push(each);
    return Buffer.concat(bytes);
  }

  async *pass(size: number): AsyncGenerator<Buffer> {
    for (let left = size; left > 0; ) {
      if (this.#rest.length === 0) {
        const next = await this.#chunks.next();
        if (next.done === true) throw new Error("the tar ends in the middle");
        this.#rest = next.value;
      }
      const bytes = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(bytes.length);
      left -= bytes.length;
      yield bytes;
    }
  }
}

/** Passes bytes on, and breaks if there are more than `max`. */
export function limitBytes(max: number, tooMany: () => Error): Transform {
  let passed = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      passed += chunk.length;
      if (passed > max) done(tooMany());
      else done(null, chunk);
    },
  });
}
