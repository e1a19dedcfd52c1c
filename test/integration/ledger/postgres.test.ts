import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { Kysely, sql } from "kysely";
import { ConfigError, TransientError } from "../../../src/delivery/errors.ts";
import { postgresDialect } from "../../../src/ledger/database/postgres.ts";
import { ensureDelivery } from "../../../src/ledger/deliveries.ts";
import { addHints, lastHintId } from "../../../src/ledger/hints.ts";
import { claimDelivery } from "../../../src/ledger/leases.ts";
import { type Ledger, openLedger } from "../../../src/ledger/ledger.ts";
import type { Schema } from "../../../src/ledger/schema/schema.ts";
import { LeaseLost, type LeaseTimes, takeLease } from "../../../workers/deliver/lease.ts";
import { acmeApi, REPO, SHA, sharedPostgres, withRepo } from "../../support/databases/ledgers.ts";
import { startPgBouncer } from "../../support/databases/pgbouncer.ts";
import type { Postgres } from "../../support/databases/postgres.ts";
import { startRelay } from "../../support/network/relay.ts";
import { until } from "../../support/processes/process.ts";

const hint = { repo: acmeApi, event: "push", deliveryId: "", ref: "refs/heads/main", sha: SHA };

describe("PostgreSQL as the ledger", function () {
  this.timeout(120_000);
  let server: Postgres;
  let databaseUrl: string;
  let leave: (() => Promise<unknown>)[] = [];

  before(async () => {
    server = await sharedPostgres();
  });

  beforeEach(async () => {
    databaseUrl = await server.newDatabase();
    leave = [() => server.dropDatabase(databaseUrl)];
  });

  afterEach(async () => {
    for (const step of leave) await step();
  });

  const open = async (url = databaseUrl): Promise<Ledger> => {
    const ledger = await openLedger({ dataDir: "/nowhere", databaseUrl: url });
    leave.unshift(() => ledger.close());
    return ledger;
  };
  const relayed = async () => {
    const relay = await startRelay(Number(new URL(databaseUrl).port));
    leave.unshift(() => relay.stop());
    const url = new URL(databaseUrl);
    url.port = `${relay.port}`;
    return { relay, url: url.href };
  };

  for (const mode of ["transaction", "session"] as const) {
    it(`works through PgBouncer that pools by ${mode}, with many clients at once`, async () => {
      const bouncer = await startPgBouncer(server.url, mode, mode === "transaction" ? 2 : 20);
      leave.unshift(() => bouncer.stop());
      const ledger = await withRepo(await open(bouncer.through(databaseUrl)));
      await Promise.all(Array.from({ length: 40 }, () => addHints(ledger, [hint])));
      assert.equal(await lastHintId(ledger), 40);
      const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
      const { id } = await ensureDelivery(ledger, REPO, SHA, facts);
      const claims = await Promise.all(Array.from({ length: 20 }, () => claimDelivery(ledger, id, "one", 60_000)));
      assert.equal(claims.filter((each) => each !== null).length, 1);
      await assert.rejects(
        ledger.transaction(async (tx) => {
          await addHints(tx, [hint]);
          throw new Error("no");
        }),
        /^Error: no$/,
      );
      assert.equal((await ledger.db.selectFrom("hints").selectAll().execute()).length, 40);
    });
  }

  it("leaves no settings in a connection that PgBouncer then gives to others", async () => {
    const bouncer = await startPgBouncer(server.url, "transaction", 1);
    leave.unshift(() => bouncer.stop());
    const ledger = await open(bouncer.through(databaseUrl));
    const inside = await ledger.transaction((tx) => setting(tx.db, "lock_timeout"));
    assert.equal(inside, "10s");
    assert.equal(await setting(ledger.db, "statement_timeout"), "20s");
    const { default: pg } = await import("pg");
    const other = new pg.Client({ connectionString: bouncer.through(databaseUrl) });
    await other.connect();
    const { rows } = await other.query("show statement_timeout");
    await other.end();
    assert.deepEqual(rows, [{ statement_timeout: "0" }]);
  });

  it("says what to do about a parameter that the pooler refuses, and does not retry for ever", async () => {
    const bouncer = await startPgBouncer(server.url, "transaction");
    leave.unshift(() => bouncer.stop());
    const url = new URL(bouncer.through(databaseUrl));
    url.searchParams.set("options", "-c geqo=off");
    await assert.rejects(openLedger({ dataDir: "/nowhere", databaseUrl: url.href }), (error) => {
      assert.ok(error instanceof ConfigError, String(error));
      assert.equal(error.code, "ledger-refused");
      assert.match(error.message, /unsupported startup parameter.*databaseUrl/);
      return true;
    });
  });

  it("reports a pooler without transactions as a configuration error", async () => {
    const bouncer = await startPgBouncer(server.url, "statement");
    leave.unshift(() => bouncer.stop());
    await assert.rejects(openLedger({ dataDir: "/nowhere", databaseUrl: bouncer.through(databaseUrl) }), (error) => {
      assert.ok(error instanceof ConfigError, String(error));
      assert.match(error.message, /statement pooling.*pool_mode/);
      return true;
    });
  });

  it("replaces a connection whose server accepts no more writes, as after a failover", async () => {
    const ledger = await open();
    await sql`set session characteristics as transaction read only`.execute(ledger.db);
    await assert.rejects(addHints(ledger, [hint]), TransientError);
    assert.equal((await addHints(ledger, [hint])).length, 1);
  });

  it("reports missing TLS, and a user without rights, as configuration errors", async () => {
    const url = new URL(databaseUrl);
    url.searchParams.set("sslmode", "require");
    const name = `poor_${Date.now()}`;
    const admin = await open();
    await sql.raw(`create role ${name} login`).execute(admin.db);
    leave.splice(1, 0, async () => void (await dropRole(name)));
    await sql.raw("drop schema public cascade").execute(admin.db);
    await sql.raw("create schema public").execute(admin.db);
    const poor = new URL(databaseUrl);
    poor.username = name;
    for (const each of [url.href, poor.href]) {
      await assert.rejects(
        openLedger({ dataDir: "/nowhere", databaseUrl: each }),
        (error) => error instanceof ConfigError && error.code === "ledger-refused",
        each,
      );
    }
  });

  it("limits each statement's time at the server, inside and outside a transaction", async () => {
    await open();
    const limits = { statementMs: 300, lockMs: 200, answerMs: 60_000 };
    const db = new Kysely<Schema>({ dialect: postgresDialect(databaseUrl, () => {}, limits) });
    leave.unshift(() => db.destroy());
    const slow = sql`select pg_sleep(20)`;
    for (const ask of [() => slow.execute(db), () => db.transaction().execute((tx) => slow.execute(tx))])
      await assert.rejects(
        ask(),
        (error) => error instanceof TransientError && /statement timeout/.test(error.message),
      );
  });

  it("gives up a query on a server that hangs, and uses another connection for the next", async () => {
    await open();
    const { relay, url } = await relayed();
    const limits = { statementMs: 20_000, lockMs: 10_000, answerMs: 700 };
    const db = new Kysely<Schema>({ dialect: postgresDialect(url, () => {}, limits) });
    leave.unshift(() => db.destroy());
    const ask = () => sql`select 1`.execute(db);
    await ask();
    for (const question of [ask, () => db.transaction().execute((tx) => sql`select 1`.execute(tx))]) {
      relay.stallAnswers();
      const began = performance.now();
      await assert.rejects(
        question(),
        (error) => error instanceof TransientError && /did not answer within/.test(error.message),
      );
      assert.ok(performance.now() - began < 5_000);
      await until("the connection is gone", () => relay.open() === 0, 5_000);
      await ask();
    }
  });

  it("does not extend a lease beyond its time when the network stalls", async () => {
    const { relay, url } = await relayed();
    const ledger = await withRepo(await open(url));
    const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
    const { id } = await ensureDelivery(ledger, REPO, SHA, facts);
    const times: LeaseTimes = { ttl: 3_000, renewEvery: 1_000, margin: 500, now: () => performance.now() };
    const lease = await takeLease(ledger, id, "one", claimDelivery, times);
    assert.ok(lease);
    await delay(1_500);
    assert.equal(lease.signal.aborted, false);
    relay.stall();
    const other = await open();
    const took = until(
      "another worker may claim the delivery",
      () => claimDelivery(other, id, "two", 60_000),
      20_000,
    ).then(() => lease.signal.reason as unknown);
    assert.ok((await took) instanceof LeaseLost, "the first knew before the second had it");
    relay.resume();
  });
});

async function setting(db: Kysely<Schema>, name: string): Promise<unknown> {
  const { rows } = await sql<Record<string, unknown>>`select current_setting(${name}) as value`.execute(db);
  return rows[0]?.value;
}

async function dropRole(name: string): Promise<void> {
  const { default: pg } = await import("pg");
  const client = new pg.Client({ connectionString: (await sharedPostgres()).url });
  await client.connect();
  await client.query(`drop role if exists ${name}`);
  await client.end();
}
