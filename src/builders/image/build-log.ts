import { StringDecoder } from "node:string_decoder";
import type { RunLog } from "../../run.ts";
import type { EngineMessage, Trace, Vertex } from "../engine/messages.ts";

/** How a build ended that the engine itself gave up. */
export interface Failure {
  /** The engine's words. */
  message: string;
  /** The instruction, as in `RUN make`; null where the engine does not tell. */
  step: string | null;
  exitCode: number | null;
  /** The last lines that the step printed. */
  tail: string[];
}

const tailLines = 20;
const longestLine = 4_000;
const longestTailLine = 500;

/** Writes what the engine says as readable lines, and remembers how it ended. Its memory does not grow with the output. */
export class BuildLog {
  imageId: string | null = null;
  readonly #log: RunLog;
  readonly #steps = new Map<string, Step>();
  /** The classic builder runs one step after the other; its lines do not say whose they are. */
  #classic = new Step("");
  /** Whose lines were written last. */
  #current: string | null = null;
  #failing: { name: string; tail: string[] } | null = null;
  #error: { message: string; code: number | null } | null = null;

  constructor(log: RunLog) {
    this.#log = log;
  }

  hear(message: EngineMessage): void {
    if (message.trace) this.#hearTrace(message.trace);
    if (message.stream !== undefined) this.#classic.add(Buffer.from(message.stream), (line) => this.#hearClassic(line));
    if (message.imageId !== undefined) this.imageId = message.imageId;
    const error = message.errorDetail?.message ?? message.error;
    if (error !== undefined) this.#error = { message: error, code: message.errorDetail?.code ?? null };
  }

  /** Null where the engine reported no error. */
  end(): Failure | null {
    this.#classic.end((line) => this.#hearClassic(line));
    if (this.#error === null) return null;
    const { message, code } = this.#error;
    const { name, tail } = this.#failing ?? { name: this.#classic.name, tail: this.#classic.tail };
    const exitCode = code ?? Number(/exit code: (\d+)/.exec(message)?.[1] ?? Number.NaN);
    return {
      message,
      step: instructionOf(name),
      exitCode: Number.isInteger(exitCode) && exitCode > 0 ? exitCode : null,
      tail,
    };
  }

  #hearTrace({ vertexes, logs }: Trace): void {
    for (const vertex of vertexes) if (!vertex.completed) this.#hearVertex(vertex);
    for (const { vertex, msg } of logs) {
      const step = this.#steps.get(vertex);
      step?.add(msg, (line) => this.#write(vertex, step, line));
    }
    // Last words come in the same message as the end.
    for (const vertex of vertexes) if (vertex.completed) this.#hearVertex(vertex);
  }

  #hearVertex(vertex: Vertex): void {
    const { digest, name } = vertex;
    let step = this.#steps.get(digest);
    if (!step && vertex.started) {
      step = new Step(name);
      this.#steps.set(digest, step);
      if (isShown(name)) {
        this.#log.line(vertex.cached ? `${name} (cached)` : name);
        this.#current = digest;
      }
    }
    if (!vertex.completed || !step) return;
    const done = step;
    done.end((line) => this.#write(digest, done, line));
    // When one step fails, those beside it are cancelled: the first one counts.
    if (vertex.error && !/context canceled$/.test(vertex.error)) this.#failing ??= { name, tail: done.tail };
    this.#steps.delete(digest);
  }

  #write(vertex: string, step: Step, line: string): boolean {
    if (this.#current !== vertex) this.#log.line(`${step.name} (goes on)`);
    this.#current = vertex;
    this.#log.line(line);
    return true;
  }

  #hearClassic(line: string): boolean {
    this.#log.line(line);
    const name = /^Step \d+\/\d+ : (.*)$/.exec(line)?.[1];
    if (name !== undefined) this.#classic.restart(name);
    return name === undefined && !/^ ---> |^Removing intermediate container |^Successfully (built|tagged) /.test(line);
  }
}

/** Writes a line; false: it is the builder's own, no part of what the step printed. */
type Tell = (line: string) => boolean;

/** A step's output: cut into lines, the last of them kept. */
class Step {
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

/** What BuildKit does for itself tells a reader nothing. */
function isShown(name: string): boolean {
  return !/^\[.*internal\]|^copy \/context |^resolve image config /.test(name);
}

/** `[build 2/3] RUN make` → `RUN make`. */
function instructionOf(name: string): string | null {
  return name.replace(/^\[[^\]]*\] /, "").trim() || null;
}
