import { isDeepStrictEqual } from "node:util";
import { matchRepo, watches } from "../src/delivery/bounds.ts";
import { movingNames } from "../src/delivery/names.ts";
import { type Candidate, holderOf } from "../src/delivery/reconcile.ts";
import type { ArtifactName, Destination, Plan, Repo, RepoBounds } from "../src/delivery/types.ts";
import { highestVersionTag, versionTag } from "../src/delivery/version.ts";
import { failpoint } from "../src/failpoints.ts";
import type { Mirror } from "../src/git/mirror.ts";
import { getDeliveries } from "../src/ledger/deliveries.ts";
import { frozenOf } from "../src/ledger/frozen.ts";
import { locationOf, noteLocation, type ReleasedLocation } from "../src/ledger/names.ts";
import { markSent, owedNames } from "../src/ledger/outbox.ts";
import { listReleases, type Release } from "../src/ledger/releases.ts";
import { getRepo } from "../src/ledger/repos.ts";
import type { Jobs } from "../src/queue/queues.ts";
import type { Run } from "../src/run.ts";
import { factsOf, isSame } from "./naming.ts";
import { registryOf } from "./release.ts";
import { throwWorst } from "./side-by-side.ts";
import type { Station } from "./station.ts";
import { JUST_NOW, syncMirror } from "./sync.ts";
import { findChanged } from "./verify.ts";

const LIMIT = 10 * 60_000;
/** The ledger may move while a name is written; more rounds than this mean that it never stands still. */
const ROUNDS = 5;

/**
 * Puts an artifact's moving names where they belong: computes from ledger and refs what should stand, writes what
 * differs, and looks again until nothing does. The order in which deliveries ended has no part in it.
 */
export async function reconcileNames(station: Station, job: Jobs["names"]): Promise<void> {
  const known = await getRepo(station.ledger, job.repo);
  if (known === null) return;
  // Read before anything else: what is owed later is owed once more.
  const owed = await owedNames(station.ledger, { repoId: job.repo, artifact: job.artifact });
  const signal = AbortSignal.timeout(LIMIT);
  const run: Run = { log: { line: () => {}, write: () => {} }, signal, tmp: station.tmp, clock: station.clock };
  let changed = job.verify ? await findChanged(station, job, run) : [];
  let before: unknown;
  for (let round = 0; round < ROUNDS; round++) {
    const { repo, mirror, refs } = await syncMirror(station, known, signal, { age: JUST_NOW });
    const releases = await releasesOf(station, repo, job.artifact);
    const facts = [repo, refs, releases];
    if (isDeepStrictEqual(facts, before)) break;
    before = facts;
    const wanted = await wantedNames(station, repo, mirror, refs, releases, job.artifact);
    const wrote = await placeAll(station, [...wanted, ...unclaimed(changed, wanted, releases)], changed, run);
    changed = [];
    if (!wrote) break;
  }
  for (const { id, revision } of owed) await markSent(station.ledger, id, revision);
}

interface Wanted {
  name: ArtifactName;
  release: Release;
}

async function wantedNames(
  station: Station,
  repo: Repo,
  mirror: Mirror,
  refs: Map<string, string>,
  releases: Release[],
  artifact: string,
): Promise<Wanted[]> {
  const candidates: { candidate: Candidate; release: Release; destinations: Destination[] }[] = [];
  const bounds = matchRepo(station.config.repos, repo);
  const order = await placesOnBranches(mirror, refs, releases);
  const ids = [...new Set(releases.map((release) => release.deliveryId))];
  const plans = new Map((await getDeliveries(station.ledger, ids)).map(({ id, plan }) => [id, plan]));
  for (const release of releases) {
    const plan = plans.get(release.deliveryId) ?? null;
    if (plan === null) continue;
    const candidate = await candidateOf(bounds, repo, refs, release, plan, order);
    candidates.push({ candidate, release, destinations: destinationsOf(plan, artifact) });
  }
  const facts = { defaultBranch: repo.defaultBranch, hasVersionTag: highestVersionTag(tagsOf(refs)) !== null };
  const wanted = new Map<string, Wanted>();
  for (const { candidate, destinations } of candidates) {
    for (const destination of destinations) {
      for (const name of movingNames(destination, candidate.facts)) {
        const key = JSON.stringify([name.registry, name.repository, name.tag]);
        if (wanted.has(key)) continue;
        const id = holderOf(
          name,
          destination,
          candidates.map((each) => each.candidate),
          facts,
        );
        const holder = releases.find((release) => release.id === id);
        if (holder !== undefined) wanted.set(key, { name, release: holder });
      }
    }
  }
  return [...wanted.values()];
}

/** Changed names that nothing claims any more, as after their branch went, with what stood there last. */
function unclaimed(changed: ReleasedLocation[], wanted: Wanted[], releases: Release[]): Wanted[] {
  return changed
    .filter((each) => !wanted.some(({ name }) => isSame(name, each)))
    .flatMap((name) => {
      const release = releases.find((each) => each.digest === name.digest);
      return release === undefined ? [] : [{ name, release }];
    });
}

async function candidateOf(
  bounds: RepoBounds | null,
  repo: Repo,
  refs: Map<string, string>,
  release: Release,
  plan: Plan,
  order: Map<string, Map<string, number>>,
): Promise<Candidate> {
  const { sha } = release;
  const branches = [...order]
    .filter(([ref, places]) => places.has(sha) && bounds !== null && watches(plan.on, bounds, ref).watched)
    .map(([ref]) => ref);
  const tags = [...refs]
    .filter(([ref, at]) => at === sha && ref.startsWith("refs/tags/"))
    .map(([ref]) => ref.slice(10));
  const owned = tags.filter((tag) => versionTag(tag) === null || release.versions.includes(versionTag(tag) ?? ""));
  const commit = { sha, committedAt: new Date(release.committedAt), message: "", author: "", parents: [] };
  const share = { artifact: { name: release.artifact }, versions: release.versions, isFirst: true };
  const facts = factsOf({ repo, commit, refs: branches, tags: owned }, share);
  const places = branches.map((ref) => [ref.slice("refs/heads/".length), order.get(ref)?.get(sha) ?? 0] as const);
  return { releaseId: release.id, facts, order: Object.fromEntries(places) };
}

/** For each branch that holds a released commit, those commits with their places, newest first. */
async function placesOnBranches(
  mirror: Mirror,
  refs: Map<string, string>,
  releases: Release[],
): Promise<Map<string, Map<string, number>>> {
  const present = new Set<string>();
  for (const sha of new Set(releases.map((release) => release.sha))) if (await mirror.has(sha)) present.add(sha);
  const order = new Map<string, Map<string, number>>();
  for (const ref of refs.keys()) {
    if (!ref.startsWith("refs/heads/")) continue;
    const shas = await mirror.newestFirst(ref, present);
    if (shas.length > 0) order.set(ref, new Map(shas.map((sha, index) => [sha, index])));
  }
  return order;
}

/** Registries side by side: one that fails keeps no other from standing. @returns whether anything stood elsewhere */
async function placeAll(station: Station, all: Wanted[], changed: ReleasedLocation[], run: Run): Promise<boolean> {
  let wrote = false;
  const registries = new Set(all.map(({ name }) => name.registry));
  const ended = await Promise.allSettled(
    [...registries].map(async (registry) => {
      for (const { name, release } of all.filter((each) => each.name.registry === registry)) {
        const standing = await locationOf(station.ledger, name);
        if (standing?.digest === release.digest && !changed.some((each) => isSame(each, name))) continue;
        await place(station, name, release, run);
        wrote = true;
      }
    }),
  );
  throwWorst(ended.flatMap((end) => (end.status === "rejected" ? [end.reason] : [])));
  return wrote;
}

async function place(station: Station, name: ArtifactName, release: Release, run: Run): Promise<void> {
  const content = frozenOf(release);
  const to = registryOf(station, name.registry);
  if (!(await station.store.has(release.digest))) {
    // Another host froze it, or housekeeping let it go: the repository had it before it had any name there.
    const there = { registry: name.registry, name: `${name.repository}:${name.tag}`, digest: release.digest };
    await to.restore({ ...there, url: "", pull: "" }, run, content);
  }
  const { digest, url, pull } = await to.publish({ ...content, kind: release.kind, metadata: {} }, name, run);
  failpoint("names.written");
  const { registry, repository, tag } = name;
  const { deliveryId, artifact, repoId } = release;
  await noteLocation(station.ledger, {
    registry,
    repository,
    tag,
    immutable: false,
    deliveryId,
    artifact,
    repoId,
    digest,
    url,
    pull,
  });
  station.log.info("moved a name", { delivery: deliveryId, registry, name: `${repository}:${tag}`, digest });
}

async function releasesOf(station: Station, repo: Repo, artifact: string): Promise<Release[]> {
  const all: Release[] = [];
  for (let cursor: string | null = null; ; ) {
    const page = await listReleases(station.ledger, { repoId: repo.id, artifact, cursor, limit: 500 });
    all.push(...page.items);
    cursor = page.next;
    if (cursor === null) return all;
  }
}

function destinationsOf(plan: Plan, artifact: string): Destination[] {
  const found = plan.artifacts.find((each) => each.name === artifact);
  // Only the names of images move: a package's tags are its registry's own affair.
  return found?.kind === "image" ? found.publish : [];
}

function tagsOf(refs: Map<string, string>): string[] {
  return [...refs.keys()].filter((ref) => ref.startsWith("refs/tags/")).map((ref) => ref.slice("refs/tags/".length));
}
