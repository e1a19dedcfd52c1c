import { pipeline } from "node:stream/promises";
import { crc32, createGzip, deflateRawSync } from "node:zlib";
import tar from "tar-stream";

/** A gzipped tar of these files, in their order. A number is that many bytes of zeros, which are never held together. */
export async function tgzOf(files: Record<string, string | Buffer | number>): Promise<Buffer> {
  const pack = tar.pack();
  const gzip = pack.pipe(createGzip());
  const packing = async () => {
    for (const [name, content] of Object.entries(files)) {
      if (typeof content !== "number") pack.entry({ name }, content);
      else await pipeline(zeros(content), pack.entry({ name, size: content }));
    }
    pack.finalize();
  };
  const chunks: Buffer[] = [];
  const collecting = async () => {
    for await (const chunk of gzip) chunks.push(chunk);
  };
  await Promise.all([packing(), collecting()]);
  return Buffer.concat(chunks);
}

function* zeros(size: number): Generator<Buffer> {
  const chunk = Buffer.alloc(2 ** 16);
  for (let left = size; left > 0; left -= chunk.length) yield chunk.subarray(0, Math.min(left, chunk.length));
}

/**
 * A zip of these files (APPNOTE 6.3: local headers, central directory, its end).
 * @param claimed sizes that its headers tell instead of the true ones
 */
export function zipOf(files: Record<string, string | Buffer>, claimed: Record<string, number> = {}): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const [name, content] of Object.entries(files)) {
    const bytes = Buffer.from(content);
    const packed = deflateRawSync(bytes);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(0x0800, 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc32(bytes), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(claimed[name] ?? bytes.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const rest = Buffer.alloc(14);
    rest.writeUInt32LE(offset, 10);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), common, Buffer.from(name), packed]);
    central.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00"), common, rest, Buffer.from(name)]));
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", 0, "latin1");
  end.writeUInt16LE(central.length, 8);
  end.writeUInt16LE(central.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}
