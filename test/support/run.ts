import { tmpdir } from "node:os";
import { systemClock } from "../../src/run/clock.ts";
import type { Run } from "../../src/run/run.ts";

/** A run whose log is kept as text. */
export function testRun(signal: AbortSignal = new AbortController().signal): Run & { text(): string } {
  let text = "";
  const write = (more: string) => {
    text += more;
  };
  const log = { write, line: (line: string) => write(`${line}\n`) };
  return { log, signal, tmp: tmpdir(), clock: systemClock, text: () => text };
}
