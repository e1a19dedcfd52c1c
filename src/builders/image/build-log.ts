import type { RunLog } from "../../run/run.ts";
import type { Trace, Vertex } from "../buildkit/trace.ts";
import type { BuildFailure } from "../engine/build-failure.ts";
import { exitCodeIn } from "../engine/failure-patterns.ts";
import type { EngineMessage } from "../engine/messages.ts";
import { StepOutput } from "../engine/step-output.ts";

/**
 * Writes the engine's messages as readable lines, and notes how the build ended. Its memory does not grow with the
 * output.
 */
export class BuildLog {
  imageId: string | null = null;
  readonly #log: RunLog;
  readonly #steps = new Map<string, StepOutput>();
  /** Steps that were named. BuildKit starts one several times, as when it first looks for a base and then fetches it. */
  readonly #named = new Set<string>();
  /** The classic builder runs one step at a time. Its lines do not name their step. */
  #classic = new StepOutput("");
  /** The step whose lines were written last. */
  #current: string | null = null;
  #failing: { name: string; tail: string[]; error: string } | null = null;
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

  /** What BuildKit says of the step that failed. Null: none did. */
  get stepError(): string | null {
    return this.#failing?.error ?? null;
  }

  /** Ends the log. Null: the engine reported no error. */
  end(): BuildFailure | null {
    this.#classic.end((line) => this.#hearClassic(line));
    if (this.#error === null) return null;
    const { message, code } = this.#error;
    const { name, tail } = this.#failing ?? { name: this.#classic.name, tail: this.#classic.tail };
    return { message, step: instructionOf(name), exitCode: code || exitCodeIn(message), tail };
  }

  #hearTrace({ vertexes, logs }: Trace): void {
    for (const vertex of vertexes) if (!vertex.completed) this.#hearVertex(vertex);
    for (const { vertex, msg } of logs) {
      const step = this.#steps.get(vertex);
      step?.add(msg, (line) => this.#write(vertex, step, line));
    }
    // The last lines of a step come in the same message as its end.
    for (const vertex of vertexes) if (vertex.completed) this.#hearVertex(vertex);
  }

  #hearVertex(vertex: Vertex): void {
    const { digest, name } = vertex;
    let step = this.#steps.get(digest);
    if (!step && vertex.started) {
      step = new StepOutput(name);
      this.#steps.set(digest, step);
      if (isShown(name) && !this.#named.has(digest)) {
        this.#named.add(digest);
        this.#log.line(vertex.cached ? `${name} (cached)` : name);
        this.#current = digest;
      }
    }
    if (!vertex.completed || !step) return;
    const done = step;
    done.end((line) => this.#write(digest, done, line));
    // When one step fails, parallel steps are cancelled. The first failure counts.
    if (vertex.error && !/context canceled$/.test(vertex.error))
      this.#failing ??= { name, tail: done.tail, error: vertex.error };
    this.#steps.delete(digest);
  }

  #write(vertex: string, step: StepOutput, line: string): boolean {
    if (this.#current !== vertex) this.#log.line(`${step.name} (goes on)`);
    this.#current = vertex;
    this.#log.line(line);
    return true;
  }

  #hearClassic(line: string): boolean {
    this.#log.line(line);
    // The second form is buildah's.
    const name = /^(?:Step \d+\/\d+ : |(?:\[\d+\/\d+\] )?STEP \d+\/\d+: )(.*)$/.exec(line)?.[1];
    if (name !== undefined) this.#classic.restart(name);
    return name === undefined && !/^ ---> |^Removing intermediate container |^Successfully (built|tagged) /.test(line);
  }
}

/** Whether a step is of interest to a reader: not BuildKit's internal ones. */
function isShown(name: string): boolean {
  return !/^\[.*internal\]|^copy \/context |^resolve image config /.test(name);
}

/** `[build 2/3] RUN make` → `RUN make`. */
function instructionOf(name: string): string | null {
  return name.replace(/^\[[^\]]*\] /, "").trim() || null;
}
