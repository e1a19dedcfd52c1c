import { shortRef } from "../delivery/refs.ts";
import type { RepoId, Sha } from "../delivery/types.ts";
import { headsOf } from "../ledger/heads.ts";
import { hintsOf } from "../ledger/hints.ts";
import type { Ledger } from "../ledger/ledger.ts";

/** Why nothing is known of a repo by this name. @param isWanted whether an entry of `repos` lets it in, at some host */
export function whyNoRepo(name: string, isWanted: boolean): string {
  if (!/^(?:[^/\s]+\/)?[^/\s]+\/[^/\s]+$/.test(name))
    return `${name} is not the name of a repo: write <owner>/<name> or <host>/<owner>/<name>`;
  return isWanted
    ? `no webhook ever named the repo ${name}, and no list of its host: check that its webhook points here, and that the host's token sees it`
    : `${name} is in no entry of repos in the server's configuration, so its webhooks are ignored`;
}

/** Why a commit of a known repo has neither a delivery nor a decision. */
export async function whyNoCommit(ledger: Ledger, repoId: RepoId, sha: Sha): Promise<string> {
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(sha))
    return `${sha} is not a commit id: all its 40 digits are needed, or 64`;
  const [head] = await headsOf(ledger, repoId, sha);
  const hints = await hintsOf(ledger, repoId, sha, head === undefined ? [] : [head.ref]);
  if (hints.some((hint) => hint.doneAt === null)) return "a webhook named it, and it has not been looked at yet";
  if (head === undefined)
    return "nothing on record: no webhook named this commit, and no watched ref was seen to reach it since the repo was first looked at";
  return (
    `${shortRef(head.ref)} stood there when the repo was first looked at (${new Date(head.seenAt).toISOString()}): nothing old is delivered. ` +
    "POST /api/v1/deliveries asks for it all the same"
  );
}
