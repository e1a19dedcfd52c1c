import { mkdir } from "node:fs/promises";
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
import { checkParameters } from "./parameters.ts";

/** How long another process may hold the write lock before we give up (ms). */
const LOCK_DEADLINE = 10_000;
/** How long queries may follow each other before the event loop gets its turn (ms). */
const BREATH = 5;
/** Far more than our code has texts; lists of parameters make more of them. */
const STATEMENTS_KEPT = 500;

/** @param enter runs before a connection is taken; throws where taking one would wait for ever. */
export function sqliteDialect(file: string, enter: () => void): Dialect {
  return {
    createAdapter: () => new Adapter(),
    createDriver: () => new SqliteDriver(file, enter),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** SQLite's DDL is transactional; saying so makes each migration run in one `BEGIN IMMEDIATE`, which is also its lock. */
class Adapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

/** One connection, handed out in turns. */
class SqliteDriver implements Driver {
  readonly #file: string;
  readonly #enter: () => void;
  readonly #turns = new Semaphore();
  #connection: SqliteConnection | undefined;
  #breathedAt = 0;

  constructor(file: string, enter: () => void) {
    this.#file = file;
    this.#enter = enter;
  }

  async init(): Promise<void> {
    this.#connection ??= await SqliteConnection.open(this.#file);
  }

  async acquireConnection(): Promise<SqliteConnection> {
    this.#enter();
    await this.#breathe();
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

  /** libsql answers without ever waiting: a loop over queries would keep timers and sockets from their turn. */
  async #breathe(): Promise<void> {
    if (performance.now() - this.#breathedAt < BREATH) return;
    await immediate();
    this.#breathedAt = performance.now();
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
  /** By their text: to make one costs as much as to run it. */
  readonly #statements = new Map<string, Database.Statement>();

  private constructor(database: Database.Database, file: string) {
    this.#database = database;
    this.#file = file;
  }

  static async open(file: string): Promise<SqliteConnection> {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 }).catch((cause: unknown) => {
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
      // A busy wait inside SQLite would stop the whole event loop: waiting is done here, see #patiently.
      for (const pragma of ["busy_timeout = 0", "journal_mode = wal", "synchronous = full", "foreign_keys = on"]) {
        await connection.#patiently(() => database.prepare(`pragma ${pragma}`).all());
      }
      return connection;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /**
   * A write outside a transaction gets one of its own. libsql leaves a statement that met a lock open, and the next read then
   * keeps its snapshot for as long: so only `BEGIN IMMEDIATE`, which `exec` always closes, may ever meet a lock.
   */
  async executeQuery<R>(query: CompiledQuery): Promise<QueryResult<R>> {
    const parameters = checkParameters(query.parameters, query.sql).map((value) =>
      // libsql binds a number as a float, which no integer expression wants.
      typeof value === "number" ? BigInt(value) : value,
    );
    const run = () => this.#run<R>(query.sql, parameters);
    if (this.#database.inTransaction) return this.#translated(run);
    if (isRead(query)) return this.#patiently(run);
    await this.begin();
    try {
      const result = this.#translated(run);
      this.commit();
      return result;
    } catch (error) {
      this.rollback();
      throw error;
    }
  }

  // biome-ignore lint/correctness/useYield: the interface asks for a generator, and nobody streams from the ledger.
  async *streamQuery<R>(): AsyncIterableIterator<QueryResult<R>> {
    throw new Error("the ledger does not stream: ask in pages");
  }

  begin(): Promise<void> {
    return this.#patiently(() => {
      this.#database.exec("begin immediate");
    });
  }

  commit(): void {
    this.#translated(() => this.#database.exec("commit"));
  }

  /** SQLite may have rolled back by itself, as on a full disk. */
  rollback(): void {
    if (this.#database.inTransaction) this.#translated(() => this.#database.exec("rollback"));
  }

  close(): void {
    this.#database.close();
  }

  #run<R>(sql: string, parameters: unknown[]): QueryResult<R> {
    const statement = this.#statements.get(sql) ?? this.#database.prepare(sql);
    // Kept only after it ended well: one that failed may still be open, and is let go of.
    this.#statements.delete(sql);
    // The type of `reader` is libsql's; the rows' types are Kysely's promise.
    const rows = statement.reader ? (statement.all(parameters) as R[]) : [];
    const changed = statement.reader ? {} : { numAffectedRows: BigInt(statement.run(parameters).changes) };
    if (this.#statements.size >= STATEMENTS_KEPT) this.#statements.clear();
    this.#statements.set(sql, statement);
    return { rows, ...changed };
  }

  /** Tries again while another connection holds the lock, without blocking the event loop. */
  async #patiently<T>(attempt: () => T): Promise<T> {
    const end = performance.now() + LOCK_DEADLINE;
    for (let wait = 1; ; wait = Math.min(wait * 2, 50)) {
      try {
        return attempt();
      } catch (error) {
        if (!isBusy(error) || performance.now() > end) throw this.#unavailable(error);
        await delay(wait * (0.5 + Math.random()));
      }
    }
  }

  #translated<T>(attempt: () => T): T {
    try {
      return attempt();
    } catch (error) {
      throw this.#unavailable(error);
    }
  }

  #unavailable(error: unknown): unknown {
    const name = codeOf(error);
    const what = Object.entries(UNAVAILABLE).find(([prefix]) => name.startsWith(prefix))?.[1];
    if (what === undefined) return error;
    return new TransientError("ledger-unavailable", `the ledger ${this.#file} cannot be used now: ${what} (${name})`, {
      cause: error,
    });
  }
}

/** SQLite's result codes (https://sqlite.org/rescode.html) that say "not now", by their beginning. */
const UNAVAILABLE = {
  SQLITE_BUSY: `another process holds its lock for more than ${LOCK_DEADLINE / 1000} s`,
  SQLITE_FULL: "the disk is full",
  SQLITE_IOERR: "the disk does not read or write",
  SQLITE_CANTOPEN: "the file cannot be opened",
  SQLITE_READONLY: "the file is read-only",
  SQLITE_NOMEM: "memory is short",
  SQLITE_PROTOCOL: "its locks are in a race",
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
    `the ledger ${file} cannot be opened (${reason}): dataDir must be a directory that this user may write`,
    { cause },
  );
}
