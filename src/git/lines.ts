import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

/** The lines of a text, without the empty one after the last. */
export function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** What stands between separators, as it comes. A stream that breaks throws; what was not ended by a separator is left out. */
export async function* partsOf(stream: Readable, separator: "\n" | "\0"): AsyncGenerator<string> {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  for await (const chunk of stream) {
    const parts = (rest + decoder.write(chunk)).split(separator);
    rest = parts.pop() ?? "";
    yield* parts;
  }
}
