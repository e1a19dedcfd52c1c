import { createHash } from "node:crypto";
import { sql } from "kysely";
import { Refused, TransientError } from "../delivery/errors.ts";
import type { Frozen } from "../delivery/frozen.ts";
import type { ArtifactKind, RepoId, Sha } from "../delivery/types.ts";
import { versionKey } from "../delivery/version-order.ts";
import { frozenColumns } from "./frozen-columns.ts";
import { lockFence } from "./leases.ts";
import type { Db, Tx } from "./ledger.ts";
import { pointedTo } from "./release-refs.ts";
import { type Release, withVersions } from "./release-rows.ts";
import { now } from "./sql.ts";

export { listReleases } from "./list-releases.ts";
export type { Release } from "./release-rows.ts";

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
  await noteArtifact(tx, of);
  for (const version of versions) {
    const added = await addReleaseVersion(tx, of, { version, tagged: tagged.includes(version) });
    if (!added.ok)
      throw new Refused("version-taken", `${version} of ${release.artifact} belongs to ${added.belongsTo}`);
  }
  const stored = await getRelease(tx, id);
  if (stored === null) throw new Error(`release ${id} disappeared after it was recorded`);
  return stored;
}

/** A release is recorded again for a new version. Then another may be newer. */
async function noteArtifact(tx: Tx, { id, repoId, artifact }: Pick<Release, "id" | "repoId" | "artifact">) {
  const at = (id: "excluded.releaseId" | "releasedArtifacts.releaseId") =>
    tx.db.selectFrom("releases").select("releasedAt").whereRef("releases.id", "=", sql.ref(id));
  await tx.db
    .insertInto("releasedArtifacts")
    .values({ repoId, artifact, releaseId: id })
    .onConflict((conflict) =>
      conflict
        .columns(["repoId", "artifact"])
        .doUpdateSet((eb) => ({ releaseId: eb.ref("excluded.releaseId") }))
        .where((eb) => eb(at("excluded.releaseId"), ">=", at("releasedArtifacts.releaseId"))),
    )
    .execute();
}

/** Adds a version to a release. A version of a repo's artifact belongs to one release for ever. */
export async function addReleaseVersion(
  ledger: Db,
  { id, repoId, artifact }: Pick<Release, "id" | "repoId" | "artifact">,
  { version, tagged }: { version: string; tagged: boolean },
): Promise<{ ok: true } | { ok: false; belongsTo: Sha }> {
  await ledger.db
    .insertInto("releaseVersions")
    .values({
      repoId,
      artifact,
      version,
      releaseId: id,
      tagged: tagged ? 1 : 0,
      at: now(ledger),
      sortKey: versionKey(version),
    })
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

/** The releases of an artifact with this version; several if several repos have an artifact of this name. */
export async function findReleases(
  ledger: Db,
  artifact: string,
  version: string,
  repoId?: RepoId,
  limit = 200,
): Promise<Release[]> {
  let query = ledger.db
    .selectFrom("releaseVersions as v")
    .innerJoin("releases", "releases.id", "v.releaseId")
    .selectAll("releases")
    .where("v.artifact", "=", artifact)
    .where("v.version", "=", version)
    .orderBy("releases.repoId")
    .limit(limit);
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
    .selectFrom("releasedArtifacts")
    .select("repoId")
    .where("artifact", "=", artifact)
    .orderBy("repoId")
    .execute();
  return rows.map((row) => row.repoId);
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
