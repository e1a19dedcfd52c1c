import { type ExpressionBuilder, type SqlBool, sql } from "kysely";
import type { RepoId } from "../delivery/types.ts";
import type { KeyInterval } from "../delivery/version-order.ts";
import type { Db } from "./ledger.ts";
import type { Schema } from "./schema/schema.ts";

/**
 * The ids of the releases that have a version in one of the intervals.
 * @returns null if there are more than `limit`
 */
export async function releasesInRange(
  ledger: Db,
  { repoId, artifact }: { repoId?: RepoId | undefined; artifact?: string | undefined },
  intervals: readonly KeyInterval[],
  limit: number,
): Promise<string[] | null> {
  let query = ledger.db
    .selectFrom("releaseVersions as v")
    .select("v.releaseId")
    .distinct()
    .where(inIntervals(intervals))
    .limit(limit + 1);
  if (artifact !== undefined) query = query.where("v.artifact", "=", artifact);
  if (repoId !== undefined) query = query.where("v.repoId", "=", repoId);
  const rows = await query.execute();
  return rows.length > limit ? null : rows.map((row) => row.releaseId);
}

/** A condition on releases: one of the versions is in one of the intervals. */
export function hasVersionIn(intervals: readonly KeyInterval[]) {
  return (eb: ExpressionBuilder<Schema, "releases">) =>
    eb.exists(
      eb
        .selectFrom("releaseVersions as v")
        .select("v.releaseId")
        .whereRef("v.releaseId", "=", "releases.id")
        .where(inIntervals(intervals)),
    );
}

/** The condition of `isInIntervals`, for rows of `releaseVersions as v`. */
function inIntervals(intervals: readonly KeyInterval[]) {
  const key = sql.ref("v.sort_key");
  const each = intervals.map(({ from, includesFrom, to, includesTo, prereleasesOf }) => {
    const lower = sql`${key} ${sql.raw(includesFrom ? ">=" : ">")} ${from}`;
    const upper = sql`${key} ${sql.raw(includesTo ? "<=" : "<")} ${to}`;
    if (prereleasesOf === null) return sql`(${lower} and ${upper})`;
    // `.` follows `-`, so these are the keys that begin with the prefix and `-`.
    const named = prereleasesOf.map((prefix) => sql` or (${key} > ${`${prefix}-`} and ${key} < ${`${prefix}.`})`);
    return sql`(${lower} and ${upper} and (${key} like '%~'${sql.join(named, sql``)}))`;
  });
  return sql<SqlBool>`(${sql.join(each, sql` or `)})`;
}
