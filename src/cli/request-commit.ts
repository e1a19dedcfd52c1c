import { reposNamed } from "../delivery/repo-name.ts";
import { ASKED_EVENT, addHints, type NewHint } from "../ledger/hints.ts";
import { findRepo } from "../ledger/repos.ts";
import { Problem } from "../receiver/problem.ts";
import type { Parts } from "./parts.ts";

/** Whether `repos` in the configuration allows a repo. */
export type Accepts = (host: string, owner: string, name: string) => boolean;

/**
 * Adds a hint for a commit that a person wants delivered. If the ledger does not know the repo, asks the hosts for it.
 * @param name `<owner>/<name>` or `<host>/<owner>/<name>`
 * @throws Problem 404 if no host has the repo, 409 if several have one, 422 if `repos` does not allow it
 */
export async function requestCommit(
  { ledger, hosts }: Parts,
  accepts: Accepts,
  name: string,
  sha: string,
): Promise<NewHint[]> {
  const known = await findRepo(ledger, name);
  if (known.length > 1) throw new Problem(409, `Several hosts have a repo ${name}: write <host>/<owner>/<name>.`);
  const repo = known[0] ?? (await findRepoAtHosts(hosts, name));
  if (repo === null) throw new Problem(404, `No configured host shows a repo ${name}.`);
  const { id, host, owner, name: own, defaultBranch } = repo;
  if (!accepts(host, owner, own))
    throw new Problem(422, `${host}/${owner}/${own} is in no entry of repos in the server's configuration.`);
  const hints = [
    { repo: { id, host, owner, name: own, defaultBranch }, event: ASKED_EVENT, deliveryId: "", ref: null, sha },
  ];
  await addHints(ledger, hints);
  return hints;
}

/** Whether `repos` allows this repo at its host, or at any host if the name has none. */
export function isConfigured({ hosts }: Parts, accepts: Accepts, name: string): boolean {
  return reposNamed(name, [...hosts.keys()]).some(({ host, owner, name: repo }) => accepts(host, owner, repo));
}

async function findRepoAtHosts(hosts: Parts["hosts"], name: string): Promise<NewHint["repo"] | null> {
  for (const { host: key, ...asked } of reposNamed(name, [...hosts.keys()])) {
    const found = await hosts.get(key)?.findRepo(asked.owner, asked.name);
    if (!found) continue;
    const { hostId, owner, name: own, defaultBranch } = found;
    return { id: `${key}:${hostId}`, host: key, owner, name: own, defaultBranch };
  }
  return null;
}
