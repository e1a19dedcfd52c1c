import { matchRepo, watches } from "../../src/delivery/bounds.ts";
import { isOvertakenBy, type RefMembership } from "../../src/delivery/history.ts";
import { branchNames, TAGS } from "../../src/delivery/refs.ts";
import type { Plan, Repo, RepoBounds, Sha } from "../../src/delivery/types.ts";
import type { Mirror } from "../../src/git/mirror.ts";
import { requestCancel } from "../../src/ledger/cancel.ts";
import { type Delivery, listDeliveries, unfinishedDeliveries } from "../../src/ledger/deliveries.ts";
import { queueStatuses, type StatusParts } from "../../src/ledger/statuses.ts";
import type { Inspection, Subject } from "../commit/inspect.ts";
import type { Station } from "../station.ts";

/** Commits that may stand for an older one: a commit that comes late is mostly not far behind. */
const NEWEST = 50;

/**
 * Where a pipeline says `supersede: true`: ends the unfinished deliveries of older commits that a newer commit stands
 * for. A delivery whose names are being written is finished, and so is one that a person has asked for again.
 */
export async function supersedeOlder(
  station: StatusParts & Pick<Station, "config" | "ledger">,
  repo: Repo,
  mirror: Mirror,
  newer: Pick<Delivery, "id" | "repoId" | "sha" | "plan">,
  refs: string[],
): Promise<void> {
  const bounds = matchRepo(station.config.repos, repo);
  if (!newer.plan?.supersede || bounds === null) return;
  const standing = { branches: branchNames(refs), tags: [] };
  for (const older of await unfinishedDeliveries(station.ledger, newer.repoId)) {
    if (older.id === newer.id || !older.plan?.supersede || older.isInsisted) continue;
    if (!(await mirror.isAncestor(older.sha, newer.sha))) continue;
    if (!isOvertakenBy(await standingOf(mirror, older.sha, older.plan, bounds), standing)) continue;
    const because = `superseded by ${newer.sha}`;
    const subject = { repoId: older.repoId, sha: older.sha, deliveryId: older.id };
    const names = older.plan.artifacts.map((artifact) => artifact.name);
    await station.ledger.transaction(async (tx) => {
      if ((await requestCancel(tx, older.id, because, "superseded")) !== "ended") return;
      await queueStatuses(tx, station, subject, names, "superseded", because);
    });
  }
}

/**
 * The same, seen from the older commit: the order in which hints of the two came does not matter.
 * @returns the newer commit that stands for it; null: none
 */
export async function overtakenBy(
  station: Pick<Station, "config" | "ledger">,
  { repo, mirror, sha }: Subject,
  { plan, refs }: Extract<Inspection, { kind: "planned" }>,
  existing: Delivery | null,
): Promise<Sha | null> {
  const bounds = matchRepo(station.config.repos, repo);
  if (!plan.supersede || bounds === null || existing?.isInsisted) return null;
  const older = { branches: branchNames(refs), tags: await watchedTagsOn(mirror, sha, plan, bounds) };
  if (!isOvertakenBy(older, older)) return null;
  for (const newer of (await listDeliveries(station.ledger, { repoId: repo.id, limit: NEWEST })).items) {
    if (newer.sha === sha || !newer.plan?.supersede || !STANDS[newer.state]) continue;
    if (!(await mirror.isAncestor(sha, newer.sha))) continue;
    if (isOvertakenBy(older, await standingOf(mirror, newer.sha, newer.plan, bounds))) return newer.sha;
  }
  return null;
}

/** A delivery that ended without a release stands for no other commit. */
const STANDS: Record<Delivery["state"], boolean> = {
  waiting: true,
  queued: true,
  building: true,
  publishing: true,
  delivered: true,
  failed: false,
  cancelled: false,
  superseded: false,
  ignored: false,
};

async function standingOf(mirror: Mirror, sha: Sha, plan: Plan, bounds: RepoBounds): Promise<RefMembership> {
  const held = await mirror.refsContaining(sha);
  const watched = held.filter((ref) => watches(plan.on, bounds, ref).watched);
  return { branches: branchNames(watched), tags: await watchedTagsOn(mirror, sha, plan, bounds) };
}

async function watchedTagsOn(mirror: Mirror, sha: Sha, plan: Plan, bounds: RepoBounds): Promise<string[]> {
  return (await mirror.tagsOn(sha)).filter((tag) => watches(plan.on, bounds, TAGS + tag).watched);
}
