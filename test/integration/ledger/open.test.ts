import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { sql } from "kysely";
import { ConfigError, TransientError } from "../../../src/delivery/errors.ts";
import { openLedger } from "../../../src/ledger/ledger.ts";
import { getRepo, saveRepos, setDefaultBranch } from "../../../src/ledger/repos.ts";
import { now } from "../../../src/ledger/sql.ts";
import { acmeApi, eachLedger, REPO, sharedPostgres } from "../../support/databases/ledgers.ts";
import { freePort, tempDir, until } from "../../support/processes/process.ts";

describe("The ledger", () => {
  eachLedger((name, open) => {
    it("can be opened by several processes at once, and again later with its data", async () => {
      const ledgers = await Promise.all(Array.from({ length: 5 }, open));
      await ledgers[0]?.transaction((tx) => saveRepos(tx, [acmeApi]));
      for (const ledger of [...ledgers, await open()]) assert.equal((await getRepo(ledger, REPO))?.name, "api");
    });

    it("commits all writes of a transaction or none", async () => {
      const ledger = await open();
      const failed = ledger.transaction(async (tx) => {
        await saveRepos(tx, [acmeApi]);
        throw new Error("no");
      });
      await assert.rejects(failed, /^Error: no$/);
      assert.equal(await getRepo(ledger, REPO), null);
      await ledger.transaction((tx) => tx.transaction((inner) => saveRepos(inner, [acmeApi])));
      assert.equal((await getRepo(ledger, REPO))?.name, "api");
    });

    it("throws if it is called inside a transaction but not through it, instead of waiting for ever", async () => {
      const ledger = await open();
      await assert.rejects(
        ledger.transaction(() => getRepo(ledger, REPO)),
        /inside a transaction on it: call it through the transaction's `tx`/,
      );
      await ledger.ping();
    });

    it("accepts calls from work that a transaction started, after the transaction has ended", async () => {
      const ledger = await open();
      let later: Promise<unknown> = Promise.resolve();
      let end = () => {};
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      await ledger.transaction(async () => {
        later = ended.then(() => ledger.ping());
      });
      end();
      await later;
    });

    it("waits for another connection's write without an error, and then sees what it wrote", async () => {
      const [ledger, other] = [await open(), await open()];
      await ledger.transaction((tx) => saveRepos(tx, [acmeApi]));
      let end = () => {};
      const ended = new Promise<void>((resolve) => {
        end = resolve;
      });
      let written = () => {};
      const begun = new Promise<void>((resolve) => {
        written = resolve;
      });
      const writing = other.transaction(async (tx) => {
        await setDefaultBranch(tx, REPO, "theirs");
        written();
        await ended;
      });
      await begun;
      const waiting = setDefaultBranch(ledger, REPO, "ours");
      await delay(60);
      end();
      await Promise.all([writing, waiting]);
      assert.equal((await getRepo(ledger, REPO))?.defaultBranch, "ours");
      await setDefaultBranch(other, REPO, "theirs again");
      assert.equal((await getRepo(ledger, REPO))?.defaultBranch, "theirs again", "no snapshot was kept");
      await setDefaultBranch(ledger, REPO, "ours again");
    });

    it("returns the database's time in whole milliseconds", async () => {
      const ledger = await open();
      const row = await ledger.db.selectNoFrom(now(ledger).as("at")).executeTakeFirstOrThrow();
      assert.ok(Number.isInteger(row.at) && Math.abs(row.at - Date.now()) < 5_000, `${row.at}`);
    });

    it("returns counts and ids as numbers", async () => {
      const ledger = await open();
      const { rows } = await sql<{ n: unknown }>`select count(*) as n from repos`.execute(ledger.db);
      assert.deepEqual(rows, [{ n: 0 }]);
    });

    it(`refuses unknown columns and broken rules as mistakes, not as "try again"`, async () => {
      const ledger = await open();
      await assert.rejects(
        sql`select nothing from repos`.execute(ledger.db),
        (error) => !(error instanceof TransientError),
      );
      const orphan = sql`insert into heads (repo_id, ref, sha, seen_at) values ('github:404', 'r', 's', 1)`;
      await assert.rejects(orphan.execute(ledger.db), /foreign key/i, `${name} keeps no row of an unknown repo`);
    });
  });

  describe("on SQLite", () => {
    let directory: Awaited<ReturnType<typeof tempDir>>;
    beforeEach(async () => {
      directory = await tempDir();
    });
    afterEach(() => directory.remove());

    it("uses a write-ahead log, full synchronisation and foreign keys", async () => {
      const ledger = await openLedger({ dataDir: directory.path });
      const ask = async (pragma: string) =>
        Object.values((await sql.raw(`pragma ${pragma}`).execute(ledger.db)).rows[0] ?? {});
      assert.deepEqual(await ask("journal_mode"), ["wal"]);
      assert.deepEqual(await ask("synchronous"), [2]);
      assert.deepEqual(await ask("foreign_keys"), [1]);
      assert.deepEqual(await ask("busy_timeout"), [0]);
      await ledger.close();
    });

    it("lets timers and sockets run during a loop of queries", async () => {
      const ledger = await openLedger({ dataDir: directory.path });
      let turns = 0;
      const timer = setInterval(() => turns++, 1);
      const end = performance.now() + 200;
      while (performance.now() < end) await ledger.ping();
      clearInterval(timer);
      assert.ok(turns > 3, `${turns} turns in 200 ms`);
      await ledger.close();
    });

    it("is unavailable while the disk is full, writes no part of a transaction, and works again when there is room", async () => {
      const ledger = await openLedger({ dataDir: directory.path });
      const pages =
        (await sql<{ n: number }>`select page_count as n from pragma_page_count()`.execute(ledger.db)).rows[0]?.n ?? 0;
      await sql.raw(`pragma max_page_count = ${pages}`).execute(ledger.db);
      const many = Array.from({ length: 2_000 }, (_, i) => ({ ...acmeApi, id: `github:${i}`, name: `n${i}` }));
      await assert.rejects(
        ledger.transaction((tx) => saveRepos(tx, many)),
        (error) =>
          error instanceof TransientError && error.code === "ledger-unavailable" && /disk is full/.test(error.message),
      );
      assert.equal(await getRepo(ledger, "github:0"), null);
      await sql.raw("pragma max_page_count = 1000000").execute(ledger.db);
      await ledger.transaction((tx) => saveRepos(tx, many));
      assert.equal((await getRepo(ledger, "github:1999"))?.name, "n1999");
      await ledger.close();
    });

    it("names dataDir in the error if it cannot be a directory", async () => {
      await writeFile(join(directory.path, "file"), "");
      await assert.rejects(
        openLedger({ dataDir: join(directory.path, "file", "data") }),
        (error) =>
          error instanceof ConfigError && error.code === "ledger-not-opened" && error.message.includes("dataDir"),
      );
    });
  });

  describe("on PostgreSQL", () => {
    it("refuses a URL of another form without showing its password", async () => {
      for (const databaseUrl of ["mysql://u:s3cret@h/d", "s3cret"]) {
        await assert.rejects(openLedger({ dataDir: "/nowhere", databaseUrl }), (error) => {
          assert.ok(error instanceof ConfigError);
          assert.equal(error.code, "database-url-invalid");
          assert.ok(!error.message.includes("s3cret"));
          return true;
        });
      }
    });

    it("is unavailable if no server listens, and names the address in the error", async () => {
      const port = await freePort();
      await assert.rejects(
        openLedger({ dataDir: "/nowhere", databaseUrl: `postgres://u:s3cret@127.0.0.1:${port}/d` }),
        (error) => {
          assert.ok(error instanceof TransientError, String(error));
          assert.match(error.message, new RegExp(`127.0.0.1:${port}/d \\(databaseUrl\\) cannot be used now`));
          assert.ok(!error.message.includes("s3cret"));
          return true;
        },
      );
    });

    it("reports a database that does not exist as a configuration error", async () => {
      const server = await sharedPostgres();
      const databaseUrl = new URL("/missing", server.url).href;
      await assert.rejects(
        openLedger({ dataDir: "/nowhere", databaseUrl }),
        (error) => error instanceof ConfigError && error.code === "ledger-refused",
      );
    });

    it("is unavailable while the server is down, and works again when it is back", async () => {
      const server = await sharedPostgres();
      const databaseUrl = await server.newDatabase();
      const ledger = await openLedger({ dataDir: "/nowhere", databaseUrl });
      await server.pause();
      try {
        await assert.rejects(
          ledger.ping(),
          (error) => error instanceof TransientError && error.code === "ledger-unavailable",
        );
      } finally {
        await server.resume();
      }
      await until("the ledger answers", async () => {
        await ledger.ping();
        return true;
      });
      await ledger.close();
      await server.dropDatabase(databaseUrl);
    });
  });
});
