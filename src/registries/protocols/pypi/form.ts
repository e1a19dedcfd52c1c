import { randomUUID } from "node:crypto";
import { Readable } from "node:stream";
import type { Body } from "../../../http/body.ts";

/**
 * A streamed multipart form (RFC 7578) with at most one file, at its end. Node's FormData would change the line ends in
 * a description.
 */
export function formOf(
  fields: [string, string][],
  file: { name: string; body: Body } | null,
): { body: Body; contentType: string } {
  const boundary = `deliverd-${randomUUID()}`;
  const begin = (about: string) => `--${boundary}\r\nContent-Disposition: form-data; ${about}`;
  const texts = fields.map(([name, value]) => `${begin(`name="${name}"`)}\r\n\r\n${value}\r\n`).join("");
  const heading =
    file &&
    `${begin(`name="content"; filename="${encodeName(file.name)}"`)}\r\nContent-Type: application/octet-stream\r\n\r\n`;
  const before = Buffer.from(texts + (heading ?? ""));
  const after = Buffer.from(`${file ? "\r\n" : ""}--${boundary}--\r\n`);
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    body: {
      length: before.length + (file?.body.length ?? 0) + after.length,
      open: () => Readable.from(parts(before, file?.body ?? null, after), { objectMode: false }),
    },
  };
}

async function* parts(before: Buffer, body: Body | null, after: Buffer) {
  yield before;
  if (body) yield* body.open();
  yield after;
}

function encodeName(name: string): string {
  return name.replace(/["\r\n]/g, (character) => encodeURIComponent(character));
}
