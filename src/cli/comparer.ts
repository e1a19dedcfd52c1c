import { setMaxListeners } from "node:events";
import { join } from "node:path";
import type { ApiOptions } from "../api/options.ts";
import { compareCommits } from "../git/compare.ts";
import { mirrorPath } from "../git/mirrors.ts";

/** What a comparison of two releases shows. */
const MAX_COMPARED = { maxCommits: 250, maxFiles: 300 };

/** Compares commits in the mirrors of `dataDir`, which only a worker writes. */
export function openComparer(dataDir: string): { compareCommits: ApiOptions["compareCommits"]; close(): void } {
  const closing = new AbortController();
  setMaxListeners(0, closing.signal);
  return {
    compareCommits: (repoId, from, to) =>
      compareCommits(
        mirrorPath(join(dataDir, "mirrors"), repoId),
        { from, to },
        { ...MAX_COMPARED, signal: closing.signal },
      ),
    close: () => closing.abort(new Error("the server is closing")),
  };
}
