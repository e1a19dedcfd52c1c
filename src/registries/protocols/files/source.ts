import type { FrozenFile } from "../../../delivery/types.ts";
import type { Run } from "../../../run/run.ts";
import type { Store } from "../../../store/store.ts";
import { progressOf } from "../progress.ts";
import type { Source } from "./shelf.ts";

/** A file in the store. Its progress is logged at most once a second. @param label the start of each line */
export function sourceOf(store: Store, { name, digest, size }: FrozenFile, label: string, run: Run): Source {
  const progress = progressOf(`${label}: ${name},`, size, run);
  return {
    length: size,
    open: (range) => {
      const bytes = store.open(digest, range);
      // Reading a part is no upload.
      return range === undefined ? progress(bytes) : bytes;
    },
  };
}
