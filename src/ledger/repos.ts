import type { Selectable } from "kysely";
import type { RepoId } from "../delivery/types.ts";
import type { Db, Tx } from "./ledger.ts";
import type { Schema } from "./schema/schema.ts";
import { chunks, now } from "./sql.ts";

/** A repo as a webhook or the host's API describes it. */
export interface SeenRepo {
  id: RepoId;
  /** The key under `hosts`. */
  host: string;
  owner: string;
  name: string;
  /** Null if unknown: the stored one stays. */
  defaultBranch: string | null;
}

export type KnownRepo = Selectable<Schema["repos"]>;

/** Inserts the repos of a host's list that are new. They count as idle until a hint names them. */
export async function saveListedRepos(tx: Tx, repos: readonly SeenRepo[]): Promise<void> {
  for (const some of chunks(repos)) {
    const values = some.map((repo) => ({ ...repo, activeAt: 0, createdAt: now(tx) }));
    await tx.db
      .insertInto("repos")
      .values(values)
      .onConflict((conflict) => conflict.column("id").doNothing())
      .execute();
    const names = some.map(({ id, host, owner, name }) => ({
      host,
      fullName: `${owner}/${name}`.toLowerCase(),
      repoId: id,
    }));
    await tx.db
      .insertInto("repoNames")
      .values(names)
      .onConflict((conflict) =>
        conflict.columns(["host", "fullName"]).doUpdateSet((eb) => ({ repoId: eb.ref("excluded.repoId") })),
      )
      .execute();
  }
}

/**
 * `activeAt` is updated at most this often: with every webhook, each commit of the database would write one more page.
 */
const ACTIVE_AT_PRECISION_MS = 60_000;

/** Saves repos with their current names. An older name stays an alias until another repo gets it. */
export async function saveRepos(tx: Tx, repos: readonly SeenRepo[]): Promise<void> {
  // One statement may touch a row only once, so the last entry of a repo counts. Sorting prevents deadlocks between
  // writers.
  const byId = [...new Map(repos.map((repo) => [repo.id, repo])).values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  await saveRows(tx, byId);
  await saveNames(tx, byId);
}

async function saveRows(tx: Tx, repos: readonly SeenRepo[]): Promise<void> {
  for (const some of chunks(repos)) {
    await tx.db
      .insertInto("repos")
      .values(
        some.map(({ id, host, owner, name, defaultBranch }) => {
          return { id, host, owner, name, defaultBranch, activeAt: now(tx), createdAt: now(tx) };
        }),
      )
      .onConflict((conflict) =>
        conflict
          .column("id")
          .doUpdateSet((eb) => ({
            owner: eb.ref("excluded.owner"),
            name: eb.ref("excluded.name"),
            defaultBranch: eb.fn.coalesce("excluded.defaultBranch", "repos.defaultBranch"),
            activeAt: eb.ref("excluded.activeAt"),
          }))
          .where((eb) =>
            eb.or([
              eb("repos.activeAt", "<", eb("excluded.activeAt", "-", ACTIVE_AT_PRECISION_MS)),
              eb("repos.owner", "!=", eb.ref("excluded.owner")),
              eb("repos.name", "!=", eb.ref("excluded.name")),
              eb(
                "repos.defaultBranch",
                "is distinct from",
                eb.fn.coalesce("excluded.defaultBranch", "repos.defaultBranch"),
              ),
            ]),
          ),
      )
      .execute();
  }
}

async function saveNames(tx: Tx, repos: readonly SeenRepo[]): Promise<void> {
  const names = new Map(
    repos.map((repo) => {
      const fullName = `${repo.owner}/${repo.name}`.toLowerCase();
      return [`${repo.host} ${fullName}`, { host: repo.host, fullName, repoId: repo.id }];
    }),
  );
  for (const some of chunks([...names.values()])) {
    await tx.db
      .insertInto("repoNames")
      .values(some)
      .onConflict((conflict) =>
        conflict
          .columns(["host", "fullName"])
          .doUpdateSet((eb) => ({ repoId: eb.ref("excluded.repoId") }))
          .where("repoNames.repoId", "!=", (eb) => eb.ref("excluded.repoId")),
      )
      .execute();
  }
}

export async function getRepo(ledger: Db, id: RepoId): Promise<KnownRepo | null> {
  return (await ledger.db.selectFrom("repos").selectAll().where("id", "=", id).executeTakeFirst()) ?? null;
}

/** The repo that was last seen under this name on its host; null: none was. */
export async function bearerOfName(
  ledger: Db,
  { host, owner, name }: Pick<SeenRepo, "host" | "owner" | "name">,
): Promise<Pick<KnownRepo, "id" | "defaultBranch"> | null> {
  const row = await ledger.db
    .selectFrom("repoNames")
    .innerJoin("repos", "repos.id", "repoNames.repoId")
    .select(["repos.id", "repos.defaultBranch"])
    .where("repoNames.host", "=", host)
    .where("repoNames.fullName", "=", `${owner}/${name}`.toLowerCase())
    .executeTakeFirst();
  return row ?? null;
}

/**
 * Finds repos by a current or former name.
 * @param name `<host>/<owner>/<name>` or `<owner>/<name>`; upper and lower case are equal. If its first segment is a
 *   host that has the rest, it means that host, and no owner that begins with the same word.
 * @returns several if several hosts have a repo of that name
 */
export async function findRepo(ledger: Db, name: string): Promise<KnownRepo[]> {
  const slash = name.indexOf("/");
  const atHost = await findNamed(ledger, name.slice(slash + 1), name.slice(0, Math.max(slash, 0)));
  return atHost.length > 0 ? atHost : findNamed(ledger, name);
}

function findNamed(ledger: Db, path: string, host?: string): Promise<KnownRepo[]> {
  const named = ledger.db
    .selectFrom("repoNames")
    .innerJoin("repos", "repos.id", "repoNames.repoId")
    .selectAll("repos")
    .where("repoNames.fullName", "=", path.toLowerCase())
    .orderBy("repos.id");
  return (host === undefined ? named : named.where("repoNames.host", "=", host)).execute();
}

export async function setDefaultBranch(ledger: Db, id: RepoId, defaultBranch: string): Promise<void> {
  await ledger.db.updateTable("repos").set({ defaultBranch }).where("id", "=", id).execute();
}

/** All repos, the most recently active first. */
export function listRepos(ledger: Db): Promise<KnownRepo[]> {
  return ledger.db.selectFrom("repos").selectAll().orderBy("activeAt", "desc").orderBy("id").execute();
}
