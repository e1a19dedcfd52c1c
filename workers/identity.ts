import { Refused } from "../src/delivery/errors.ts";
import type { Repo, RepoId } from "../src/delivery/types.ts";
import { setDefaultBranch } from "../src/ledger/repos.ts";
import { hostOf } from "./look.ts";
import type { Station } from "./station.ts";

/** By station: the name under which each repo was last seen to be itself. */
const confirmed = new WeakMap<Station, Map<RepoId, string>>();

/**
 * A name is not a repo: an old webhook, delivered again after a rename, brings back a name that another repo may bear by
 * now. Asked once for each name in a process's life. @returns the default branch, as the host says; null: it did not
 * @throws Refused `repo-replaced`, TransientError.
 */
export async function confirmIdentity(station: Station, repo: Repo): Promise<string | null> {
  const names = confirmed.get(station) ?? new Map<RepoId, string>();
  confirmed.set(station, names);
  const name = `${repo.owner}/${repo.name}`;
  if (names.get(repo.id) === name) return null;
  const found = await hostOf(station, repo).findRepo(repo.owner, repo.name);
  if (found !== null && `${repo.host}:${found.hostId}` !== repo.id) {
    throw new Refused(
      "repo-replaced",
      `${name} is another repo on ${repo.host} now: the next webhook of the one that was meant tells its name`,
    );
  }
  names.set(repo.id, name);
  if (found?.defaultBranch) await setDefaultBranch(station.ledger, repo.id, found.defaultBranch);
  return found?.defaultBranch ?? null;
}
