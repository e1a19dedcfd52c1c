import { createHash } from "node:crypto";
import { type ExpressionBuilder, type Selectable, sql } from "kysely";
import { Refused, TransientError } from "../delivery/errors.ts";
import type { Frozen } from "../delivery/frozen.ts";
import type { ArtifactKind, RepoId, Sha } from "../delivery/types.ts";
import { frozenColumns } from "./frozen-columns.ts";
import { lockFence } from "./leases.ts";
import type { Db, Tx } from "./ledger.ts";
import { type Page, pageOf, readCursor } from "./page.ts";
import type { Schema } from "./schema/schema.ts";
import { now } from "./sql.ts";

type Row = Selectable<Schema["releases"]>;

/** One released artifact of one commit. `versions` are in the order in which the release got them. */
export type Release = Omit<Row, "metadata"> & { metadata: Record<string, unknown>; versions: string[] };

export interface NewRelease extends Frozen {
  repoId: RepoId;
  sha: Sha;
  artifact: string;
  /** The version, if the bytes contain it and the commit has several; otherwise left out. */
  variant?: string;
  kind: ArtifactKind;
  /** All versions of the release; the first is the one to display. */
  versions: readonly string[];
  /** Those of `versions` that come from a version tag. */
  tagged: readonly string[];
  ref: string | null;
  deliveryId: string;
  /** The fence of the caller's lease. */
  fence: number;
  committedAt: number;
  metadata: Record<string, unknown>;
}

/** A function of the key, so that every process computes the same id. */
function releaseId(key: { repoId: RepoId; sha: Sha; artifact: string; variant?: string | undefined }): string {
  const text = JSON.stringify([key.repoId, key.sha, key.artifact, key.variant ?? ""]);
  return createHash("sha256").update(text).digest("hex").slice(0, 24);
}

/**
 * Records a release. If it is recorded already, this only adds its new versions.
 * @returns the release as stored
 * @throws TransientError `lease-lost` if the fence is stale, Refused `version-taken` if another release has one of the
 * versions
 */
export async function recordRelease(tx: Tx, release: NewRelease): Promise<Release> {
  const { fence, versions, tagged, variant = "", metadata, files: _files, package: _package, ...fields } = release;
  if (!(await lockFence(tx, release.deliveryId, fence))) {
    throw new TransientError("lease-lost", `another worker has delivery ${release.deliveryId} now`);
  }
  const [version] = versions;
  if (version === undefined) throw new Error(`the release of ${release.artifact} has no version`);
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
  const of = { id, repoId: fields.repoId, artifact: fields.artifact };
  for (const version of versions) {
    const added = await addReleaseVersion(tx, of, { version, tagged: tagged.includes(version) });
    if (!added.ok)
      throw new Refused("version-taken", `${version} of ${release.artifact} belongs to ${added.belongsTo}`);
  }
  const stored = await getRelease(tx, id);
  if (stored === null) throw new Error(`release ${id} disappeared after it was recorded`);
  return stored;
}

/** Adds a version to a release. A version of a repo's artifact belongs to one release for ever. */
export async function addReleaseVersion(
  ledger: Db,
  { id, repoId, artifact }: Pick<Release, "id" | "repoId" | "artifact">,
  { version, tagged }: { version: string; tagged: boolean },
): Promise<{ ok: true } | { ok: false; belongsTo: Sha }> {
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

/** The releases of a delivery, oldest first. */
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
  /** Full ref: the ref of the release, or another that is known to have pointed to its commit. */
  ref?: string | undefined;
  cursor?: string | null | undefined;
  limit: number;
}

/** A ref of more repos than this is common: the newest releases soon contain it, and the query names no repos. */
const MAX_NAMED_REPOS = 20;

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
    const repos = filter.repoId === undefined ? await reposWithRef(ledger, ref) : [filter.repoId];
    if (repos.length === 0) return { items: [], next: null };
    if (repos.length <= MAX_NAMED_REPOS) query = query.where("repoId", "in", repos);
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

/** Repos that have the ref, or had it; at most `MAX_NAMED_REPOS + 1` of them. */
async function reposWithRef(ledger: Db, ref: string): Promise<RepoId[]> {
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
    .limit(MAX_NAMED_REPOS + 1)
    .execute();
  return rows.map((row) => row.id);
}

/** The releases of an artifact with this version; several if several repos have an artifact of this name. */
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

/** The artifacts that have a release of the last `age` ms. */
export function recentArtifacts(ledger: Db, age: number): Promise<{ repoId: RepoId; artifact: string }[]> {
  return ledger.db
    .selectFrom("releases")
    .select(["repoId", "artifact"])
    .distinct()
    .where((eb) => eb("releasedAt", ">=", eb(now(ledger), "-", age)))
    .execute();
}

/** The repos that have a release of an artifact of this name. */
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

/** The versions of an artifact that come from a git tag, each with the id of its release, in no particular order. */
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
      // A literal, not a parameter: only then the database uses the partial index of tagged versions.
      .where("tagged", "=", sql.lit(1))
      .execute()
  );
}

/** The id of the release with the newest commit that the ref is known to have pointed to; null if there is none. */
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

/** A condition on releases: the ref is the release's own, or is known to have pointed to its commit. */
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
