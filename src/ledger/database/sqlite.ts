import { dirname } from "node:path";
import { setTimeout as delay, setImmediate as immediate } from "node:timers/promises";
import {
  type CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from "kysely";
import Database from "libsql";
import { Semaphore } from "../../async/semaphore.ts";
import { ConfigError, TransientError } from "../../delivery/errors.ts";
import { makeFolder } from "../../run/make-folder.ts";
import { checkParameters } from "./parameters.ts";

/** A query fails if another process holds the write lock for longer. */
const LOCK_TIMEOUT_MS = 10_000;
/** Queries may run one after the other for this long before the event loop gets a turn. */
const MAX_BLOCKING_MS = 5;
/** Far more than the code has different queries. Lists of parameters have a text for each length. */
const MAX_PREPARED_STATEMENTS = 500;

/** @param enter runs before a connection is taken; it throws if taking one would wait for ever */
export function sqliteDialect(file: string, enter: () => void): Dialect {
  return {
    createAdapter: () => new Adapter(),
    createDriver: () => new SqliteDriver(file, enter),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** Tells Kysely that SQLite's DDL is transactional. A migration then runs in a `BEGIN IMMEDIATE`, which also locks. */
class Adapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** One connection, which one caller at a time can use. */
class SqliteDriver implements Driver {
  readonly #file: string;
  readonly #enter: () => void;
  readonly #turns = new Semaphore();
  #connection: SqliteConnection | undefined;
  #yieldedAt = 0;

  constructor(file: string, enter: () => void) {
    this.#file = file;
    this.#enter = enter;
  }

  async init(): Promise<void> {
    this.#connection ??= await SqliteConnection.open(this.#file);
  }

  async acquireConnection(): Promise<SqliteConnection> {
    this.#enter();
    await this.#yieldToEventLoop();
    await this.#turns.acquire();
    if (this.#connection === undefined) {
      this.#turns.release();
      throw new Error("the ledger is closed");
    }
    return this.#connection;
  }

  async releaseConnection(): Promise<void> {
    this.#turns.release();
  }

  /** libsql is synchronous: without this, a loop of queries would block timers and sockets. */
  async #yieldToEventLoop(): Promise<void> {
    if (performance.now() - this.#yieldedAt < MAX_BLOCKING_MS) return;
    await immediate();
    this.#yieldedAt = performance.now();
  }

  beginTransaction(connection: SqliteConnection): Promise<void> {
    return connection.begin();
  }

  async commitTransaction(connection: SqliteConnection): Promise<void> {
    connection.commit();
  }

  async rollbackTransaction(connection: SqliteConnection): Promise<void> {
    connection.rollback();
  }

  async destroy(): Promise<void> {
    await this.#turns.acquire();
    this.#connection?.close();
    this.#connection = undefined;
    this.#turns.release();
  }
}

class SqliteConnection implements DatabaseConnection {
  readonly #database: Database.Database;
  readonly #file: string;
  /** Prepared statements by their text: preparing one costs as much as running it. */
  readonly #statements = new Map<string, Database.Statement>();

  private constructor(database: Database.Database, file: string) {
    this.#database = database;
    this.#file = file;
  }

  static async open(file: string): Promise<SqliteConnection> {
    await makeFolder(dirname(file), 0o700).catch((cause: unknown) => {
      throw cannotOpen(file, cause);
    });
    let database: Database.Database;
    try {
      database = new Database(file, { timeout: 0 });
    } catch (cause) {
      throw cannotOpen(file, cause);
    }
    const connection = new SqliteConnection(database, file);
    try {
      // SQLite's own busy wait would block the event loop: #retryWhileLocked waits instead.
      for (const pragma of ["busy_timeout = 0", "journal_mode = wal", "synchronous = full", "foreign_keys = on"]) {
        await connection.#retryWhileLocked(() => database.prepare(`pragma ${pragma}`).all());
      }
      return connection;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /**
   * Runs a write outside a transaction in a transaction of its own. Reason: libsql leaves a statement open if it fails
   * on a lock, and later reads then see an old snapshot. `exec` always closes its statement, so only `BEGIN IMMEDIATE`
   * may meet a lock.
   */
  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const parameters = checkParameters(query.parameters, query.sql).map((value) =>
      // libsql binds a number as a float, which would turn integer expressions into floats.
      typeof value === "number" ? BigInt(value) : value,
    );
    const run = () => this.#run<R>(query.sql, parameters);
    if (this.#database.inTransaction) return this.#translateErrors(run);
    if (isRead(query)) return this.#retryWhileLocked(run);
    await this.begin();
    try {
      const result = this.#translateErrors(run);
      this.commit();
      return result;
    } catch (error) {
      this.rollback();
      throw error;
    }
  }

  // biome-ignore lint/correctness/useYield: the interface requires a generator, and nothing streams from the ledger.
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error("the ledger cannot stream a query: read it in pages");
  }

  begin(): Promise<void> {
    return this.#retryWhileLocked(() => {
      this.#database.exec("begin immediate");
    });
  }

  commit(): void {
    this.#translateErrors(() => this.#database.exec("commit"));
  }

  /** SQLite may have rolled back already, for example because the disk is full. */
  rollback(): void {
    if (this.#database.inTransaction) this.#translateErrors(() => this.#database.exec("rollback"));
  }

  close(): void {
    this.#database.close();
  }

  #run<R>(sql: string, parameters: unknown[]): QueryResult<R> {
    const statement = this.#statements.get(sql) ?? this.#database.prepare(sql);
    // Reuse only statements that succeeded: one that failed may still be open.
    this.#statements.delete(sql);
    // libsql says whether the statement returns rows; Kysely's types say which.
    const rows = statement.reader ? (statement.all(parameters) as R[]) : [];
    const changed = statement.reader ? {} : { numAffectedRows: BigInt(statement.run(parameters).changes) };
    if (this.#statements.size >= MAX_PREPARED_STATEMENTS) this.#statements.clear();
    this.#statements.set(sql, statement);
    return { rows, ...changed };
  }

  /** Retries while another connection holds the lock, without blocking the event loop. */
  async #retryWhileLocked<T>(attempt: () => T): Promise<T> {
    const end = performance.now() + LOCK_TIMEOUT_MS;
    for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
      try {
        return attempt();
      } catch (error) {
        if (!isBusy(error) || performance.now() > end) throw this.#toLedgerError(error);
        await delay(wait * (0.5 + Math.random()));
      }
    }
  }

  #translateErrors<T>(attempt: () => T): T {
    try {
      return attempt();
    } catch (error) {
      throw this.#toLedgerError(error);
    }
  }

  #toLedgerError(error: unknown): unknown {
    const name = codeOf(error);
    const what = Object.entries(UNAVAILABLE).find(([prefix]) => name.startsWith(prefix))?.[1];
    if (what === undefined) return error;
    return new TransientError("ledger-unavailable", `the ledger ${this.#file} cannot be used now: ${what} (${name})`, {
      cause: error,
    });
  }
}

/** SQLite result codes of errors that may pass (https://sqlite.org/rescode.html), by prefix. */
const UNAVAILABLE = {
  SQLITE_BUSY: `another process has held its lock for more than ${LOCK_TIMEOUT_MS / 1000} s`,
  SQLITE_FULL: "the disk is full",
  SQLITE_IOERR: "reading or writing the disk failed",
  SQLITE_CANTOPEN: "the file cannot be opened",
  SQLITE_READONLY: "the file is read-only",
  SQLITE_NOMEM: "there is not enough memory",
  SQLITE_PROTOCOL: "its locks could not be taken",
};

function isRead(query: CompiledQuery): boolean {
  return query.query.kind === "SelectQueryNode" || /^\s*(select|pragma|explain)\b/i.test(query.sql);
}

function isBusy(error: unknown): boolean {
  return codeOf(error).startsWith("SQLITE_BUSY");
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

function cannotOpen(file: string, cause: unknown): ConfigError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ConfigError(
    "ledger-not-opened",
    `the ledger ${file} cannot be opened (${reason}): make dataDir a directory that this user may write to`,
    { cause },
  );
}
