import { AsyncLocalStorage } from "node:async_hooks";
import { join } from "node:path";
import {
  CamelCasePlugin,
  DEFAULT_MIGRATION_TABLE,
  type Dialect,
  Kysely,
  Migrator,
  sql,
  type Transaction,
} from "kysely";
import { ConfigError } from "../delivery/errors.ts";
import type { DeliveryState } from "../delivery/types.ts";
import { MIGRATION_TIMEOUTS, postgresDialect } from "./database/postgres.ts";
import { sqliteDialect } from "./database/sqlite.ts";
import { migrations } from "./migrations/index.ts";
import type { Schema } from "./schema/schema.ts";

export type DialectName = "sqlite" | "postgres";

/** What was committed, for those that count it. */
export interface LedgerEvent {
  kind: "delivery-ended";
  outcome: DeliveryState;
}

/** The first parameter of every query function: the ledger itself, or a transaction on it. */
export interface Db {
  readonly db: Kysely<Schema>;
  readonly dialect: DialectName;
  /**
   * Runs `work` in a transaction: all of its writes are committed, or none. On a `Tx` it joins that transaction. `work`
   * may call only the ledger, and only through its `tx`.
   */
  transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T>;
  /** Reports what was written. An event of a transaction is reported after its commit, or never. */
  emit(event: LedgerEvent): void;
}

export interface Tx extends Db {
  readonly db: Transaction<Schema>;
}

/**
 * The database of deliverd. Every call throws TransientError `ledger-unavailable` while the database cannot be used (it
 * is down, its disk is full, or it is locked for too long). Nothing was written then, except if the connection broke
 * during the commit: then the transaction may have been committed as a whole.
 */
export interface Ledger extends Db {
  /** Resolves when the database answers. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens `<dataDir>/ledger.db`, or the PostgreSQL database at `databaseUrl`, and runs its migrations. Several processes
 * may do this at the same time.
 * @throws ConfigError if the configuration is wrong, TransientError if the database cannot be used now
 */
export async function openLedger(options: {
  dataDir: string;
  databaseUrl?: string | undefined;
  onEvent?: (event: LedgerEvent) => void;
}): Promise<Ledger> {
  // Tests find such a mistake. In production the check would slow the receiver by a tenth, since it follows every
  // promise.
  const inside = process.env.NODE_ENV === "production" ? null : new AsyncLocalStorage<{ open: boolean }>();
  const enter = () => {
    if (inside?.getStore()?.open)
      throw new Error("the ledger was called inside a transaction on it: call it through the transaction's `tx`");
  };
  const [dialect, kyselyDialect] =
    options.databaseUrl === undefined
      ? (["sqlite", sqliteDialect(join(options.dataDir, "ledger.db"), enter)] as const)
      : (["postgres", postgresDialect(options.databaseUrl, enter)] as const);
  const ledger = ledgerOn(dialect, kyselyDialect, { inside, onEvent: options.onEvent });
  try {
    await migrate(ledger.db, options.databaseUrl);
  } catch (error) {
    await ledger.close();
    throw error;
  }
  return ledger;
}

/**
 * A ledger on an open database that has its tables.
 * @param options.inside finds calls of the ledger inside a transaction on it; null: they are not looked for
 */
export function ledgerOn(
  dialect: DialectName,
  kyselyDialect: Dialect,
  options: {
    inside?: AsyncLocalStorage<{ open: boolean }> | null;
    onEvent?: ((event: LedgerEvent) => void) | undefined;
  } = {},
): Ledger {
  const { inside = null, onEvent: emit = () => {} } = options;
  const db = new Kysely<Schema>({ dialect: kyselyDialect, plugins: [new CamelCasePlugin()] });
  return {
    db,
    dialect,
    emit,
    async transaction(work) {
      const events: LedgerEvent[] = [];
      const result = await db.transaction().execute(async (trx) => {
        const tx = toTx(trx, dialect, (event) => events.push(event));
        if (inside === null) return work(tx);
        const scope = { open: true };
        try {
          return await inside.run(scope, () => work(tx));
        } finally {
          scope.open = false;
        }
      });
      for (const event of events) emit(event);
      return result;
    },
    ping: async () => {
      await sql`select 1`.execute(db);
    },
    close: () => db.destroy(),
  };
}

function toTx(db: Transaction<Schema>, dialect: DialectName, emit: Db["emit"]): Tx {
  const tx: Tx = { db, dialect, emit, transaction: (work) => work(tx) };
  return tx;
}

/** Brings a database to the newest tables. */
export async function migrate(db: Kysely<Schema>, databaseUrl: string | undefined): Promise<void> {
  const migrator = createMigrator(db);
  const isDone = (await migrator.getMigrations()).every((migration) => migration.executedAt !== undefined);
  if (isDone || databaseUrl === undefined) return migrateToLatest(db, migrator);
  const dialect = postgresDialect(databaseUrl, () => {}, MIGRATION_TIMEOUTS);
  const slow = new Kysely<Schema>({ dialect, plugins: [new CamelCasePlugin()] });
  try {
    await migrateToLatest(slow, createMigrator(slow));
  } finally {
    await slow.destroy();
  }
}

/** @throws ConfigError `ledger-newer`: this version could not keep what the newer tables promise */
async function requireKnownMigrations(db: Kysely<Schema>): Promise<void> {
  const applied = sql<{ name: string }>`select name from ${sql.table(DEFAULT_MIGRATION_TABLE)}`.execute(db);
  // The table may be missing, or this user may not read it: then the error of the migration says why.
  const names = await applied.then(({ rows }) => rows.map(({ name }) => name)).catch(() => []);
  const unknown = names.filter((name) => !Object.hasOwn(migrations, name));
  if (unknown.length === 0) return;
  throw new ConfigError(
    "ledger-newer",
    `the ledger was changed by a newer deliverd (${unknown.join(", ")}), and this version does not know how. ` +
      "Start the newer version again, or restore the backup from before the upgrade.",
  );
}

function createMigrator(db: Kysely<Schema>): Migrator {
  return new Migrator({ db, provider: { getMigrations: async () => migrations } });
}

async function migrateToLatest(db: Kysely<Schema>, migrator: Migrator): Promise<void> {
  const { error } = await migrator.migrateToLatest();
  if (!error) return;
  await requireKnownMigrations(db);
  throw error;
}
