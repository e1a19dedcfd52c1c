import type { Selectable } from "kysely";
import type { Frozen } from "../delivery/frozen.ts";
import type { ArtifactKind, ArtifactName, Digest, RepoId, Sha } from "../delivery/types.ts";
import { frozenOf } from "./frozen-columns.ts";
import type { Db } from "./ledger.ts";
import type { Schema } from "./schema/schema.ts";
import { chunks, now } from "./sql.ts";

type Row = Selectable<Schema["locations"]>;

/** The content that a registry had under a name when it was last read back. */
export type StoredLocation = Omit<Row, "immutable"> & { immutable: boolean };

/**
 * Records what a registry has under a name. A moving name gets the new content; an immutable one keeps its first.
 * @returns false if the name is immutable and has another digest
 */
export async function recordLocation(ledger: Db, location: Omit<StoredLocation, "at">): Promise<boolean> {
  const row = await ledger.db
    .insertInto("locations")
    .values({ ...location, immutable: location.immutable ? 1 : 0, at: now(ledger) })
    .onConflict((conflict) =>
      conflict
        .columns(["registry", "repository", "tag"])
        .doUpdateSet((eb) => ({
          immutable: eb.ref("excluded.immutable"),
          deliveryId: eb.ref("excluded.deliveryId"),
          artifact: eb.ref("excluded.artifact"),
          repoId: eb.ref("excluded.repoId"),
          digest: eb.ref("excluded.digest"),
          url: eb.ref("excluded.url"),
          pull: eb.ref("excluded.pull"),
          at: eb.ref("excluded.at"),
        }))
        .where("locations.immutable", "=", 0),
    )
    .returning("digest")
    .executeTakeFirst();
  if (row !== undefined) return true;
  return (await getLocation(ledger, location))?.digest === location.digest;
}

/**
 * What stands under a name, by the ledger's knowledge. @param keys every key of the configuration that leads to the
 * same place: an immutable name stays its first content, and a moving one is what was written last, through whichever
 * key
 */
export async function getLocation(
  ledger: Db,
  name: Pick<ArtifactName, "registry" | "repository" | "tag">,
  keys: readonly string[] = [name.registry],
): Promise<StoredLocation | null> {
  return standingOf(await locationsUnder(ledger, name, keys));
}

/** The same name under each of the keys through which it was written. */
export async function locationsUnder(
  ledger: Db,
  name: Pick<ArtifactName, "repository" | "tag">,
  keys: readonly string[],
): Promise<StoredLocation[]> {
  const rows = await ledger.db
    .selectFrom("locations")
    .selectAll()
    .where("registry", "in", keys)
    .where("repository", "=", name.repository)
    .where("tag", "=", name.tag)
    .execute();
  return rows.map(fromRow);
}

/** Of rows of one name in one place, the one that says what stands there. */
export function standingOf(rows: readonly StoredLocation[]): StoredLocation | null {
  const [first] = rows.filter((row) => row.immutable).toSorted((a, b) => a.at - b.at);
  const [last] = rows.toSorted((a, b) => b.at - a.at);
  return first ?? last ?? null;
}

export async function locationsOfDelivery(ledger: Db, deliveryId: string): Promise<StoredLocation[]> {
  const rows = await inOrder(ledger).where("deliveryId", "=", deliveryId).execute();
  return rows.map(fromRow);
}

/** Every name that this content of this repo's artifact has now, immutable names first. */
export async function locationsOfRelease(
  ledger: Db,
  release: { repoId: RepoId; artifact: string; digest: Digest },
): Promise<StoredLocation[]> {
  const rows = await inOrder(ledger)
    .where("repoId", "=", release.repoId)
    .where("artifact", "=", release.artifact)
    .where("digest", "=", release.digest)
    .execute();
  return rows.map(fromRow);
}

/** The same for several releases: each location once, those of one release in the same order. */
export async function locationsOfReleases(
  ledger: Db,
  releases: readonly { repoId: RepoId; artifact: string; digest: Digest }[],
): Promise<StoredLocation[]> {
  const contents = new Map(
    releases.map(({ repoId, artifact, digest }) => [
      JSON.stringify([repoId, artifact, digest]),
      { repoId, artifact, digest },
    ]),
  );
  const found: StoredLocation[] = [];
  for (const some of chunks([...contents.values()], 100)) {
    const ofAny = inOrder(ledger).where((eb) => eb.or(some.map((content) => eb.and(content))));
    found.push(...(await ofAny.execute()).map(fromRow));
  }
  return found;
}

/** A name together with the commit whose release stands under it, and its content. */
export type ReleasedLocation = StoredLocation & { sha: Sha; kind: ArtifactKind; content: Frozen };

/** The locations of an artifact's releases of the last `age` ms. */
export async function recentLocations(
  ledger: Db,
  age: number,
  { repo, artifact }: { repo: RepoId; artifact: string },
): Promise<ReleasedLocation[]> {
  const rows = await ledger.db
    .selectFrom("locations as l")
    .innerJoin("releases as r", (join) =>
      join.onRef("r.repoId", "=", "l.repoId").onRef("r.artifact", "=", "l.artifact").onRef("r.digest", "=", "l.digest"),
    )
    .selectAll("l")
    .select(["r.sha", "r.kind", "r.mediaType", "r.size", "r.parts"])
    .where("r.repoId", "=", repo)
    .where("r.artifact", "=", artifact)
    .where((eb) => eb("r.releasedAt", ">=", eb(now(ledger), "-", age)))
    .orderBy("l.registry")
    .orderBy("l.repository")
    .orderBy("l.tag")
    .execute();
  return rows.map(({ sha, kind, mediaType, size, parts, ...row }) => {
    return { ...fromRow(row), sha, kind, content: frozenOf({ digest: row.digest, mediaType, size, parts }) };
  });
}

function inOrder(ledger: Db) {
  return ledger.db
    .selectFrom("locations")
    .selectAll()
    .orderBy("immutable", "desc")
    .orderBy("registry")
    .orderBy("repository")
    .orderBy("tag");
}

function fromRow(row: Row): StoredLocation {
  return { ...row, immutable: row.immutable === 1 };
}
