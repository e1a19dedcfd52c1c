import { StringDecoder } from "node:string_decoder";

const tailLines = 20;
const longestLine = 4_000;
const longestTailLine = 500;

/** Writes a line; false: it is the builder's own, no part of what the step printed. */
type Tell = (line: string) => boolean;

/** A step's output: cut into lines, the last of them kept. */
export class StepOutput {
  name: string;
  tail: string[] = [];
  readonly #decoder = new StringDecoder("utf8");
  #open = "";

  constructor(name: string) {
    this.name = name;
  }

  add(bytes: Uint8Array, tell: Tell): void {
    const lines = (this.#open + this.#decoder.write(Buffer.from(bytes))).split("\n");
    this.#open = lines.pop() ?? "";
    for (const line of lines) this.#take(line, tell);
    // A program that never ends its line must not fill the memory.
    if (this.#open.length > longestLine) {
      this.#take(this.#open, tell);
      this.#open = "";
    }
  }

  end(tell: Tell): void {
    if (this.#open) this.#take(this.#open, tell);
    this.#open = "";
  }

  restart(name: string): void {
    this.name = name;
    this.tail = [];
  }

  #take(raw: string, tell: Tell): void {
    // Of a progress bar that overwrites itself, what was seen last.
    const line = raw.replace(/\r+$/, "");
    const seen = line.slice(line.lastIndexOf("\r") + 1);
    for (let at = 0; at === 0 || at < seen.length; at += longestLine) {
      const piece = seen.slice(at, at + longestLine);
      if (tell(piece)) this.tail.push(piece.slice(0, longestTailLine));
      if (this.tail.length > tailLines) this.tail.shift();
    }
  }
}
