import { type Dialect, PostgresDialect, type PostgresPoolClient } from "kysely";
import type { CustomTypesConfig, Pool, PoolClient } from "pg";
import { ConfigError, TransientError } from "../../delivery/errors.ts";
import { checkParameters } from "./parameters.ts";

const INT8 = 20;

/** Time-outs of a connection, in ms. */
export interface Timeouts {
  /** One statement, by the server's clock. */
  statementMs: number;
  /** The part of it that may be spent waiting for a lock. */
  lockMs: number;
  /**
   * One statement, by this process's clock. It is for a server that hangs, and so does not end the statement itself.
   */
  answerMs: number;
}

const QUERY_TIMEOUTS: Timeouts = { statementMs: 20_000, lockMs: 10_000, answerMs: 25_000 };
/** A migration may rewrite a large table, or wait for another process that migrates. */
export const MIGRATION_TIMEOUTS: Timeouts = { statementMs: 30 * 60_000, lockMs: 30 * 60_000, answerMs: 31 * 60_000 };
/** A process that is paused inside a transaction must not keep its row locks for longer. */
const IDLE_IN_TRANSACTION_MS = 30_000;

/** @param enter runs before a connection is taken; it throws if the caller must use its transaction instead */
export function postgresDialect(databaseUrl: string, enter: () => void, timeouts = QUERY_TIMEOUTS): Dialect {
  const place = placeOf(databaseUrl);
  const opening = openPool(databaseUrl);
  const pooled = new WeakMap<PoolClient, Promise<boolean>>();
  return new PostgresDialect({
    pool: {
      connect: async () => {
        enter();
        try {
          const client = await (await opening).connect();
          return await Connection.open(client, place, timeouts, pooled);
        } catch (error) {
          throw toLedgerError(error, place);
        }
      },
      end: async () => (await opening).end(),
    },
  });
}

/** Loads the driver only when it is needed: most installations have no PostgreSQL. */
async function openPool(databaseUrl: string): Promise<Pool> {
  const { default: pg } = await import("pg");
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    // The only start-up parameter that every pooler accepts. All other settings are made by SQL.
    application_name: "deliverd",
    max: 10,
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    // Read bigint as a number: times, sizes and counts stay below 2^53.
    types: {
      getTypeParser: ((oid: number, format?: "text") =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as CustomTypesConfig["getTypeParser"],
    },
  });
  // The pool replaces an idle connection that breaks. Without a listener the event would end the process.
  pool.on("error", () => {});
  return pool;
}

/** @param scope `session`: for the whole connection · `local`: for the current transaction */
function settings(scope: "session" | "local", { statementMs, lockMs }: Timeouts): string {
  const values = {
    // Our queries read few rows: compiling them takes longer than running them.
    jit: "off",
    statement_timeout: statementMs,
    lock_timeout: lockMs,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
  };
  return Object.entries(values)
    .map(([name, value]) => `set ${scope} ${name} = ${value}`)
    .join("; ");
}

/**
 * A connection that is taken from the pool. Behind a pooler such as PgBouncer, two transactions of one connection may
 * run on two server connections, so session settings would be lost. There, each transaction begins with its own
 * settings, and a single statement runs in a transaction of its own.
 */
class Connection {
  readonly #client: PoolClient;
  readonly #place: string;
  readonly #timeouts: Timeouts;
  readonly #ignore = () => {};
  #isPooled = false;
  #isOpen = false;
  #broken: TransientError | null = null;

  private constructor(client: PoolClient, place: string, timeouts: Timeouts) {
    this.#client = client;
    this.#place = place;
    this.#timeouts = timeouts;
    // If the connection breaks, the running query reports it. Without a listener the event would end the process.
    client.on("error", this.#ignore);
  }

  static async open(
    client: PoolClient,
    place: string,
    timeouts: Timeouts,
    pooled: WeakMap<PoolClient, Promise<boolean>>,
  ) {
    const connection = new Connection(client, place, timeouts);
    const isPooled = pooled.get(client) ?? connection.#detectPooler();
    pooled.set(client, isPooled);
    try {
      connection.#isPooled = await isPooled;
    } catch (error) {
      connection.#broken ??= new TransientError("ledger-unavailable", String(error));
      connection.release();
      throw error;
    }
    // Kysely's interface also streams by cursor, which the ledger never does.
    return connection as unknown as PostgresPoolClient;
  }

  /**
   * Runs once per connection. Behind a pooler, the server process that answers is not the one that the greeting named.
   */
  async #detectPooler(): Promise<boolean> {
    const { rows } = await this.#ask("select pg_backend_pid() as pid", []);
    if ("processID" in this.#client && this.#client.processID !== rows[0]?.pid) return true;
    await this.#ask(settings("session", this.#timeouts), []);
    return false;
  }

  async query(text: string, parameters: readonly unknown[]) {
    const values = checkParameters(parameters, text);
    if (!this.#isPooled) return this.#ask(text, values);
    if (text === "begin") return this.#begin();
    if (this.#isOpen) {
      if (text === "commit" || text === "rollback") this.#isOpen = false;
      return this.#ask(text, values);
    }
    await this.#begin();
    try {
      const result = await this.#ask(text, values);
      await this.#ask("commit", []);
      return result;
    } catch (error) {
      await this.#ask("rollback", []).catch(() => {});
      throw error;
    } finally {
      this.#isOpen = false;
    }
  }

  release(): void {
    this.#client.off("error", this.#ignore);
    this.#client.release(this.#broken ?? undefined);
  }

  #begin() {
    this.#isOpen = true;
    return this.#ask(`begin; ${settings("local", this.#timeouts)}`, []);
  }

  async #ask(text: string, values: readonly unknown[]) {
    if (this.#broken !== null) throw this.#broken;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        // A late answer would be taken for the answer to the next query, so the connection cannot be used any more.
        this.#broken = new TransientError(
          "ledger-unavailable",
          `the ledger at ${this.#place} cannot be used now: it did not answer within ${this.#timeouts.answerMs / 1000} s`,
        );
        // The connection is closed after its release, and may raise an error after that.
        this.#client.on("error", this.#ignore);
        reject(this.#broken);
      }, this.#timeouts.answerMs);
    });
    try {
      const asked = this.#client.query(text, [...values]);
      asked.catch(() => {});
      return await Promise.race([asked, late]);
    } catch (error) {
      const failure = toLedgerError(error, this.#place);
      // After a failover this server takes no more writes. A new connection leads to the one that does.
      if (failure instanceof TransientError && isReadOnly(error)) this.#broken ??= failure;
      throw failure;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** SQLSTATEs of errors that may pass: https://www.postgresql.org/docs/15/errcodes-appendix.html. */
const UNAVAILABLE = /^(08|53|57P|58|40|25P03|25006|55P03|57014)/;
/** SQLSTATEs for a wrong user, password or database, a missing schema, and missing rights. */
const MISCONFIGURED = /^(28|3D|3F|42501)/;
/**
 * Messages of configuration errors that have no SQLSTATE of their own. PgBouncer sends them all with 08P01, the driver
 * without a code.
 */
const CONFIGURATION_ERROR =
  /unsupported startup parameter|statement pooling|no such (user|database)|does not support SSL|SSL required|SASL|SCRAM|certificate|self.signed/i;

function isReadOnly(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "25006";
}

function toLedgerError(error: unknown, place: string): unknown {
  if (!(error instanceof Error) || error instanceof TransientError || error instanceof ConfigError) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const hasState = /^[0-9A-Z]{5}$/.test(code);
  const hasConfigurationMessage =
    (!hasState || code === "08P01") && CONFIGURATION_ERROR.test(`${code} ${error.message}`);
  if (MISCONFIGURED.test(code) || hasConfigurationMessage) {
    return new ConfigError(
      "ledger-refused",
      `the ledger at ${place} (databaseUrl) refuses the connection: ${error.message}. ${remedyOf(error.message)}`,
      { cause: error },
    );
  }
  // An error without an SQLSTATE comes from the network or the pool: ECONNREFUSED, a time-out, a connection that ended.
  if (hasState && !UNAVAILABLE.test(code)) return error;
  const reason = error.message || code;
  const remedy = hasState ? "" : " Check that PostgreSQL listens there, or correct databaseUrl.";
  return new TransientError(
    "ledger-unavailable",
    `the ledger at ${place} (databaseUrl) cannot be used now: ${reason}.${remedy}`,
    { cause: error },
  );
}

function remedyOf(message: string): string {
  if (/startup parameter/i.test(message)) {
    return (
      "Remove 'options' and other parameters that the pooler does not know from databaseUrl, " +
      "or name them in its ignore_startup_parameters."
    );
  }
  if (/statement pooling/i.test(message))
    return "The ledger needs transactions: set the pooler's pool_mode to transaction or session.";
  if (/SSL|certificate|self.signed/i.test(message)) return "Correct sslmode and sslrootcert in databaseUrl.";
  if (/permission/i.test(message)) return "Grant the user of databaseUrl the right to create tables in its schema.";
  return "Correct user, password and database in databaseUrl.";
}

/** Host and database, without user and password. */
function placeOf(databaseUrl: string): string {
  try {
    const url = new URL(databaseUrl);
    if (!/^postgres(ql)?:$/.test(url.protocol)) throw new Error("not postgres://");
    return `${url.host || url.searchParams.get("host") || "localhost"}${url.pathname}`;
  } catch {
    throw new ConfigError(
      "database-url-invalid",
      "databaseUrl must have the shape postgres://user:password@host:5432/database",
    );
  }
}
