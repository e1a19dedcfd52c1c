import { AsyncLocalStorage } from "node:async_hooks";
import { join } from "node:path";
import { CamelCasePlugin, Kysely, Migrator, sql, type Transaction } from "kysely";
import { MIGRATION_TIMEOUTS, postgresDialect } from "./database/postgres.ts";
import { sqliteDialect } from "./database/sqlite.ts";
import { migrations } from "./migrations/index.ts";
import type { Schema } from "./schema/schema.ts";

export type DialectName = "sqlite" | "postgres";

/** What every query function takes first: the ledger itself, or a transaction on it. */
export interface Db {
  readonly db: Kysely<Schema>;
  readonly dialect: DialectName;
  /** All or nothing. On a transaction it joins that one. Inside it only ledger calls, each on the `tx` it is given. */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
}

export interface Tx extends Db {
  readonly db: Transaction<Schema>;
}

/**
 * The database behind it all. Any call throws TransientError `ledger-unavailable` while the database cannot be used
 * (down, disk full, locked for too long): nothing was written then, or, where the connection broke during the commit, all.
 */
export interface Ledger extends Db {
  /** Resolves when the database answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens `<dataDir>/ledger.db`, or the PostgreSQL database at `databaseUrl`, and brings its tables up to date. Several may
 * open it at once. @throws ConfigError where it cannot be opened like this, TransientError where it cannot be now.
 */
export async function openLedger(options: { dataDir: string; databaseUrl?: string | undefined }): Promise<Ledger> {
  // A mistake of ours, which tests find: following every promise of the process for it would slow the receiver by a tenth.
  const inside = process.env.NODE_ENV === "production" ? null : new AsyncLocalStorage<{ open: boolean }>();
  const enter = () => {
    if (inside?.getStore()?.open) throw new Error("inside a ledger transaction, call the ledger through its tx");
  };
  const [dialect, kyselyDialect] =
    options.databaseUrl === undefined
      ? (["sqlite", sqliteDialect(join(options.dataDir, "ledger.db"), enter)] as const)
      : (["postgres", postgresDialect(options.databaseUrl, enter)] as const);
  const db = new Kysely<Schema>({ dialect: kyselyDialect, plugins: [new CamelCasePlugin()] });
  try {
    await migrate(db, options.databaseUrl);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return {
    db,
    dialect,
    transaction: (work) =>
      db.transaction().execute(async (trx) => {
        const tx = joined(trx, dialect);
        if (inside === null) return work(tx);
        const scope = { open: true };
        try {
          return await inside.run(scope, () => work(tx));
        } finally {
          scope.open = false;
        }
      }),
    ping: async () => {
      await sql`select 1`.execute(db);
    },
    close: () => db.destroy(),
  };
}

function joined(db: Transaction<Schema>, dialect: DialectName): Tx {
  const tx: Tx = { db, dialect, transaction: (work) => work(tx) };
  return tx;
}

async function migrate(db: Kysely<Schema>, databaseUrl: string | undefined): Promise<void> {
  const migrator = migratorOn(db);
  const isDone = (await migrator.getMigrations()).every((migration) => migration.executedAt !== undefined);
  if (isDone || databaseUrl === undefined) return latest(migrator);
  const dialect = postgresDialect(databaseUrl, () => {}, MIGRATION_TIMEOUTS);
  const patient = new Kysely<Schema>({ dialect, plugins: [new CamelCasePlugin()] });
  try {
    await latest(migratorOn(patient));
  } finally {
    await patient.destroy();
  }
}

function migratorOn(db: Kysely<Schema>): Migrator {
  return new Migrator({ db, provider: { getMigrations: async () => migrations } });
}

async function latest(migrator: Migrator): Promise<void> {
  const { error } = await migrator.migrateToLatest();
  if (error) throw error;
}
