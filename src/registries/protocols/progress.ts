import { pipeline, type Readable, Transform } from "node:stream";
import type { Run } from "../../run/run.ts";

/** Lets streams of one content pass, and tells the log how much of it has, at most once a second. @param what begins each line */
export function progressOf(what: string, size: number, run: Run): (bytes: Readable) => Readable {
  let told = run.clock.now();
  return (bytes) => {
    let sent = 0;
    const passing = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        sent += chunk.length;
        if (run.clock.now() - told >= 1000) {
          told = run.clock.now();
          run.log.line(`${what} ${megabytes(sent)} of ${megabytes(size)} MB`);
        }
        done(null, chunk);
      },
    });
    // Whichever of the two ends early, by an error or by whoever has seen enough, ends the other: an open file stays open else.
    return pipeline(bytes, passing, () => {});
  };
}

export function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}
