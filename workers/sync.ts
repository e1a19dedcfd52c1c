import type { Repo, Sha } from "../src/delivery/types.ts";
import type { Mirror } from "../src/git/mirror.ts";
import type { KnownRepo } from "../src/ledger/repos.ts";
import { hostOf } from "./look.ts";
import type { Station } from "./station.ts";

export interface Synced {
  repo: Repo;
  mirror: Mirror;
  refs: Map<string, Sha>;
}

/** Brings the repo's mirror to what the host has now. @throws TransientError, Refused as Mirror.sync does. */
export async function syncMirror(
  station: Station,
  known: Pick<KnownRepo, keyof Repo>,
  signal: AbortSignal,
): Promise<Synced> {
  const mirror = station.mirrors.open(known.id);
  // The host's API names the default branch in every hint; a mirror's HEAD serves where none has come yet.
  const named = { ...known, defaultBranch: known.defaultBranch ?? "main" };
  const source = await hostOf(station, named).cloneSource(named);
  const synced = await mirror.sync(source, signal);
  const defaultBranch = known.defaultBranch ?? synced.defaultBranch ?? "main";
  return { repo: { ...known, defaultBranch }, mirror, refs: synced.shas };
}
