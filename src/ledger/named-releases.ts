import type { Selectable } from "kysely";
import type { Destination, Plan, RepoId } from "../delivery/types.ts";
import type { Db } from "./ledger.ts";
import type { Schema } from "./schema/schema.ts";

/** The facts about a release that decide which names it gets. */
export type NamedRelease = Pick<
  Selectable<Schema["releases"]>,
  "id" | "sha" | "artifact" | "kind" | "digest" | "deliveryId" | "committedAt"
> & {
  /** In the order in which the release got them. */
  versions: string[];
  /** Those of `versions` that come from a git tag. */
  tagged: string[];
  destinations: Destination[];
  /** The branches and tags that its plan watches; null if its plan is not known. */
  on: Plan["on"] | null;
};

/** Every release of a repo, newest first. */
export async function namedReleases(ledger: Db, repoId: RepoId): Promise<NamedRelease[]> {
  const rows = await ledger.db
    .selectFrom("releases as r")
    .innerJoin("deliveries as d", "d.id", "r.deliveryId")
    .select(["r.id", "r.sha", "r.artifact", "r.kind", "r.digest", "r.deliveryId", "r.committedAt", "d.plan"])
    .where("r.repoId", "=", repoId)
    .orderBy("r.releasedAt", "desc")
    .orderBy("r.id", "desc")
    .execute();
  const versions = await versionsByRelease(ledger, repoId);
  // Nearly all commits have the same plan text, so each text is parsed once.
  const plans = new Map<string, Plan>();
  return rows.map(({ plan: text, ...row }) => {
    const plan = text === null ? null : (plans.get(text) ?? (JSON.parse(text) as Plan));
    if (text !== null && plan !== null) plans.set(text, plan);
    const own = versions.get(row.id) ?? [];
    return {
      ...row,
      versions: own.map(({ version }) => version),
      tagged: own.filter(({ tagged }) => tagged === 1).map(({ version }) => version),
      destinations: plan?.artifacts.find(({ name }) => name === row.artifact)?.publish ?? [],
      on: plan?.on ?? null,
    };
  });
}

async function versionsByRelease(ledger: Db, repoId: RepoId) {
  const rows = await ledger.db
    .selectFrom("releaseVersions")
    .select(["releaseId", "version", "tagged"])
    .where("repoId", "=", repoId)
    .orderBy("at")
    .orderBy("version")
    .execute();
  const versions = new Map<string, typeof rows>();
  for (const row of rows) {
    const own = versions.get(row.releaseId) ?? [];
    versions.set(row.releaseId, own);
    own.push(row);
  }
  return versions;
}
