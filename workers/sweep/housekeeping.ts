import { rm, statfs } from "node:fs/promises";
import { chooseRemovals, type DiskItem, isNearlyFull } from "../../src/delivery/disk-budget.ts";
import { contentsNeededOn } from "../../src/ledger/artifacts.ts";
import { unfinishedDeliveries } from "../../src/ledger/deliveries.ts";
import { listRepos } from "../../src/ledger/repos.ts";
import { deleteOldRows } from "../../src/ledger/retention.ts";
import type { Station } from "../station.ts";

const HOUR = 60 * 60_000;
/** Decisions and logs are deleted this long after the delivery ended (ms). Releases are kept for ever. */
const KEEP = 90 * 24 * HOUR;
/** Build caches only grow. A cache that no build used for so long (ms) is deleted. */
const KEEP_CACHE = 30 * 24 * HOUR;

/** Whether dataDir's disk has too little room for new work. */
export async function isDiskNearlyFull(dataDir: string): Promise<boolean> {
  const { bavail, blocks, bsize } = await statfs(dataDir);
  return isNearlyFull({ free: bavail * bsize, total: blocks * bsize });
}

/** Deletes what a dead process left half done. Only for the start of a process, which holds dataDir alone. */
export async function clearLeftovers({ tmp, store }: Pick<Station, "tmp" | "store">): Promise<void> {
  await rm(tmp, { recursive: true, force: true });
  await store.removeAbandoned(Number.POSITIVE_INFINITY);
}

/** What housekeeping uses of the station. */
type Parts = Pick<Station, "ledger" | "log" | "clock" | "store" | "mirrors" | "engine" | "storeId"> & {
  config: { disk: { max: number } };
};

/** Deletes this host's oldest caches until they are within the disk budget, and old rows of the ledger. */
export async function runHousekeeping(station: Parts): Promise<void> {
  const { config, ledger, log, clock, store, mirrors } = station;
  await station.engine.removeLeftovers();
  const young = clock.now() - HOUR;
  const needed = await neededHere(station);
  const caches = await cachesOf(station);
  const found = [...(await pieces(station)), ...caches];
  const removed = chooseRemovals(found, config.disk.max, (name) => needed.has(name), young);
  const stale = caches.filter((cache) => cache.usedAt < clock.now() - KEEP_CACHE && !removed.includes(cache));
  for (const piece of stale) removed.push(piece);
  for (const piece of removed) {
    const { name } = piece;
    if (caches.includes(piece)) await station.engine.caches.remove(name);
    else await (name.startsWith(DIGEST) ? store.remove(name) : mirrors.remove(name));
  }
  const forgotten = await deleteOldRows(ledger, KEEP);
  if (removed.length === 0 && forgotten === 0) return;
  log.info("kept house", {
    removed: removed.length,
    bytes: removed.reduce((sum, piece) => sum + piece.bytes, 0),
    forgotten,
  });
}

const DIGEST = "sha256:";

/** Blobs by digest, mirrors by the repo's id. */
async function pieces({ ledger, mirrors, store }: Pick<Station, "ledger" | "mirrors" | "store">): Promise<DiskItem[]> {
  const found: DiskItem[] = (await store.list()).map(({ digest, bytes, usedAt }) => ({ name: digest, bytes, usedAt }));
  for (const { id } of await listRepos(ledger)) {
    const usage = await mirrors.usage(id);
    if (usage !== null) found.push({ name: id, ...usage });
  }
  return found;
}

/** None if the engine does not answer: the rest can be cleaned up all the same. */
async function cachesOf({ engine, log }: Pick<Station, "engine" | "log">): Promise<DiskItem[]> {
  try {
    return await engine.caches.list();
  } catch (error) {
    log.warn("the caches of builds could not be listed", { error });
    return [];
  }
}

/** What unfinished deliveries need: their frozen contents with every blob, and their repos' mirrors. */
async function neededHere({
  ledger,
  store,
  storeId,
}: Pick<Station, "ledger" | "store" | "storeId">): Promise<Set<string>> {
  const needed = new Set<string>();
  for (const { digest, files } of await contentsNeededOn(ledger, storeId)) {
    if (!(await store.has(digest))) continue;
    needed.add(digest);
    const { manifests, blobs } = files ? { manifests: [], blobs: files } : await store.contentOf(digest);
    for (const each of [...manifests, ...blobs]) needed.add(each.digest);
  }
  for (const { id } of await listRepos(ledger)) {
    if ((await unfinishedDeliveries(ledger, id)).length > 0) needed.add(id);
  }
  return needed;
}
