import { sql } from "kysely";
import type { Ledger } from "../src/ledger/ledger.ts";

const REPOS = 2_000;
/** How many; fewer for whoever works on this row: `DELIVERD_BENCH_PAST=10000`. */
export const DELIVERIES = Number(process.env.DELIVERD_BENCH_PAST ?? 1_000_000);
const HINTS = DELIVERIES / 10;
const DAY = 24 * 60 * 60_000;
/** It ends before the week whose names are verified every hour, and lies within the 90 days that explanations are kept. */
const ENDED = 8 * DAY;
const SPAN = 80 * DAY;

/** What a column becomes that is not copied from the model as it is. */
type Changes = Record<string, string>;

/** What tells one delivery from another, in whichever table it stands. */
const KEYS: Changes = {
  delivery_id: "p.id",
  repo_id: "p.repo_id",
  sha: "p.sha",
  digest: "p.digest",
  version: "p.version",
};
const RELEASE = "substr(p.digest, 8, 24)";

/**
 * Gives a ledger a past of a million deliveries of 2,000 repos, the model's among them, in 80 days: each is the model, a
 * real delivery with all that is known of it, under keys of its own. Of twenty, one was ignored, one failed and one was
 * superseded. The newest still have their hints, a hundred thousand, their logs and notices. The other repos are in no entry of `repos`: the sweep
 * reads them, and asks nobody about them.
 * @param ledger in use by nobody else meanwhile. @param model the id of a delivery that was delivered with one image
 */
export function givePast(ledger: Ledger, model: string): Promise<void> {
  // One connection, because its settings are its own.
  return ledger.db.connection().execute((db) => fill({ ...ledger, db }, model));
}

async function fill(ledger: Ledger, model: string): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(ledger.db);
  const { rows } = await sql<{ hints: number }>`select count(*) as hints from hints where done_at is not null
    and sha = (select sha from deliveries where id = ${model})`.execute(ledger.db);
  const newest = `p.n > ${DELIVERIES - Math.ceil(HINTS / (rows[0]?.hints ?? 1))}`;
  const ofModel = `m.delivery_id = '${model}'`;
  const ofCommit = `(m.repo_id, m.sha) = (select repo_id, sha from deliveries where id = '${model}')`;
  const delivered = "p.state = 'delivered'";
  const copies: [table: string, which: string, changes?: Changes][] = [
    ["deliveries", `m.id = '${model}'`, { id: "p.id", state: "p.state" }],
    ["hints", `${ofCommit} and m.done_at is not null and ${newest}`],
    ["decisions", `${ofCommit} and m.action = 'deliver'`],
    ["attempts", `${ofModel} and p.state in ('delivered', 'failed')`],
    ["logs", `${ofModel} and ${newest}`],
    ["outbox", `${ofModel} and (m.kind = 'status' or m.kind = 'notice' and ${newest})`, { id: "m.id || '-' || p.n" }],
    ["artifacts", `${ofModel} and ${delivered}`],
    ["version_claims", `${ofCommit} and ${delivered}`],
    ["releases", `${ofModel} and ${delivered}`, { id: RELEASE }],
    [
      "release_versions",
      `m.release_id = (select id from releases where delivery_id = '${model}') and ${delivered}`,
      { release_id: RELEASE },
    ],
    [
      "locations",
      `${ofModel} and m.immutable = 1 and ${delivered}`,
      { repository: "p.repository", tag: "m.tag || '-' || p.n" },
    ],
  ];
  await withoutIndexes(ledger, async () => {
    await inventKeys(ledger, model);
    for (const [table, which, changes] of copies)
      await run(await copying(ledger, table, which, { ...KEYS, ...changes }));
    await run(`insert into heads (repo_id, ref, sha, seen_at)
      select p.repo_id, 'refs/heads/main', p.sha, d.created_at + p.shift from past p, deliveries d where d.id = '${model}'`);
    await run("drop table past");
  });
  // PostgreSQL does so by itself within minutes, which would be those that are measured; deliverd never does on SQLite.
  if (ledger.dialect === "postgres") for (const text of ["vacuum analyze", "checkpoint"]) await run(text);
}

/**
 * An index that is made at once, when all rows are there, costs a tenth of one that is kept row by row. So PostgreSQL's keys go
 * too: those of most tables come in no order, and each foreign key would lock the row it points at. SQLite's cannot go.
 */
export async function withoutIndexes(ledger: Ledger, work: () => Promise<void>): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(ledger.db);
  const isSqlite = ledger.dialect === "sqlite";
  for (const text of isSqlite ? SQLITE_SETTINGS : POSTGRES_SETTINGS) await run(text);
  const { rows } = await sql<{
    make: string;
    drop: string;
  }>`${sql.raw(isSqlite ? SQLITE_INDEXES : POSTGRES_INDEXES)}`.execute(ledger.db);
  for (const { drop } of rows.toReversed()) await run(drop);
  await work();
  for (const { make } of rows) await run(make);
}

/** Of this connection alone. A crash would cost the bench nothing, and keys that are made here need no look. */
const SQLITE_SETTINGS = ["synchronous = off", "cache_size = -1000000", "foreign_keys = off"].map(
  (each) => `pragma ${each}`,
);
const SQLITE_INDEXES = `select sql as make, 'drop index ' || name as "drop"
  from sqlite_master where type = 'index' and sql is not null`;

const POSTGRES_SETTINGS = ["set maintenance_work_mem = '1GB'"];
/** Foreign keys need the primary keys that they point at: they are the last to be made, and the first to go. */
const POSTGRES_INDEXES = `select make, "drop" from (
  select 1 as turn, indexdef as make, format('drop index %I', indexname) as "drop" from pg_indexes
    where schemaname = 'public' and indexname not in (select conname from pg_constraint)
  union all
  select case contype when 'f' then 3 else 2 end,
    format('alter table %s add constraint %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)),
    format('alter table %s drop constraint %I', conrelid::regclass, conname)
    from pg_constraint where connamespace = 'public'::regnamespace and contype in ('p', 'u', 'f')) each order by turn`;

/** The keys of the million, and the repos that they belong to. */
async function inventKeys(ledger: Ledger, model: string): Promise<void> {
  const run = (text: string) => sql.raw(text).execute(ledger.db);
  const hex = (bytes: number) =>
    ledger.dialect === "sqlite"
      ? `lower(hex(randomblob(${bytes})))`
      : `substr(md5(n || '${bytes}') || md5(n || '-${bytes}'), 1, ${2 * bytes})`;
  const state = ["ignored", "failed", "superseded"].map((each, index) => `when ${index} then '${each}'`).join(" ");
  await run(`create table past as
    with recursive numbers(n) as (select cast(1 as bigint) union all select n + 1 from numbers where n < ${DELIVERIES})
    select n, ${hex(8)} as id, ${hex(20)} as sha, 'sha256:' || ${hex(32)} as digest, '0.0.' || n as version,
      case (n / ${REPOS}) % 20 ${state} else 'delivered' end as state,
      case n % ${REPOS} when 0 then d.repo_id else 'github:past-' || (n % ${REPOS}) end as repo_id,
      case n % ${REPOS} when 0 then l.repository else 'past/repo-' || (n % ${REPOS}) end as repository,
      (n - ${DELIVERIES}) * ${SPAN / DELIVERIES} - ${ENDED} as shift
    from numbers, deliveries d, (select max(repository) as repository from locations) l where d.id = '${model}'`);
  const ofOthers = `from past p, repos m where p.n < ${REPOS} and m.id = (select repo_id from deliveries where id = '${model}')`;
  await run(`insert into repos (id, host, owner, name, default_branch, active_at, created_at)
    select p.repo_id, m.host, 'past', 'repo-' || p.n, m.default_branch, m.active_at + p.shift, m.created_at + p.shift ${ofOthers}`);
  await run(`insert into repo_names (host, full_name, repo_id) select m.host, p.repository, p.repo_id ${ofOthers}`);
  await run(`insert into name_owners (registry, repository, repo_id, at)
    select o.registry, p.repository, p.repo_id, o.at + p.shift from past p, name_owners o where p.n < ${REPOS}`);
}

/** Copies the model's rows of a table for every delivery of the past; every time in them lies as far back as the delivery. */
async function copying({ db }: Ledger, table: string, which: string, changes: Changes): Promise<string> {
  const found = (await db.introspection.getTables()).find(({ name }) => name === table);
  const columns = (found?.columns ?? []).filter((column) => !column.isAutoIncrementing).map(({ name }) => name);
  const values = columns.map((name) => changes[name] ?? (/(^|_)at$/.test(name) ? `m.${name} + p.shift` : `m.${name}`));
  return `insert into ${table} (${columns.join(", ")}) select ${values.join(", ")} from past p, ${table} m where ${which}`;
}
