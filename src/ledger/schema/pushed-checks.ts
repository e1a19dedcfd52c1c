import type { RepoId, Sha } from "../../delivery/types.ts";
import type { PushedCheck } from "../../hosts/host-tools.ts";

/** Results of CI that were sent to deliverd: the newest of each check of a commit. */
export interface PushedChecksTable {
  repoId: RepoId;
  sha: Sha;
  name: string;
  state: PushedCheck["state"];
  url: string | null;
  /** When it came to this state, by the clock of CI. */
  at: number;
  receivedAt: number;
}
