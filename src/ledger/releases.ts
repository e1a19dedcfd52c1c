import { createHash } from "node:crypto";
import { type ExpressionBuilder, type Selectable, sql } from "kysely";
import type { Frozen } from "../builders/builder.ts";
import { Refused, TransientError } from "../delivery/errors.ts";
import type { ArtifactKind, RepoId, Sha } from "../delivery/types.ts";
import { frozenColumns } from "./frozen-columns.ts";
import { lockFence } from "./leases.ts";
import type { Db, Tx } from "./ledger.ts";
import { type Page, pageOf, readCursor } from "./page.ts";
import type { Schema } from "./schema/schema.ts";
import { now } from "./sql.ts";

type Row = Selectable<Schema["releases"]>;

/** The record of one artifact of one commit. `versions` are all it bears, first given first. */
export type Release = Omit<Row, "metadata"> & { metadata: Record<string, unknown>; versions: string[] };

export interface NewRelease extends Frozen {
  repoId: RepoId;
  sha: Sha;
  artifact: string;
  /** The version where the bytes hold it and the commit has more than one; else left out. */
  variant?: string;
  kind: ArtifactKind;
  /** All it bears, the one it is shown by first. */
  versions: readonly string[];
  /** Those of them that a version tag gave. */
  tagged: readonly string[];
  ref: string | null;
  deliveryId: string;
  /** The lease under which it was made. */
  fence: number;
  committedAt: number;
  metadata: Record<string, unknown>;
}

/** The same facts give the same id, in every process. */
function releaseId(key: { repoId: RepoId; sha: Sha; artifact: string; variant?: string | undefined }): string {
  const text = JSON.stringify([key.repoId, key.sha, key.artifact, key.variant ?? ""]);
  return createHash("sha256").update(text).digest("hex").slice(0, 24);
}

/**
 * Records a release once; recorded again, it only gains versions. @returns what stands
 * @throws TransientError `lease-lost` for a stale fence, Refused `version-taken` where another release bears one of its versions
 */
export async function recordRelease(tx: Tx, release: NewRelease): Promise<Release> {
  const { fence, versions, tagged, variant = "", metadata, files: _files, package: _package, ...fields } = release;
  if (!(await lockFence(tx, release.deliveryId, fence))) {
    throw new TransientError("lease-lost", `delivery ${release.deliveryId} is another worker's now`);
  }
  const [version] = versions;
  if (version === undefined) throw new Error(`${release.artifact} cannot be released without a version`);
  const id = releaseId({ ...fields, variant });
  await tx.db
    .insertInto("releases")
    .values({
      ...fields,
      ...frozenColumns(release),
      id,
      variant,
      version,
      metadata: JSON.stringify(metadata),
      releasedAt: now(tx),
    })
    .onConflict((conflict) => conflict.column("id").doNothing())
    .execute();
  for (const version of versions) {
    const given = await addReleaseVersion(tx, id, { version, tagged: tagged.includes(version) });
    if (!given.ok)
      throw new Refused("version-taken", `${version} of ${release.artifact} belongs to ${given.belongsTo}`);
  }
  const stored = await getRelease(tx, id);
  if (stored === null) throw new Error(`release ${id} was recorded and is gone`);
  return stored;
}

/** Gives a release one more version. A version of a repo's artifact belongs to one release, for good. */
export async function addReleaseVersion(
  ledger: Db,
  id: string,
  { version, tagged }: { version: string; tagged: boolean },
): Promise<{ ok: true } | { ok: false; belongsTo: Sha }> {
  const { repoId, artifact } = await ledger.db
    .selectFrom("releases")
    .select(["repoId", "artifact"])
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
  await ledger.db
    .insertInto("releaseVersions")
    .values({ repoId, artifact, version, releaseId: id, tagged: tagged ? 1 : 0, at: now(ledger) })
    .onConflict((conflict) => conflict.columns(["repoId", "artifact", "version"]).doNothing())
    .execute();
  const owner = await ledger.db
    .selectFrom("releaseVersions as v")
    .innerJoin("releases as r", "r.id", "v.releaseId")
    .select(["r.id", "r.sha"])
    .where("v.repoId", "=", repoId)
    .where("v.artifact", "=", artifact)
    .where("v.version", "=", version)
    .executeTakeFirstOrThrow();
  return owner.id === id ? { ok: true } : { ok: false, belongsTo: owner.sha };
}

export async function getRelease(ledger: Db, id: string): Promise<Release | null> {
  const row = await ledger.db.selectFrom("releases").selectAll().where("id", "=", id).executeTakeFirst();
  return row ? ((await withVersions(ledger, [row]))[0] ?? null) : null;
}

/** What a delivery has released, first released first. */
export async function releasesOfDelivery(ledger: Db, deliveryId: string): Promise<Release[]> {
  const rows = await ledger.db
    .selectFrom("releases")
    .selectAll()
    .where("deliveryId", "=", deliveryId)
    .orderBy("releasedAt")
    .orderBy("id")
    .execute();
  return withVersions(ledger, rows);
}

export interface ReleaseFilter {
  repoId?: RepoId | undefined;
  artifact?: string | undefined;
  sha?: Sha | undefined;
  /** Full ref: of the release itself, or one that is known to have pointed to its commit too. */
  ref?: string | undefined;
  cursor?: string | null | undefined;
  limit: number;
}

/** Beyond so many repos a ref is common, and among the newest releases some are soon found. */
const FEW_REPOS = 20;

/** Newest first. */
export async function listReleases(ledger: Db, filter: ReleaseFilter): Promise<Page<Release>> {
  let query = ledger.db
    .selectFrom("releases")
    .selectAll()
    .orderBy("releasedAt", "desc")
    .orderBy("id", "desc")
    .limit(filter.limit + 1);
  if (filter.repoId !== undefined) query = query.where("repoId", "=", filter.repoId);
  if (filter.artifact !== undefined) query = query.where("artifact", "=", filter.artifact);
  if (filter.sha !== undefined) query = query.where("sha", "=", filter.sha);
  const { ref } = filter;
  if (ref !== undefined) {
    const repos = filter.repoId === undefined ? await someReposWith(ledger, ref) : [filter.repoId];
    if (repos.length === 0) return { items: [], next: null };
    if (repos.length <= FEW_REPOS) query = query.where("repoId", "in", repos);
    query = query.where(pointedTo(ref));
  }
  const after = readCursor(filter.cursor);
  if (after) query = query.where((eb) => eb(eb.refTuple("releasedAt", "id"), "<", eb.tuple(after.at, after.id)));
  const page = pageOf(
    await query.execute(),
    filter.limit,
    (row) => ({ at: row.releasedAt, id: row.id }),
    (row) => row,
  );
  return { items: await withVersions(ledger, page.items), next: page.next };
}

/** Repos that have such a ref, or had it; one more than a few where there are many. */
async function someReposWith(ledger: Db, ref: string): Promise<RepoId[]> {
  const rows = await ledger.db
    .selectFrom("repos")
    .select("id")
    .where((eb) => {
      const knows = (table: "heads" | "hints" | "releases") =>
        eb.exists(
          eb
            .selectFrom(table)
            .select(`${table}.ref`)
            .whereRef(`${table}.repoId`, "=", "repos.id")
            .where(`${table}.ref`, "=", ref),
        );
      return eb.or([knows("heads"), knows("hints"), knows("releases")]);
    })
    .limit(FEW_REPOS + 1)
    .execute();
  return rows.map((row) => row.id);
}

/** The releases of that artifact name that bear this version: more than one where several repos have one. */
export async function findReleases(ledger: Db, artifact: string, version: string, repoId?: RepoId): Promise<Release[]> {
  let query = ledger.db
    .selectFrom("releaseVersions as v")
    .innerJoin("releases", "releases.id", "v.releaseId")
    .selectAll("releases")
    .where("v.artifact", "=", artifact)
    .where("v.version", "=", version)
    .orderBy("releases.repoId");
  if (repoId !== undefined) query = query.where("v.repoId", "=", repoId);
  return withVersions(ledger, await query.execute());
}

/** The artifacts that released something in the last `age` ms. */
export function recentArtifacts(ledger: Db, age: number): Promise<{ repoId: RepoId; artifact: string }[]> {
  return ledger.db
    .selectFrom("releases")
    .select(["repoId", "artifact"])
    .distinct()
    .where((eb) => eb("releasedAt", ">=", eb(now(ledger), "-", age)))
    .execute();
}

/** The repos that have released an artifact of this name. */
export async function reposWithArtifact(ledger: Db, artifact: string): Promise<RepoId[]> {
  const rows = await ledger.db
    .selectFrom("repos")
    .select("id")
    .where((eb) =>
      eb.exists(
        eb
          .selectFrom("releaseVersions as v")
          .select("v.version")
          .whereRef("v.repoId", "=", "repos.id")
          .where("v.artifact", "=", artifact),
      ),
    )
    .orderBy("id")
    .execute();
  return rows.map((row) => row.id);
}

/** The versions that a tag gave to an artifact, each with the release that bears it. In no order that means anything. */
export function taggedVersions(
  ledger: Db,
  repoId: RepoId,
  artifact: string,
): Promise<{ version: string; releaseId: string }[]> {
  return (
    ledger.db
      .selectFrom("releaseVersions")
      .select(["version", "releaseId"])
      .where("repoId", "=", repoId)
      .where("artifact", "=", artifact)
      // Written out, the index of tagged ones is seen to hold them.
      .where("tagged", "=", sql.lit(1))
      .execute()
  );
}

/** Of the releases of an artifact whose commits a ref is known to have pointed to, that of the newest commit; null: there is none. */
export async function newestReleaseOnRef(
  ledger: Db,
  repoId: RepoId,
  artifact: string,
  ref: string,
): Promise<string | null> {
  const row = await ledger.db
    .selectFrom("releases")
    .select("id")
    .where("repoId", "=", repoId)
    .where("artifact", "=", artifact)
    .where(pointedTo(ref))
    .orderBy("committedAt", "desc")
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? null;
}

/** Of a release: the ref is its own, or is known to have pointed to its commit too. */
function pointedTo(ref: string) {
  return (eb: ExpressionBuilder<Schema, "releases">) => {
    const ofCommit = (table: "heads" | "hints") =>
      eb
        .selectFrom(table)
        .select("sha")
        .where("ref", "=", ref)
        .whereRef(`${table}.repoId`, "=", "releases.repoId")
        .whereRef(`${table}.sha`, "=", "releases.sha");
    return eb.or([eb("ref", "=", ref), eb.exists(ofCommit("heads")), eb.exists(ofCommit("hints"))]);
  };
}

async function withVersions(ledger: Db, rows: Row[]): Promise<Release[]> {
  if (rows.length === 0) return [];
  const versions = await ledger.db
    .selectFrom("releaseVersions")
    .select(["releaseId", "version"])
    .where(
      "releaseId",
      "in",
      rows.map((row) => row.id),
    )
    .orderBy("at")
    .orderBy("version")
    .execute();
  return rows.map(({ metadata, ...row }) => ({
    ...row,
    metadata: JSON.parse(metadata) as Record<string, unknown>,
    versions: versions.filter(({ releaseId }) => releaseId === row.id).map(({ version }) => version),
  }));
}
