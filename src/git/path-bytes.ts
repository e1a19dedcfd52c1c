import { isUtf8 } from "node:buffer";

/*
 * git's names are bytes, and nearly always UTF-8. Each other byte is a lone surrogate in our text (U+DC80 to U+DCFF), as in
 * Python's PEP 383: no text that is UTF-8 holds one, so two names are never one, and the bytes can be had back.
 */
const ESCAPE = 0xdc00;

export function decodePath(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find((each) => at + each <= bytes.length && isUtf8(bytes.subarray(at, at + each)));
    text +=
      length === undefined ? String.fromCharCode(ESCAPE + (bytes[at] ?? 0)) : bytes.toString("utf8", at, at + length);
    at += length ?? 1;
  }
  return text;
}

export function encodePath(text: string): Buffer {
  const pieces = text.split(/([\uDC80-\uDCFF])/u);
  // Every second piece is what the split went by.
  return Buffer.concat(
    pieces.map((piece, index) => (index % 2 === 0 ? Buffer.from(piece) : Buffer.of(piece.charCodeAt(0) - ESCAPE))),
  );
}
