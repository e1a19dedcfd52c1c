import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { sql } from "kysely";
import { ensureDelivery, findDelivery, setState } from "../../../src/ledger/deliveries.ts";
import { claimDelivery, nextDueDelivery } from "../../../src/ledger/leases.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { queueStatus } from "../../../src/ledger/outbox.ts";
import { claimOutbox } from "../../../src/ledger/outbox-leases.ts";
import { eachLedger, OTHER_SHA, type Place, REPO, SHA, withRepo } from "../../support/databases/ledgers.ts";
import { textOf } from "../../unit/docs/pages.ts";

const run = promisify(execFile);

/** The commands of a section of the page, under `SQLite` or `PostgreSQL`. */
function commandsOf(section: string, database: "SQLite" | "PostgreSQL"): string {
  const [, text = ""] = textOf("docs/guides/operations/data.md").split(`\n## ${section}\n`);
  const own = text.split("\n## ", 1)[0] ?? "";
  const [, block = ""] = new RegExp(`^ *${database}[^\\n]*:\\n\\n((?: {4,}\\S[^\\n]*\\n)+)`, "m").exec(own) ?? [];
  return block;
}

describe("Backup and restore, by the commands of docs/guides/operations/data.md,", () => {
  eachLedger((name, open, place) => {
    /** Runs what the page prints, on this test's ledger. */
    async function perform(section: string): Promise<void> {
      const { dataDir, databaseUrl = "" }: Place = place();
      const script = commandsOf(section, name).replaceAll("/data/", `${dataDir}/`);
      assert.notEqual(script, "", `${section} has commands for ${name}`);
      await mkdir(join(dataDir, "backup"), { recursive: true });
      const own = script.replaceAll("/backup/", `${join(dataDir, "backup")}/`);
      await run("sh", ["-ec", own], { env: { PATH: process.env.PATH, DATABASE_URL: databaseUrl } });
    }
    const add = (ledger: Ledger, sha: string) =>
      ensureDelivery(ledger, REPO, sha, {
        ...{ ref: null, state: "queued", because: "", message: "", author: "", committedAt: null },
      });

    it("gives back what the ledger held, and work goes on from there", async () => {
      const ledger = await withRepo(await open());
      const first = await add(ledger, SHA);
      const subject = { repoId: REPO, sha: SHA, deliveryId: first.id };
      await ledger.transaction((tx) => queueStatus(tx, { ...subject, payload: { context: "deliverd/api" } }));
      await perform("Back up");

      // What comes after the backup is lost, also a disaster.
      await add(ledger, OTHER_SHA);
      await setState(ledger, first.id, { from: ["queued"], to: "failed", because: "a mistake" });
      await sql`delete from outbox`.execute(ledger.db);
      await ledger.close();
      await perform("Restore");

      const restored = await open();
      assert.equal((await findDelivery(restored, REPO, SHA))?.state, "queued");
      assert.equal(await findDelivery(restored, REPO, OTHER_SHA), null);
      assert.equal((await nextDueDelivery(restored))?.id, first.id);
      assert.notEqual(await claimDelivery(restored, first.id, "w1", 60_000), null);
      assert.equal((await claimOutbox(restored, 8, 60_000)).length, 1, "an unsent status is sent");
    });

    it("is refused by an older version if a newer one has changed the tables", async () => {
      const ledger = await open();
      await sql`insert into kysely_migration (name, timestamp) values ('9999-later', '2026')`.execute(ledger.db);
      await ledger.close();
      await assert.rejects(open(), {
        name: "ConfigError",
        code: "ledger-newer",
        message: /newer deliverd \(9999-later\)/,
      });
    });
  });
});
