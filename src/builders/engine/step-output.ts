import { StringDecoder } from "node:string_decoder";

const MAX_TAIL_LINES = 20;
/** Characters. */
const MAX_LINE_LENGTH = 4_000;
const MAX_TAIL_LINE_LENGTH = 500;

/** Writes a line. False: the line is the builder's own, not the step's output. */
type WriteLine = (line: string) => boolean;

/** The output of a build step: it is split into lines, and the last lines are kept. */
export class StepOutput {
  name: string;
  tail: string[] = [];
  readonly #decoder = new StringDecoder("utf8");
  #open = "";

  constructor(name: string) {
    this.name = name;
  }

  add(bytes: Uint8Array, write: WriteLine): void {
    const lines = (this.#open + this.#decoder.write(Buffer.from(bytes))).split("\n");
    this.#open = lines.pop() ?? "";
    for (const line of lines) this.#take(line, write);
    // A program that never ends a line must not fill the memory.
    if (this.#open.length > MAX_LINE_LENGTH) {
      this.#take(this.#open, write);
      this.#open = "";
    }
  }

  end(write: WriteLine): void {
    if (this.#open) this.#take(this.#open, write);
    this.#open = "";
  }

  restart(name: string): void {
    this.name = name;
    this.tail = [];
  }

  #take(raw: string, write: WriteLine): void {
    // Of a progress bar that overwrites itself, only the last state is written.
    const line = raw.replace(/\r+$/, "");
    const seen = line.slice(line.lastIndexOf("\r") + 1);
    for (let at = 0; at === 0 || at < seen.length; at += MAX_LINE_LENGTH) {
      const piece = seen.slice(at, at + MAX_LINE_LENGTH);
      if (write(piece)) this.tail.push(piece.slice(0, MAX_TAIL_LINE_LENGTH));
      if (this.tail.length > MAX_TAIL_LINES) this.tail.shift();
    }
  }
}
