import type { Readable } from "node:stream";
import { decodePath } from "./path-bytes.ts";

/** The lines of a text, without empty ones. */
export function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/**
 * The parts of a stream that a separator ends, one by one. Bytes that are not UTF-8 are written as by `decodePath`.
 * Text after the last separator is left out. @throws if the stream breaks
 */
export async function* splitStream(stream: Readable, separator: "\n" | "\0"): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + (chunk as Buffer).toString("latin1")).split(separator);
    rest = parts.pop() ?? "";
    for (const part of parts) yield decodePath(Buffer.from(part, "latin1"));
  }
}
