import { type CreateTableBuilder, type Kysely, SqliteAdapter, sql } from "kysely";
import { versionKey } from "../../delivery/version-order.ts";

const AT_ONCE = 1_000;

/** What a catalog of many releases is asked for, and what people changed. */
export async function up(db: Kysely<unknown>): Promise<void> {
  const sqlite = db.getExecutor().adapter instanceof SqliteAdapter;
  const int = sqlite ? "integer" : "bigint";
  const create = (name: string) => {
    const table = db.schema.createTable(name) as unknown as CreateTableBuilder<string, string>;
    return sqlite ? table.modifyEnd(sql`strict`) : table;
  };
  await versionOrder(db, sqlite);

  await create("released_artifacts")
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("artifact", "text", (column) => column.notNull())
    .addColumn("release_id", "text", (column) => column.notNull().references("releases.id"))
    .addPrimaryKeyConstraint("released_artifacts_key", ["repo_id", "artifact"])
    .execute();
  await sql`create index released_artifacts_by_name on released_artifacts (artifact, repo_id)`.execute(db);
  await sql`insert into released_artifacts (repo_id, artifact, release_id)
    select repo_id, artifact, id from (select repo_id, artifact, id,
      row_number() over (partition by repo_id, artifact order by released_at desc, id desc) as place from releases) newest
    where place = 1`.execute(db);

  await create("branch_releases")
    .addColumn("repo_id", "text", (column) => column.notNull().references("repos.id"))
    .addColumn("artifact", "text", (column) => column.notNull())
    .addColumn("ref", "text", (column) => column.notNull())
    .addColumn("release_id", "text", (column) => column.notNull().references("releases.id"))
    .addPrimaryKeyConstraint("branch_releases_key", ["repo_id", "artifact", "ref"])
    .execute();
  // Right until a worker reads the branches again.
  await sql`insert into branch_releases (repo_id, artifact, ref, release_id)
    select repo_id, artifact, ref, id from (select repo_id, artifact, ref, id,
      row_number() over (partition by repo_id, artifact, ref order by committed_at desc, id desc) as place from releases
      where ref like 'refs/heads/%') newest
    where place = 1`.execute(db);

  const workers = create("workers")
    .addColumn("owner", "text", (column) => column.primaryKey())
    .addColumn("machine", "text", (column) => column.notNull())
    .addColumn("version", "text", (column) => column.notNull())
    .addColumn("slots", int, (column) => column.notNull())
    .addColumn("busy", int, (column) => column.notNull())
    .addColumn("ahead", int, (column) => column.notNull())
    .addColumn("started_at", int, (column) => column.notNull())
    .addColumn("seen_at", int, (column) => column.notNull());
  await workers.execute();

  const audit = create("audit");
  await (sqlite
    ? audit.addColumn("id", "integer", (column) => column.primaryKey().autoIncrement())
    : audit.addColumn("id", "bigint", (column) => column.primaryKey().generatedAlwaysAsIdentity())
  )
    .addColumn("at", int, (column) => column.notNull())
    .addColumn("person", "text", (column) => column.notNull())
    .addColumn("via", "text", (column) => column.notNull())
    .addColumn("action", "text", (column) => column.notNull())
    .addColumn("repo_id", "text", (column) => column.references("repos.id"))
    .addColumn("sha", "text")
    .addColumn("outcome", "text", (column) => column.notNull())
    .execute();
  await sql`create index audit_newest on audit (at, id)`.execute(db);
}

/** Each version gets the key by which an index finds a range of versions. */
async function versionOrder(db: Kysely<unknown>, sqlite: boolean): Promise<void> {
  // The order of a language would not be that of the bytes.
  const column = sqlite ? sql`text` : sql`text collate "C"`;
  await sql`alter table release_versions add column sort_key ${column}`.execute(db);
  await fillKeys(db);
  await sql`create index release_versions_in_order on release_versions (sort_key, release_id)`.execute(db);
  await sql`create index release_versions_in_order_of_artifact
    on release_versions (artifact, sort_key, release_id)`.execute(db);
}

interface VersionRow {
  repoId: string;
  artifact: string;
  version: string;
}

async function fillKeys(db: Kysely<unknown>): Promise<void> {
  let after: VersionRow = { repoId: "", artifact: "", version: "" };
  for (;;) {
    const { rows } = await sql<VersionRow>`select repo_id, artifact, version from release_versions
      where (repo_id, artifact, version) > (${after.repoId}, ${after.artifact}, ${after.version})
      order by repo_id, artifact, version limit ${sql.lit(AT_ONCE)}`.execute(db);
    const keyed = rows.flatMap((row) => {
      const key = versionKey(row.version);
      return key === null ? [] : [sql`(${row.repoId}, ${row.artifact}, ${row.version}, ${key})`];
    });
    if (keyed.length > 0)
      await sql`with keyed (repo_id, artifact, version, sort_key) as (values ${sql.join(keyed)})
        update release_versions set sort_key = keyed.sort_key from keyed
        where release_versions.repo_id = keyed.repo_id and release_versions.artifact = keyed.artifact
        and release_versions.version = keyed.version`.execute(db);
    const last = rows.at(-1);
    if (last === undefined) return;
    after = last;
  }
}
