import { BoundedCache } from "../../src/async/bounded-cache.ts";
import { Refused, TransientError } from "../../src/delivery/errors.ts";
import type { Host, HostRepo } from "../../src/hosts/host.ts";
import { bearerOfName, type SeenRepo, saveRepos, setDefaultBranch } from "../../src/ledger/repos.ts";
import type { Station } from "../station.ts";
import { hostOf } from "./host-of.ts";

const KEPT = 10_000;
/** How long a host's answer holds that a name is a repo's (ms): as long as refs that were read. */
const CONFIRMED_FOR = 5_000;

export function openIdentities(): BoundedCache<string> {
  return new BoundedCache(KEPT, CONFIRMED_FOR);
}

/**
 * Asks the host whether the repo's name is still its own. A name can pass to another repo: after a delete and a new
 * repo, or a rename and a new repo; and an old webhook brings an old name back. The host is asked at most once in a few
 * seconds for each repo, by a conditional request, which does not count where the answer is the same.
 * @returns the repo as its host shows it now
 * @throws Refused `repo-replaced`, TransientError `repo-not-shown`, and as Host.findRepo does
 */
export async function confirmIdentity(
  station: Pick<Station, "ledger" | "identities" | "hosts">,
  repo: SeenRepo,
): Promise<SeenRepo> {
  const { ledger, identities } = station;
  const name = `${repo.owner}/${repo.name}`;
  const bearer = await bearerOfName(ledger, repo);
  // Where another repo has been seen under the name since, one of the two is out of date.
  const isOwn = bearer?.id === repo.id;
  // What the host showed is in the ledger; what the caller read may be older.
  if (isOwn && identities.get(repo.id) === name)
    return { ...repo, defaultBranch: bearer.defaultBranch ?? repo.defaultBranch };
  const named = { ...repo, defaultBranch: repo.defaultBranch ?? "main" };
  const found = await findAsIs(hostOf(station, named), repo);
  if (found === null)
    throw new TransientError(
      "repo-not-shown",
      `${repo.host} shows no repo ${name}: it was deleted, or deliverd's token or App may not see it any more. ` +
        "deliverd does nothing for it until the host shows it again.",
    );
  if (`${repo.host}:${found.hostId}` !== repo.id)
    throw new Refused(
      "repo-replaced",
      `${name} is another repo on ${repo.host} now: the next webhook of the earlier repo gives its new name`,
    );
  const seen = {
    ...{ id: repo.id, host: repo.host, owner: found.owner, name: found.name },
    defaultBranch: found.defaultBranch ?? repo.defaultBranch,
  };
  const isRenamed = seen.owner !== repo.owner || seen.name !== repo.name;
  if (isRenamed || !isOwn) await ledger.transaction((tx) => saveRepos(tx, [seen]));
  else if (seen.defaultBranch !== null && seen.defaultBranch !== repo.defaultBranch)
    await setDefaultBranch(ledger, repo.id, seen.defaultBranch);
  identities.set(repo.id, `${seen.owner}/${seen.name}`);
  return seen;
}

/** By its name and, where that is no longer its own and the host can, by its id: not every host redirects old names. */
async function findAsIs(host: Host, repo: SeenRepo): Promise<HostRepo | null> {
  const named = await host.findRepo(repo.owner, repo.name);
  const isOwn = named !== null && `${repo.host}:${named.hostId}` === repo.id;
  if (isOwn || host.findRepoById === undefined) return named;
  return (await host.findRepoById(repo.id.slice(repo.host.length + 1))) ?? named;
}
