import { createHeadReader } from "../git/remote-head.ts";
import type { HostTools } from "../hosts/host-tools.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { pushedChecksOf } from "../ledger/pushed-checks.ts";

/**
 * @param ledger null for commands that never ask for the state of CI
 * @param learn of the mask of what this process prints
 */
export function hostTools(ledger: Ledger | null, learn: HostTools["learn"]): HostTools {
  return {
    learn,
    readHead: createHeadReader(),
    pushedChecks: async (repo, sha) => {
      if (ledger === null) throw new Error("this command has no ledger, and asks no host for the state of CI");
      return pushedChecksOf(ledger, repo, sha);
    },
  };
}
