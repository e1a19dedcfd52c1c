import type { ExpressionBuilder } from "kysely";
import type { RepoId, Sha } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";
import type { Schema } from "./schema/schema.ts";

/** A condition on releases: the ref is the release's own, or is known to have pointed to its commit. */
export function pointedTo(ref: string) {
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

/** Repos that have the ref, or had it; at most `limit` of them. */
export async function reposWithRef(ledger: Db, ref: string, limit: number): Promise<RepoId[]> {
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
    .limit(limit)
    .execute();
  return rows.map((row) => row.id);
}

/**
 * The commits of these repos that the ref is known to have pointed to, or whose release names it.
 * @returns null if there are more than `limit`
 */
export async function commitsOfRef(
  ledger: Db,
  repos: readonly RepoId[],
  ref: string,
  limit: number,
): Promise<Sha[] | null> {
  const shas = new Set<Sha>();
  for (const table of ["heads", "hints", "releases"] as const) {
    const rows = await ledger.db
      .selectFrom(table)
      .select("sha")
      .distinct()
      .where("repoId", "in", repos)
      .where("ref", "=", ref)
      .limit(limit + 1)
      .execute();
    for (const { sha } of rows) if (sha !== null) shas.add(sha);
    if (shas.size > limit) return null;
  }
  return [...shas];
}
