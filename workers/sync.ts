import { Refused } from "../src/delivery/errors.ts";
import type { Repo, Sha } from "../src/delivery/types.ts";
import type { Mirror } from "../src/git/mirror.ts";
import { noteRepos, type SeenRepo } from "../src/ledger/repos.ts";
import { confirmIdentity } from "./identity.ts";
import { hostOf } from "./look.ts";
import type { Station } from "./station.ts";

/** So old (ms) refs may be where an evaluation has mostly just read them, and what moved since brings about a look of its own. */
export const JUST_NOW = 5_000;

export interface Synced {
  repo: Repo;
  mirror: Mirror;
  refs: Map<string, Sha>;
}

/**
 * Brings the repo's mirror to what the host has now, or had less than `age` ms ago (left out: now).
 * @param expected a commit that the host has told of
 * @throws TransientError, Refused as Mirror.sync does.
 */
export async function syncMirror(
  station: Station,
  known: SeenRepo,
  signal: AbortSignal,
  { age = 0, expected = null }: { age?: number; expected?: Sha | null } = {},
): Promise<Synced> {
  const mirror = station.mirrors.open(known.id);
  // The host's API names the default branch in every hint; a mirror's HEAD serves where none has come yet.
  const named = { ...known, defaultBranch: known.defaultBranch ?? "main" };
  const branch = (await confirmIdentity(station, named)) ?? known.defaultBranch;
  const source = await hostOf(station, named).cloneSource(named);
  try {
    const synced = mirror.latest(age) ?? (await mirror.sync(source, signal, expected));
    const defaultBranch = branch ?? synced.defaultBranch ?? "main";
    return { repo: { ...known, defaultBranch }, mirror, refs: synced.commits };
  } catch (error) {
    if (!(error instanceof Refused && error.code === "git-redirected")) throw error;
    const renamed = await newName(station, named);
    if (renamed === null) throw error;
    return syncMirror(station, renamed, signal);
  }
}

/** A repo that was renamed, and no webhook has told: the host's API knows it by its old name too. Null: it is not that. */
async function newName(station: Station, repo: Repo): Promise<SeenRepo | null> {
  const found = await hostOf(station, repo).findRepo(repo.owner, repo.name);
  if (found === null || `${repo.host}:${found.hostId}` !== repo.id) return null;
  if (found.owner === repo.owner && found.name === repo.name) return null;
  const seen = {
    id: repo.id,
    host: repo.host,
    owner: found.owner,
    name: found.name,
    defaultBranch: found.defaultBranch,
  };
  await station.ledger.transaction((tx) => noteRepos(tx, [seen]));
  return seen;
}
