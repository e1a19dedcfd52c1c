import { isUtf8 } from "node:buffer";

/*
 * git's names are bytes, nearly always UTF-8. As in Python's PEP 383, each byte that is not UTF-8 becomes a lone
 * surrogate (U+DC80 to U+DCFF). UTF-8 text never contains one, so two names stay different and the bytes can be
 * restored.
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
  // Every second piece is an escaped byte.
  return Buffer.concat(
    pieces.map((piece, index) => (index % 2 === 0 ? Buffer.from(piece) : Buffer.of(piece.charCodeAt(0) - ESCAPE))),
  );
}
