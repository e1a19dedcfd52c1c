import { pipeline, type Readable, Transform } from "node:stream";
import type { Run } from "../../run/run.ts";

/** Passes streams on, and logs their progress at most once a second. @param what the start of each line */
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
    // If one of the two ends early, the other is ended too. Otherwise an open file would stay open.
    return pipeline(bytes, passing, () => {});
  };
}

export function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}
