import { mapLimit } from "../../src/async/map-limit.ts";
import { matchRepo } from "../../src/delivery/bounds.ts";
import { Refused } from "../../src/delivery/errors.ts";
import { type PatternQuestion, questionOfPattern } from "../../src/delivery/repo-name.ts";
import type { RepoBounds } from "../../src/delivery/types.ts";
import type { Host, HostRepo } from "../../src/hosts/host.ts";
import { baselinedEntries, recordBaseline, removeBaseline } from "../../src/ledger/baselines.ts";
import { allHeads, recordHeads } from "../../src/ledger/heads.ts";
import { addHints, SWEEP_EVENT } from "../../src/ledger/hints.ts";
import { type KnownRepo, listRepos, type SeenRepo, saveListedRepos } from "../../src/ledger/repos.ts";
import { hostOf } from "../commit/host-of.ts";
import { confirmIdentity } from "../commit/repo-identity.ts";
import { type SyncParts, syncMirror } from "../commit/sync-mirror.ts";
import type { Station } from "../station.ts";

const AT_ONCE = 4;
const SYNC_LIMIT = 5 * 60_000;
/** How long one request for a repo's refs may take (ms). */
const REFS_LIMIT = 60_000;

/** What a sweep of repos uses of the station. */
export type SweepRepoParts = SyncParts & Pick<Station, "config" | "queues" | "log">;

/**
 * Saves the repos that the hosts list, whether or not a webhook ever named them. For a new entry of `repos`, the
 * commits that its repos' refs point to are its baseline: they count as known, so nothing old is delivered. A repo that
 * appears later has no baseline. An entry whose host does not answer holds up no other.
 * @returns the entries that have a baseline: their repos may be swept
 */
export async function discoverRepos(station: SweepRepoParts): Promise<Set<string>> {
  const done = await baselinedEntries(station.ledger);
  await mapLimit(station.config.repos, AT_ONCE, async (entry) => {
    try {
      await discover(station, entry, done);
    } catch (error) {
      station.log.warn("the repos of an entry could not be listed; the next round comes", {
        entry: entry.match,
        error,
      });
    }
  });
  return done;
}

async function discover(station: SweepRepoParts, entry: RepoBounds, done: Set<string>): Promise<void> {
  const { ledger } = station;
  const isNew = !done.has(entry.match);
  const listed = await listedRepos(station, entry);
  if (listed === null) return;
  await ledger.transaction((tx) => saveListedRepos(tx, listed));
  if (!isNew) return;
  // Repos that a hint has named meanwhile have old heads as well.
  const known = (await listRepos(ledger)).filter(
    (repo) => matchRepo(station.config.repos, repo)?.match === entry.match,
  );
  await mapLimit(known, AT_ONCE, async (repo) => {
    try {
      await recordHeads(ledger, repo.id, await remoteHeads(station, repo));
    } catch (error) {
      // Its refs count as known as they are when they can first be read.
      station.log.warn("a repo's refs could not be read; they count as known once they are", { repo: repo.id, error });
      await recordBaseline(ledger, unread(repo.id));
    }
  });
  await recordBaseline(ledger, entry.match);
  done.add(entry.match);
  station.log.info("looked at every repo of an entry once; what their refs point to counts as known", {
    entry: entry.match,
    repos: known.length,
  });
}

/** The baseline row of a repo whose refs could not be read: a name that no entry can have. */
function unread(repoId: string): string {
  return `unread ${repoId}`;
}

/** The repos of one entry that their hosts list; null if the entry names no owner: then no host can list them. */
async function listedRepos(station: Pick<Station, "config" | "hosts">, entry: RepoBounds): Promise<SeenRepo[] | null> {
  const found: SeenRepo[] = [];
  for (const [key, host] of station.hosts) {
    const question = questionOfPattern(entry, key);
    if (question.kind === "unlisted") return null;
    const repos = await answerOf(host, question);
    for (const repo of repos) {
      const seen = {
        id: `${key}:${repo.hostId}`,
        host: key,
        owner: repo.owner,
        name: repo.name,
        defaultBranch: repo.defaultBranch,
      };
      if (matchRepo(station.config.repos, seen)?.match === entry.match) found.push(seen);
    }
  }
  return found;
}

async function answerOf(host: Host, question: PatternQuestion): Promise<HostRepo[]> {
  switch (question.kind) {
    case "repo": {
      const found = await host.findRepo(question.owner, question.name);
      return found === null ? [] : [found];
    }
    case "owner":
      return host.listRepos(question.owner);
    case "unlisted":
    case "elsewhere":
      return [];
  }
}

/**
 * Whether a repo may be swept: before its entry has a baseline, nobody can say which of its commits are new. Of a host
 * that cannot list repos, an entry with a pattern has none: a repo that a webhook names may be new or old.
 * @param done the entries that have a baseline
 */
export function hasBaseline(
  { config, hosts }: Pick<Station, "config" | "hosts">,
  repo: KnownRepo,
  done: ReadonlySet<string>,
): boolean {
  const entry = matchRepo(config.repos, repo);
  if (entry === null || !done.has(entry.match)) return false;
  return hosts.get(repo.host)?.listsRepos !== false || questionOfPattern(entry, repo.host).kind === "repo";
}

/**
 * Compares a repo's refs with the known heads, and adds a hint for every new commit and every ref that moved. Costs one
 * request to the host if nothing moved.
 */
export async function sweepRepo(station: Omit<SweepRepoParts, "config" | "log">, repo: KnownRepo): Promise<void> {
  const there = await remoteHeads(station, repo).catch(async (error: unknown) => {
    if (!(error instanceof Refused && error.code === "git-redirected")) throw error;
    // The repo was renamed: the sync learns its name, and the next turn asks by it.
    await syncMirror(station, repo, AbortSignal.timeout(SYNC_LIMIT));
    return [];
  });
  if (there.length > 0 && (await removeBaseline(station.ledger, unread(repo.id)))) {
    await recordHeads(station.ledger, repo.id, there);
    return;
  }
  const known = await allHeads(station.ledger, repo.id);
  const before = new Set(known.map((head) => `${head.ref} ${head.sha}`));
  const moved = there.filter((head) => !before.has(`${head.ref} ${head.sha}`));
  if (moved.length === 0) return;
  const { mirror, refs } = await syncMirror(station, repo, AbortSignal.timeout(SYNC_LIMIT));
  const fresh = await mirror.newCommits(
    [...new Set(known.map((head) => head.sha))],
    [...new Set(moved.map((head) => refs.get(head.ref)).filter((sha) => sha !== undefined))],
  );
  const hint = { repo, event: SWEEP_EVENT, deliveryId: "" };
  const heads = moved.flatMap(({ ref }) => {
    const sha = refs.get(ref);
    return sha === undefined ? [] : [{ ...hint, ref, sha }];
  });
  const isHead = new Set(heads.map((head) => head.sha));
  const commits = fresh.filter((sha) => !isHead.has(sha)).map((sha) => ({ ...hint, ref: null, sha }));
  await station.ledger.transaction(async (tx) => {
    await addHints(tx, [...heads, ...commits]);
    await recordHeads(tx, repo.id, moved);
  });
  for (const { sha } of [...heads, ...commits]) await station.queues.add("evaluate", { repo: repo.id, sha, ref: null });
}

/** Every ref with the commit that it points to, as the host has it now. */
async function remoteHeads(station: SyncParts, repo: KnownRepo): Promise<{ ref: string; sha: string }[]> {
  const named = { ...repo, ...(await confirmIdentity(station, repo)), defaultBranch: repo.defaultBranch ?? "" };
  const source = await hostOf(station, named).cloneSource(named);
  const refs = await station.mirrors.open(repo.id).remoteRefs(source, AbortSignal.timeout(REFS_LIMIT));
  return [...refs].map(([ref, sha]) => ({ ref, sha }));
}
