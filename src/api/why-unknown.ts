import { shortRef } from "../delivery/refs.ts";
import { parseRepoPath } from "../delivery/repo-name.ts";
import type { RepoId, Sha } from "../delivery/types.ts";
import { headsOf } from "../ledger/heads.ts";
import { hintsOf } from "../ledger/hints.ts";
import type { Ledger } from "../ledger/ledger.ts";

/** Why the ledger has no repo of this name. @param isConfigured whether an entry of `repos` allows it, at some host */
export function whyNoRepo(name: string, isConfigured: boolean): string {
  if (parseRepoPath(name) === null)
    return `${name} is not the name of a repo: write <owner>/<name> or <host>/<owner>/<name>`;
  return isConfigured
    ? `no webhook named the repo ${name}, and its host does not list it: ` +
        "check that its webhook points here, and that the host's token may read it"
    : `${name} is in no entry of repos in the server's configuration, so its webhooks are ignored`;
}

/** Why a commit of a known repo has neither a delivery nor a decision. */
export async function whyNoCommit(ledger: Ledger, repoId: RepoId, sha: Sha): Promise<string> {
  const [head] = await headsOf(ledger, repoId, sha);
  const hints = await hintsOf(ledger, repoId, sha, head === undefined ? [] : [head.ref]);
  if (hints.some((hint) => hint.doneAt === null)) return "a webhook named it, and it is not evaluated yet";
  if (head === undefined)
    return (
      "nothing is on record: no webhook named this commit, " +
      "and no watched ref has reached it since deliverd first read the repo"
    );
  return (
    `${shortRef(head.ref)} pointed to it when deliverd first read the repo (${new Date(head.seenAt).toISOString()}), ` +
    "and commits of before are not delivered. POST /api/v1/deliveries requests it all the same"
  );
}
