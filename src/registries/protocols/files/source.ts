import type { FrozenFile } from "../../../delivery/types.ts";
import type { Run } from "../../../run/run.ts";
import type { Store } from "../../../store/store.ts";
import { progressOf } from "../progress.ts";
import type { Source } from "./shelf.ts";

/** A file of the store; the log is told at most once a second how much of it has passed. @param label begins each line */
export function sourceOf(store: Store, { name, digest, size }: FrozenFile, label: string, run: Run): Source {
  const progress = progressOf(`${label}: ${name},`, size, run);
  return {
    length: size,
    open: (range) => {
      const bytes = store.open(digest, range);
      // A part of it is read to see what it is.
      return range === undefined ? progress(bytes) : bytes;
    },
  };
}
