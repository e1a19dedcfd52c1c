import { sql } from "kysely";
import type { RepoId } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";
import { type Page, pageOf, readCursor } from "./page.ts";
import { type Release, withVersions } from "./release-rows.ts";
import type { KnownRepo } from "./repos.ts";
import { chunks } from "./sql.ts";

/** An artifact of a repo, and its releases that matter now. */
export interface CatalogEntry {
  repoId: RepoId;
  artifact: string;
  /** The release that was recorded last. */
  newest: Release;
  /** What `latest` means; null: it means none, or it was not determined yet. */
  latest: Release | null;
  /** By full ref, in its order. */
  branches: { ref: string; release: Release }[];
}

interface CatalogFilter {
  repoId?: RepoId | undefined;
  artifact?: string | undefined;
  cursor?: string | undefined;
  limit: number;
}

/** The artifacts that have a release, in the order of their repos' ids and of their names. */
export async function listCatalog(ledger: Db, filter: CatalogFilter): Promise<Page<CatalogEntry>> {
  const { items, next } = await listRows(ledger, filter);
  return { items: await toEntries(ledger, items), next };
}

/** The artifacts of these repos, in the same order. */
export async function catalogOfRepos(ledger: Db, repoIds: readonly RepoId[]): Promise<CatalogEntry[]> {
  if (repoIds.length === 0) return [];
  return toEntries(ledger, await inOrder(ledger).where("repoId", "in", repoIds).execute());
}

async function toEntries(ledger: Db, rows: CatalogRow[]): Promise<CatalogEntry[]> {
  const branches = await branchesOf(ledger, rows);
  const latest = await latestOf(ledger, rows);
  const ids = [...rows, ...branches, ...latest].map((row) => row.releaseId);
  const releases = await releasesById(
    ledger,
    ids.filter((id) => id !== null),
  );
  return rows.flatMap(({ repoId, artifact, releaseId }): CatalogEntry[] => {
    const isOwn = (row: { repoId: RepoId; artifact: string }) => row.repoId === repoId && row.artifact === artifact;
    const newest = releases.get(releaseId);
    if (newest === undefined) return [];
    const standing = branches.filter(isOwn).flatMap((row) => {
      const release = releases.get(row.releaseId);
      return release === undefined ? [] : [{ ref: row.ref, release }];
    });
    const latestId = latest.find(isOwn)?.releaseId ?? "";
    return [{ repoId, artifact, newest, latest: releases.get(latestId) ?? null, branches: standing }];
  });
}

type CatalogRow = { repoId: RepoId; artifact: string; releaseId: string };

function inOrder({ db }: Db) {
  return db.selectFrom("releasedArtifacts").selectAll().orderBy("repoId").orderBy("artifact");
}

async function listRows(ledger: Db, { repoId, artifact, cursor, limit }: CatalogFilter): Promise<Page<CatalogRow>> {
  let query = inOrder(ledger).limit(limit + 1);
  if (repoId !== undefined) query = query.where("repoId", "=", repoId);
  if (artifact !== undefined) query = query.where("artifact", "=", artifact);
  const after = keyOf(readCursor(cursor)?.id);
  if (after !== null) query = query.where((eb) => eb(eb.refTuple("repoId", "artifact"), ">", eb.tuple(...after)));
  return pageOf(await query.execute(), limit, catalogPosition, (row) => row);
}

/** The cursor of a list in the order of texts holds them. */
export function catalogPosition({ repoId, artifact }: { repoId: RepoId; artifact: string }) {
  return { at: 0, id: Buffer.from(JSON.stringify([repoId, artifact])).toString("base64url") };
}

/** Null: this is no cursor of such a list, or there is none: the list starts at its beginning. */
function keyOf(id: string | undefined): [string, string] | null {
  try {
    const [repoId, artifact] = JSON.parse(Buffer.from(id ?? "", "base64url").toString()) as unknown[];
    return typeof repoId === "string" && typeof artifact === "string" ? [repoId, artifact] : null;
  } catch {
    return null;
  }
}

async function branchesOf(ledger: Db, rows: readonly CatalogRow[]): Promise<(CatalogRow & { ref: string })[]> {
  if (rows.length === 0) return [];
  return ledger.db
    .selectFrom("branchReleases")
    .selectAll()
    .where((eb) => eb.or(rows.map(({ repoId, artifact }) => eb.and({ repoId, artifact }))))
    .orderBy("ref")
    .execute();
}

async function latestOf(ledger: Db, rows: readonly CatalogRow[]) {
  if (rows.length === 0) return [];
  return ledger.db
    .selectFrom("latestReleases")
    .selectAll()
    .where((eb) => eb.or(rows.map(({ repoId, artifact }) => eb.and({ repoId, artifact }))))
    .execute();
}

/** Those that exist, by their id. */
async function releasesById(ledger: Db, ids: readonly string[]): Promise<Map<string, Release>> {
  const releases = new Map<string, Release>();
  for (const some of chunks([...new Set(ids)])) {
    const rows = await ledger.db.selectFrom("releases").selectAll().where("id", "in", some).execute();
    for (const release of await withVersions(ledger, rows)) releases.set(release.id, release);
  }
  return releases;
}

/** Repos, those that deliverd heard of last first. @param text is in `<host>/<owner>/<name>`, in lower case */
export async function pageOfRepos(
  ledger: Db,
  {
    text,
    repoId,
    cursor,
    limit,
  }: { text?: string | undefined; repoId?: RepoId | undefined; cursor?: string | undefined; limit: number },
): Promise<Page<KnownRepo>> {
  let query = ledger.db
    .selectFrom("repos")
    .selectAll()
    .orderBy("createdAt", "desc")
    .orderBy("id", "desc")
    .limit(limit + 1);
  if (repoId !== undefined) query = query.where("id", "=", repoId);
  if (text !== undefined) {
    const full = sql<string>`lower(host || '/' || owner || '/' || name)`;
    query = query.where(sql<boolean>`replace(${full}, ${text}, '') <> ${full}`);
  }
  const after = readCursor(cursor);
  const id = Buffer.from(after?.id ?? "", "base64url").toString();
  if (after !== null) query = query.where((eb) => eb(eb.refTuple("createdAt", "id"), "<", eb.tuple(after.at, id)));
  return pageOf(await query.execute(), limit, repoPosition, (row) => row);
}

/** A repo's id has characters that no cursor has. */
export function repoPosition({ createdAt, id }: Pick<KnownRepo, "createdAt" | "id">) {
  return { at: createdAt, id: Buffer.from(id).toString("base64url") };
}
