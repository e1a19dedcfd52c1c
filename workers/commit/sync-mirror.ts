import { Refused } from "../../src/delivery/errors.ts";
import type { Repo, Sha } from "../../src/delivery/types.ts";
import type { Mirror } from "../../src/git/mirror.ts";
import type { SeenRepo } from "../../src/ledger/repos.ts";
import { calling } from "../../src/observe/scope.ts";
import { span } from "../../src/observe/span.ts";
import type { Station } from "../station.ts";
import { hostOf } from "./host-of.ts";
import { confirmIdentity } from "./repo-identity.ts";

/**
 * Refs may be this old (ms) where an evaluation has mostly just read them: a ref that moves brings its own evaluation.
 */
export const MAX_REF_AGE_MS = 5_000;

export interface Synced {
  repo: Repo;
  mirror: Mirror;
  refs: Map<string, Sha>;
}

/** What a sync uses of the station. */
export type SyncParts = Pick<Station, "ledger" | "identities" | "hosts" | "mirrors">;

/**
 * Brings the repo's mirror to what the host has now, or had less than `age` ms ago (left out: now).
 * @param expected a commit that a hint named
 * @throws TransientError, Refused as Mirror.sync does.
 */
export async function syncMirror(
  station: SyncParts,
  known: SeenRepo,
  signal: AbortSignal,
  { age = 0, expected = null }: { age?: number; expected?: Sha | null } = {},
): Promise<Synced> {
  const repo = await confirmIdentity(station, known);
  const mirror = station.mirrors.open(repo.id);
  const named = { ...repo, defaultBranch: repo.defaultBranch ?? "main" };
  const host = hostOf(station, named);
  try {
    const sync = async () => mirror.sync(await host.cloneSource(named), signal, expected);
    const synced = mirror.latest(age) ?? (await span("sync", { repo: repo.id }, () => calling(named.host, sync)));
    // The host's API names the default branch; a mirror's HEAD serves where it does not.
    const defaultBranch = repo.defaultBranch ?? synced.defaultBranch ?? "main";
    return { repo: { ...known, ...repo, defaultBranch }, mirror, refs: synced.commits };
  } catch (error) {
    if (!(error instanceof Refused && error.code === "git-redirected")) throw error;
    // Renamed a moment ago, before any webhook said so: the host's API finds it by its old name too.
    station.identities.delete(repo.id);
    const renamed = await confirmIdentity(station, repo);
    if (renamed.owner === repo.owner && renamed.name === repo.name) throw error;
    return syncMirror(station, renamed, signal);
  }
}
