import { Refused } from "../delivery/errors.ts";
import type { CloneSource } from "../hosts/host.ts";
import { QuickRefs } from "./quick-refs.ts";
import { listRemoteRefs } from "./sync.ts";

/** ms. */
const TIME_LIMIT = 60_000;

/**
 * Creates a function that asks a git server for the branch of its HEAD. Null: it shows no such repo.
 * @throws (the function) TransientError, Refused
 */
export function createHeadReader(
  timeLimit = TIME_LIMIT,
): (source: CloneSource) => Promise<{ defaultBranch: string | null } | null> {
  const quickRefs = new QuickRefs();
  return async (source) => {
    try {
      const { defaultBranch } = await listRemoteRefs(source, { signals: [], timeLimit, quickRefs });
      return { defaultBranch };
    } catch (error) {
      // A server that asks for a login answers the same for what does not exist.
      if (error instanceof Refused && error.code === "git-access-denied") return null;
      throw error;
    }
  };
}
