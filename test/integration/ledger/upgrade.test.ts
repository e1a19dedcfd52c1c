import assert from "node:assert/strict";
import { join } from "node:path";
import { CamelCasePlugin, Kysely, Migrator, sql } from "kysely";
import { postgresDialect } from "../../../src/ledger/database/postgres.ts";
import { sqliteDialect } from "../../../src/ledger/database/sqlite.ts";
import { findDelivery } from "../../../src/ledger/deliveries.ts";
import { migrations } from "../../../src/ledger/migrations/index.ts";
import { ownerOf } from "../../../src/ledger/name-writes.ts";
import { outboxOfCommit } from "../../../src/ledger/outbox.ts";
import { eachLedger, type Place, REPO } from "../../support/databases/ledgers.ts";

const SHA = "a".repeat(40);

/** A ledger as the first version left it: a commit that waits, one that failed, a claim without a name, and what is owed. */
async function writeOldLedger({ dataDir, databaseUrl }: Place): Promise<void> {
  const none = () => {};
  const dialect =
    databaseUrl === undefined ? sqliteDialect(join(dataDir, "ledger.db"), none) : postgresDialect(databaseUrl, none);
  const db = new Kysely<unknown>({ dialect, plugins: [new CamelCasePlugin()] });
  const old = Object.fromEntries(Object.entries(migrations).filter(([name]) => name < "0007"));
  const { error } = await new Migrator({ db, provider: { getMigrations: async () => old } }).migrateToLatest();
  if (error) throw error;
  const run = (text: string) => sql.raw(text).execute(db);
  await run(
    `insert into repos (id, host, owner, name, active_at, created_at) values ('${REPO}', 'github', 'acme', 'api', 1, 1)`,
  );
  for (const [id, sha, state, because] of [
    ["d1", SHA, "waiting", "waiting for test"],
    ["d2", "b".repeat(40), "failed", "CI did not come to an end in time"],
  ])
    await run(`insert into deliveries (id, repo_id, sha, state, because, message, author, created_at, updated_at)
      values ('${id}', '${REPO}', '${sha}', '${state}', '${because}', '', '', 7, 7)`);
  for (const repository of ["acme/api", "acme/typo"])
    await run(
      `insert into name_owners (registry, repository, repo_id, at) values ('local', '${repository}', '${REPO}', 1)`,
    );
  await run(`insert into locations (registry, repository, tag, immutable, delivery_id, artifact, repo_id, digest, url, pull, at)
    values ('local', 'acme/api', '1.0.0', 1, 'd1', 'api', '${REPO}', 'sha256:x', '', '', 1)`);
  const status = JSON.stringify({ context: "deliverd/api", state: "pending", description: "", targetUrl: "" });
  const notice = JSON.stringify({ target: "https://deployer.example.com", notice: { id: "n1" } });
  for (const [id, kind, payload] of [
    ["o1", "status", status],
    ["o2", "notice", notice],
    ["o3", "names", JSON.stringify({ artifact: "api" })],
  ])
    await run(`insert into outbox (id, kind, repo_id, sha, payload, state, revision, created_at, updated_at, attempts)
      values ('${id}', '${kind}', '${REPO}', '${SHA}', '${payload}', 'unsent', 1, 1, 1, 0)`);
  await db.destroy();
}

describe("A ledger of the first version", () => {
  eachLedger((_name, open, place) => {
    it("is migrated with its data: waiting deliveries, owners of names, and unsent messages", async () => {
      await writeOldLedger(place());
      const ledger = await open();
      assert.equal((await findDelivery(ledger, REPO, SHA))?.waitingSince, 7);
      assert.equal((await findDelivery(ledger, REPO, "b".repeat(40)))?.failedBy, "gate");
      assert.equal(await ownerOf(ledger, "local", "acme/api"), REPO);
      assert.equal(await ownerOf(ledger, "local", "acme/typo"), null);
      assert.deepEqual((await outboxOfCommit(ledger, REPO, SHA)).map(({ kind }) => kind).sort(), [
        "names",
        "notice",
        "status",
      ]);
      const lanes = await ledger.db.selectFrom("outbox").select(["id", "lane"]).orderBy("id").execute();
      assert.deepEqual(
        lanes.map(({ lane }) => lane),
        ["status github", "notice https://deployer.example.com", ""],
      );
    });
  });
});
