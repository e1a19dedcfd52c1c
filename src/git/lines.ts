import type { Readable } from "node:stream";
import { decodePath } from "./path-bytes.ts";

/** The lines of a text, without the empty one after the last. */
export function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/**
 * What stands between separators, as it comes; bytes that are no UTF-8 as `decodePath` writes them. A stream that breaks
 * throws; what was not ended by a separator is left out.
 */
export async function* splitStream(stream: Readable, separator: "\n" | "\0"): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + (chunk as Buffer).toString("latin1")).split(separator);
    rest = parts.pop() ?? "";
    for (const part of parts) yield decodePath(Buffer.from(part, "latin1"));
  }
}
