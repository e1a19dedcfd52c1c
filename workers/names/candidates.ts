import { matchRepo, watches } from "../../src/delivery/bounds.ts";
import { type Candidate, kindOfNames, newestOfEachKind } from "../../src/delivery/moving-names.ts";
import { BRANCHES, TAGS } from "../../src/delivery/refs.ts";
import type { Repo, Sha } from "../../src/delivery/types.ts";
import { versionTag } from "../../src/delivery/version.ts";
import { type Contender, holderOfVersion, knownVersions, type RefFacts } from "../../src/delivery/version-holder.ts";
import type { Mirror } from "../../src/git/mirror.ts";
import { recordBranchReleases } from "../../src/ledger/branch-releases.ts";
import { recordLatestRelease } from "../../src/ledger/latest-release.ts";
import { type NamedRelease, namedReleases } from "../../src/ledger/named-releases.ts";
import { deliveredVersions } from "../../src/ledger/versions.ts";
import { nameFacts } from "../commit/immutable-names.ts";
import type { Station } from "../station.ts";

/** What the names of a repo's artifacts are computed from. */
export interface RepoNames {
  releases: NamedRelease[];
  candidates: Candidate[];
  refs: RefFacts;
  /** Short names of the repo's git tags. */
  tags: string[];
}

/** Reads the repo's releases, and where they stand on its branches: one query of the ledger, one run of git. */
export async function readRepoNames(
  station: Pick<Station, "config" | "ledger">,
  repo: Repo,
  mirror: Mirror,
  refs: Map<string, Sha>,
): Promise<RepoNames> {
  const releases = (await namedReleases(station.ledger, repo.id)).filter(({ on }) => on !== null);
  const tagsOn = new Map<Sha, string[]>();
  for (const [ref, sha] of refs)
    if (ref.startsWith(TAGS)) tagsOn.set(sha, [...(tagsOn.get(sha) ?? []), ref.slice(TAGS.length)]);
  const orders = await ordersOf(station, repo, mirror, refs, releases);
  const candidates = releases.map((release) => {
    const order = orders.get(release) ?? {};
    return candidateOf(repo, release, order, tagsOn.get(release.sha) ?? []);
  });
  const tags = [...tagsOn.values()].flat();
  const versions = knownVersions(
    tags,
    releases.flatMap(({ tagged }) => tagged),
  );
  const delivered = await artifactsByVersion(station, repo, releases);
  return { releases, candidates, refs: { defaultBranch: repo.defaultBranch, versions, delivered }, tags };
}

async function artifactsByVersion(
  { ledger }: Pick<Station, "ledger">,
  repo: Repo,
  releases: NamedRelease[],
): Promise<RefFacts["delivered"]> {
  const versions = await deliveredVersions(ledger, repo.id);
  const found = new Map(versions.map((version) => [version, new Set<string>()]));
  for (const { artifact, tagged } of releases) for (const version of tagged) found.get(version)?.add(artifact);
  return found;
}

/**
 * Where each release stands on the branches that its plan watches. Left out where a newer release has all of its names.
 */
async function ordersOf(
  { config }: Pick<Station, "config">,
  repo: Repo,
  mirror: Mirror,
  refs: Map<string, Sha>,
  releases: NamedRelease[],
): Promise<Map<NamedRelease, Contender["order"]>> {
  // Without a prototype: a branch may have any name.
  const orders = new Map(releases.map((release) => [release, Object.create(null) as Contender["order"]]));
  const bounds = matchRepo(config.repos, repo);
  if (bounds === null) return orders;
  const bySha = new Map<Sha, NamedRelease[]>();
  for (const release of releases) bySha.set(release.sha, [...(bySha.get(release.sha) ?? []), release]);
  const kinds = new Map(releases.map((release) => [release, kindOf(release)]));
  const branches = [...refs.keys()].filter((ref) => ref.startsWith(BRANCHES));
  for (const [ref, shas] of await mirror.commitsByRef(branches, new Set(bySha.keys()))) {
    const plans = new Map<NamedRelease["on"], boolean>();
    const isWatched = ({ on }: NamedRelease): boolean => {
      const known = plans.get(on) ?? (on !== null && watches(on, bounds, ref).watched);
      plans.set(on, known);
      return known;
    };
    const standing = shas.flatMap((sha, place) => (bySha.get(sha) ?? []).map((release) => ({ sha, place, release })));
    const watched = standing.filter(({ release }) => isWatched(release));
    for (const { release, place } of newestOfEachKind(watched, ({ release }) => kinds.get(release) ?? "")) {
      const order = orders.get(release);
      if (order !== undefined) order[ref.slice(BRANCHES.length)] = place;
    }
  }
  return orders;
}

function kindOf({ artifact, committedAt, versions, destinations }: NamedRelease): string {
  return kindOfNames({ artifact, committedAt: new Date(committedAt), versions }, destinations);
}

function candidateOf(repo: Repo, release: NamedRelease, order: Contender["order"], tags: string[]): Candidate {
  const { id, sha, artifact, kind, versions, tagged, destinations } = release;
  const refs = Object.keys(order).map((branch) => BRANCHES + branch);
  const owned = tags.filter((tag) => versionTag(tag) === null || versions.includes(versionTag(tag) ?? ""));
  const commit = { sha, committedAt: new Date(release.committedAt) };
  const facts = nameFacts(
    { repo, commit, refs, tags: owned },
    { artifact: { name: artifact }, versions, isFirst: true },
  );
  // Only the names of images move: a registry of packages moves its own tags.
  return { releaseId: id, facts, tagged, order, destinations: kind === "image" ? destinations : [] };
}

/**
 * Saves which release of an artifact `latest` means now, by the same rule as its names in registries, and which stands
 * on each branch.
 */
export async function updateLatest(
  { ledger }: Pick<Station, "ledger">,
  repo: Repo,
  artifact: string,
  { candidates, refs }: RepoNames,
): Promise<void> {
  const own = candidates.filter(({ facts }) => facts.artifact === artifact);
  const releaseId = holderOfVersion(own, refs)?.releaseId ?? null;
  await recordLatestRelease(ledger, { repoId: repo.id, artifact, releaseId });
  await recordBranchReleases(ledger, { repoId: repo.id, artifact }, newestOfBranches(own));
}

/** The newest release on each branch, by full ref. */
function newestOfBranches(candidates: Candidate[]): Map<string, string> {
  const newest = new Map<string, { place: number; releaseId: string }>();
  for (const { order, releaseId } of candidates)
    for (const [branch, place] of Object.entries(order)) {
      const ref = BRANCHES + branch;
      if (place < (newest.get(ref)?.place ?? Number.POSITIVE_INFINITY)) newest.set(ref, { place, releaseId });
    }
  return new Map([...newest].map(([ref, { releaseId }]) => [ref, releaseId]));
}
