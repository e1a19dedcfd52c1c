import { Transform } from "node:stream";
import type { FrozenFile } from "../../../delivery/types.ts";
import type { Run } from "../../../run.ts";
import type { Store } from "../../../store/store.ts";
import type { Source } from "./shelf.ts";

/** A file of the store; the log is told at most once a second how much of it has passed. @param label begins each line */
export function sourceOf(store: Store, { name, digest, size }: FrozenFile, label: string, run: Run): Source {
  let told = run.clock.now();
  const progress = () => {
    let sent = 0;
    return new Transform({
      transform(chunk: Buffer, _encoding, done) {
        sent += chunk.length;
        if (run.clock.now() - told >= 1000) {
          told = run.clock.now();
          run.log.line(`${label}: ${name}, ${megabytes(sent)} of ${megabytes(size)} MB`);
        }
        done(null, chunk);
      },
    });
  };
  return {
    length: size,
    open: (range) => {
      const bytes = store.open(digest, range);
      // A part of it is read to see what it is.
      if (range !== undefined) return bytes;
      const passing = progress();
      bytes.once("error", (error) => passing.destroy(error));
      passing.once("close", () => bytes.destroy());
      return bytes.pipe(passing);
    },
  };
}

function megabytes(bytes: number): string {
  return (bytes / 1_000_000).toFixed(1);
}
