import { CompiledQuery, type DatabaseConnection, type Dialect, type Driver, type QueryResult } from "kysely";
import { TransientError } from "../../../src/delivery/errors.ts";
import { sqliteDialect } from "../../../src/ledger/database/sqlite.ts";
import { type DialectName, type Ledger, ledgerOn, migrate } from "../../../src/ledger/ledger.ts";
import type { Network } from "../machine/network.ts";
import type { Actor, Scheduler } from "../machine/scheduler.ts";

/** One database of this thread, which each run empties. Every simulated process has a ledger of its own on it. */
export class Database {
  readonly dialect: DialectName;
  readonly #kysely: Dialect;
  readonly #connection: DatabaseConnection;
  readonly #driver: Driver;
  readonly #tables: string[];
  /** Sees each statement of the processes, after it was carried out. */
  watch: (statement: Statement) => void = () => {};
  /** By the text of a statement. */
  readonly #timed = new Map<string, Timed>();

  private constructor(
    dialect: DialectName,
    kysely: Dialect,
    driver: Driver,
    connection: DatabaseConnection,
    tables: string[],
  ) {
    this.dialect = dialect;
    this.#kysely = kysely;
    this.#driver = driver;
    this.#connection = connection;
    this.#tables = tables;
  }

  /** SQLite in memory, with the tables of the ledger. */
  static async openSqlite(): Promise<Database> {
    const kysely = sqliteDialect(":memory:", () => {});
    const driver = kysely.createDriver();
    await driver.init();
    const shared: Dialect = {
      ...kysely,
      createDriver: () => ({ ...bound(driver), init: async () => {}, destroy: async () => {} }),
    };
    await migrate(ledgerOn("sqlite", shared).db, undefined);
    const connection = await driver.acquireConnection();
    const { rows } = await connection.executeQuery<{ name: string }>(
      CompiledQuery.raw("select name from sqlite_master where type = 'table' and name not like 'kysely%'"),
    );
    // What refers to another table was made after it.
    return new Database("sqlite", kysely, driver, connection, rows.map(({ name }) => name).reverse());
  }

  async clear(): Promise<void> {
    for (const table of this.#tables) await this.ask(`delete from ${table}`);
  }

  /** A question of the test itself, past every process and its faults. */
  async ask<Row>(text: string, parameters: unknown[] = []): Promise<Row[]> {
    return (await this.#connection.executeQuery<Row>(CompiledQuery.raw(text, parameters))).rows;
  }

  /** The ledger as one process has it: each call of it is a call over the network, at the virtual time. */
  ledgerOf(caller: Actor, scheduler: Scheduler, network: Network): Ledger {
    const failure = (why: string) => new TransientError("ledger-unavailable", `the ledger cannot be used now: ${why}`);
    const call = (to: string) =>
      network.call({ caller, to, serve: () => {}, failure, latency: [0, 3], patience: 5_000 });
    // On the way back: what was committed stays, whether or not the process hears of it.
    return this.#open(
      scheduler,
      () => call("the ledger"),
      () => call("the ledger's answer"),
    );
  }

  /** The ledger as a person's request has it: nothing goes wrong. */
  directLedger(scheduler: Scheduler): Ledger {
    const nothing = async () => {};
    return this.#open(scheduler, nothing, nothing);
  }

  #open(scheduler: Scheduler, ask: () => Promise<void>, answer: () => Promise<void>): Ledger {
    const base = this.#driver;
    const timed: DatabaseConnection = {
      executeQuery: (query) => this.#execute(query, scheduler.now),
      streamQuery: () => {
        throw new Error("the ledger cannot stream a query");
      },
    };
    const driver: Driver = {
      init: async () => {},
      acquireConnection: async () => {
        await ask();
        return timed;
      },
      beginTransaction: (_connection, settings) => base.beginTransaction(this.#connection, settings),
      commitTransaction: () => base.commitTransaction(this.#connection),
      rollbackTransaction: () => base.rollbackTransaction(this.#connection),
      releaseConnection: answer,
      destroy: async () => {},
    };
    return ledgerOn(this.dialect, { ...this.#kysely, createDriver: () => driver });
  }

  async #execute<R>(query: CompiledQuery, now: number): Promise<QueryResult<R>> {
    const timed = this.#timed.get(query.sql) ?? toTimed(query.sql);
    this.#timed.set(query.sql, timed);
    const parameters = [...query.parameters];
    for (const [index, place] of timed.places.entries()) parameters.splice(place + index, 0, now);
    const result = await this.#connection.executeQuery<R>({ ...query, sql: timed.sql, parameters });
    if (result.numAffectedRows !== undefined && result.numAffectedRows > 0n)
      this.watch({ sql: query.sql, parameters: query.parameters });
    return result;
  }
}

/** A statement that changed something. */
export interface Statement {
  sql: string;
  /** Without those of the clock. */
  parameters: readonly unknown[];
}

/** A statement whose clock is a parameter. */
interface Timed {
  sql: string;
  /** Of each clock, how many of the statement's own parameters stand before it. */
  places: number[];
}

/** As in src/ledger/sql.ts. */
const SQLITE_CLOCK = "cast(round(unixepoch('subsec') * 1000) as integer)";

function toTimed(sql: string): Timed {
  const parts = sql.split(SQLITE_CLOCK);
  let before = 0;
  const places = parts.slice(0, -1).map((part) => {
    before += part.split("?").length - 1;
    return before;
  });
  return { sql: parts.join("?"), places };
}

function bound(driver: Driver): Driver {
  return {
    init: () => driver.init(),
    acquireConnection: () => driver.acquireConnection(),
    beginTransaction: (connection, settings) => driver.beginTransaction(connection, settings),
    commitTransaction: (connection) => driver.commitTransaction(connection),
    rollbackTransaction: (connection) => driver.rollbackTransaction(connection),
    releaseConnection: (connection) => driver.releaseConnection(connection),
    destroy: () => driver.destroy(),
  };
}
