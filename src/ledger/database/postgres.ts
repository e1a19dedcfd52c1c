import { type Dialect, PostgresDialect, type PostgresPoolClient } from "kysely";
import type { CustomTypesConfig, Pool, PoolClient } from "pg";
import { ConfigError, TransientError } from "../../delivery/errors.ts";
import { checkParameters } from "./parameters.ts";

const INT8 = 20;

/** How long things may take, in ms. */
export interface Timeouts {
  /** One statement, by the server's clock. */
  statementMs: number;
  /** Waiting for another's lock, as a part of that. */
  lockMs: number;
  /** The same statement by a monotonic clock of this process: a server that hangs ends nothing itself. */
  answerMs: number;
}

const QUERY_TIMEOUTS: Timeouts = { statementMs: 20_000, lockMs: 10_000, answerMs: 25_000 };
/** A migration may have to write a large table anew, or to wait for another process that does. */
export const MIGRATION_TIMEOUTS: Timeouts = { statementMs: 30 * 60_000, lockMs: 30 * 60_000, answerMs: 31 * 60_000 };
/** A process that is stopped inside a transaction must not hold its row locks for longer. */
const IDLE_IN_TRANSACTION = 30_000;

/** @param enter runs before a connection is taken; throws where a transaction's own handle should have been used. */
export function postgresDialect(databaseUrl: string, enter: () => void, limits = QUERY_TIMEOUTS): Dialect {
  const place = placeOf(databaseUrl);
  const opening = openPool(databaseUrl);
  const known = new WeakMap<PoolClient, Promise<boolean>>();
  return new PostgresDialect({
    pool: {
      connect: async () => {
        enter();
        try {
          const client = await (await opening).connect();
          return await Connection.on(client, place, limits, known);
        } catch (error) {
          throw unavailable(error, place);
        }
      },
      end: async () => (await opening).end(),
    },
  });
}

/** The driver is loaded here: most installations have no PostgreSQL. */
async function openPool(databaseUrl: string): Promise<Pool> {
  const { default: pg } = await import("pg");
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    // The one setting that every pooler takes at the start of a connection: all others are made by SQL.
    application_name: "deliverd",
    max: 10,
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    // bigint as a number: times, sizes and counts stay below 2^53.
    types: {
      getTypeParser: ((oid: number, format?: "text") =>
        oid === INT8 ? Number : pg.types.getTypeParser(oid, format)) as CustomTypesConfig["getTypeParser"],
    },
  });
  // An idle connection that breaks is replaced at the next use; without a listener it would end the process.
  pool.on("error", () => {});
  return pool;
}

/** @param scope `session` lasts as long as the connection, `local` as long as the transaction */
function settings(scope: "session" | "local", { statementMs, lockMs }: Timeouts): string {
  const values = {
    // Compiling a query that reads a handful of rows takes longer than running it.
    jit: "off",
    statement_timeout: statementMs,
    lock_timeout: lockMs,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION,
  };
  return Object.entries(values)
    .map(([name, value]) => `set ${scope} ${name} = ${value}`)
    .join("; ");
}

/**
 * A connection that is taken from the pool. Behind a pooler (PgBouncer) two transactions of one connection may run on two
 * of the server's: so nothing but a transaction carries state, each begins with its settings, and a statement by itself is
 * given one.
 */
class Connection {
  readonly #client: PoolClient;
  readonly #place: string;
  readonly #limits: Timeouts;
  readonly #ignore = () => {};
  #isPooled = false;
  #isOpen = false;
  #broken: TransientError | null = null;

  private constructor(client: PoolClient, place: string, limits: Timeouts) {
    this.#client = client;
    this.#place = place;
    this.#limits = limits;
    // A checked-out connection that breaks says so in its query; the event alone would end the process.
    client.on("error", this.#ignore);
  }

  static async on(client: PoolClient, place: string, limits: Timeouts, known: WeakMap<PoolClient, Promise<boolean>>) {
    const connection = new Connection(client, place, limits);
    const asking = known.get(client) ?? connection.#meet();
    known.set(client, asking);
    try {
      connection.#isPooled = await asking;
    } catch (error) {
      connection.#broken ??= new TransientError("ledger-unavailable", String(error));
      connection.release();
      throw error;
    }
    // Kysely's interface also streams by cursor, which the ledger never does.
    return connection as unknown as PostgresPoolClient;
  }

  /** Once for each connection. @returns whether a pooler stands between: then the server's process is not the one that greeted us */
  async #meet(): Promise<boolean> {
    const { rows } = await this.#ask("select pg_backend_pid() as pid", []);
    if ("processID" in this.#client && this.#client.processID !== rows[0]?.pid) return true;
    await this.#ask(settings("session", this.#limits), []);
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
    return this.#ask(`begin; ${settings("local", this.#limits)}`, []);
  }

  async #ask(text: string, values: readonly unknown[]) {
    if (this.#broken !== null) throw this.#broken;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        // Whatever it still answers would be taken for the answer to the next question.
        this.#broken = new TransientError(
          "ledger-unavailable",
          `the ledger at ${this.#place} cannot be used now: no answer within ${this.#limits.answerMs / 1000} s`,
        );
        // It is closed once it is given back, and may say so after that.
        this.#client.on("error", this.#ignore);
        reject(this.#broken);
      }, this.#limits.answerMs);
    });
    try {
      const asked = this.#client.query(text, [...values]);
      asked.catch(() => {});
      return await Promise.race([asked, late]);
    } catch (error) {
      const failure = unavailable(error, this.#place);
      // After a failover another server takes writes, which a new connection leads to.
      if (failure instanceof TransientError && isReadOnly(error)) this.#broken ??= failure;
      throw failure;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** SQLSTATEs that say "not now": https://www.postgresql.org/docs/15/errcodes-appendix.html. */
const UNAVAILABLE = /^(08|53|57P|58|40|25P03|25006|55P03|57014)/;
/** Wrong user, password or database; no such schema; no right to it. */
const MISCONFIGURED = /^(28|3D|3F|42501)/;
/** What no waiting mends, where there is no SQLSTATE of its own for it: PgBouncer says all of it under 08P01, the driver under none. */
const NEVER =
  /unsupported startup parameter|statement pooling|no such (user|database)|does not support SSL|SSL required|SASL|SCRAM|certificate|self.signed/i;

function isReadOnly(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "25006";
}

function unavailable(error: unknown, place: string): unknown {
  if (!(error instanceof Error) || error instanceof TransientError || error instanceof ConfigError) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  const hasState = /^[0-9A-Z]{5}$/.test(code);
  const isNever = (!hasState || code === "08P01") && NEVER.test(`${code} ${error.message}`);
  if (MISCONFIGURED.test(code) || isNever) {
    return new ConfigError(
      "ledger-refused",
      `the ledger at ${place} refuses us (databaseUrl): ${error.message}. ${remedyOf(error.message)}`,
      { cause: error },
    );
  }
  // Without an SQLSTATE it is the network's or the pool's: ECONNREFUSED, a timeout, a connection that ended.
  if (hasState && !UNAVAILABLE.test(code)) return error;
  const reason = error.message || code;
  return new TransientError("ledger-unavailable", `the ledger at ${place} cannot be used now: ${reason}`, {
    cause: error,
  });
}

function remedyOf(message: string): string {
  if (/startup parameter/i.test(message)) {
    return "Take 'options' and other parameters that the pooler does not know out of databaseUrl, or name them in its ignore_startup_parameters.";
  }
  if (/statement pooling/i.test(message))
    return "The ledger needs transactions: set pool_mode of the pooler to transaction or session.";
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
