import { type Dialect, PostgresDialect, type PostgresPoolClient } from "kysely";
import type { CustomTypesConfig, Pool, PoolClient } from "pg";
import { ConfigError, TransientError } from "../delivery/errors.ts";
import { checked } from "./binding.ts";

const INT8 = 20;

/** @param enter runs before a connection is taken; throws where a transaction's own handle should have been used. */
export function postgresDialect(databaseUrl: string, enter: () => void): Dialect {
  const place = placeOf(databaseUrl);
  const opening = openPool(databaseUrl);
  return new PostgresDialect({
    pool: {
      connect: async () => {
        enter();
        try {
          return guarded(await (await opening).connect(), place);
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
    application_name: "deliverd",
    // Compiling a query that reads a handful of rows takes longer than running it.
    options: "-c jit=off",
    max: 10,
    keepAlive: true,
    connectionTimeoutMillis: 5_000,
    lock_timeout: 10_000,
    // A process that is stopped inside a transaction must not hold its row locks for ever.
    idle_in_transaction_session_timeout: 30_000,
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

function guarded(client: PoolClient, place: string): PostgresPoolClient {
  // A checked-out connection that breaks says so in its query; the event alone would end the process.
  const ignore = () => {};
  client.on("error", ignore);
  const query = async (text: string, parameters: readonly unknown[]) => {
    const values = checked(parameters, text);
    try {
      return await client.query(text, values);
    } catch (error) {
      throw unavailable(error, place);
    }
  };
  return {
    // Kysely's interface also streams by cursor, which the ledger never does.
    query: query as unknown as PostgresPoolClient["query"],
    release() {
      client.off("error", ignore);
      client.release();
    },
  };
}

/** SQLSTATEs that say "not now": https://www.postgresql.org/docs/15/errcodes-appendix.html. */
const UNAVAILABLE = /^(08|53|57P|58|40|25P03|25006|55P03|57014)/;
/** Wrong user, password or database. */
const MISCONFIGURED = /^(28|3D)/;

function unavailable(error: unknown, place: string): unknown {
  if (!(error instanceof Error)) return error;
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (MISCONFIGURED.test(code)) {
    return new ConfigError("ledger-refused", `the ledger at ${place} refuses us (databaseUrl): ${error.message}`, {
      cause: error,
    });
  }
  // Without an SQLSTATE it is the network's or the pool's: ECONNREFUSED, a timeout, a connection that ended.
  if (/^[0-9A-Z]{5}$/.test(code) && !UNAVAILABLE.test(code)) return error;
  const reason = error.message || code;
  return new TransientError("ledger-unavailable", `the ledger at ${place} cannot be used now: ${reason}`, {
    cause: error,
  });
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
