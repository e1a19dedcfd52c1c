import type { Selectable } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";
import type { Schema } from "./schema/schema.ts";
import { chunks } from "./sql.ts";

type Row = Selectable<Schema["releases"]>;

/** One released artifact of one commit. `versions` are in the order in which the release got them. */
export type Release = Omit<Row, "metadata"> & { metadata: Record<string, unknown>; versions: string[] };

/** The releases of these rows, each with its versions. */
export async function withVersions(ledger: Db, rows: Row[]): Promise<Release[]> {
  if (rows.length === 0) return [];
  const found = await ledger.db
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
  const versions = new Map<string, string[]>();
  for (const { releaseId, version } of found) versions.set(releaseId, [...(versions.get(releaseId) ?? []), version]);
  return rows.map(({ metadata, ...row }) => ({
    ...row,
    metadata: JSON.parse(metadata) as Record<string, unknown>,
    versions: versions.get(row.id) ?? [],
  }));
}

/**
 * Looks up, for each artifact of these commits, the version of the release that was recorded last.
 * @returns a function that gives it; null: there is no release
 */
export async function versionsOfCommits(
  ledger: Db,
  commits: readonly { repoId: RepoId; sha: Sha }[],
): Promise<(repoId: RepoId, sha: Sha, artifact: string) => string | null> {
  const keyOf = (repoId: RepoId, sha: Sha, artifact: string) => JSON.stringify([repoId, sha, artifact]);
  const found = new Map<string, string>();
  for (const some of chunks(commits, 100)) {
    const rows = await ledger.db
      .selectFrom("releases")
      .select(["repoId", "sha", "artifact", "version"])
      .where((eb) => eb.or(some.map(({ repoId, sha }) => eb.and({ repoId, sha }))))
      .orderBy("releasedAt")
      .orderBy("id")
      .execute();
    for (const { repoId, sha, artifact, version } of rows) found.set(keyOf(repoId, sha, artifact), version);
  }
  return (...of) => found.get(keyOf(...of)) ?? null;
}
