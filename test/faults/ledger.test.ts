import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHmac } from "node:crypto";
import { open, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import Database from "libsql";
import { type Postgres, startPostgres } from "../support/databases/postgres.ts";
import { until } from "../support/processes/process.ts";
import { startWorld, WEBHOOK_SECRET, type World } from "../support/world/world.ts";
import { hold } from "./hold.ts";
import { begin, builds, quickFiles, settled } from "./support.ts";

const run = promisify(execFile);

describe("deliverd, when its ledger fails,", function () {
  this.timeout(600_000);

  describe("because PostgreSQL stopped,", () => {
    let postgres: Postgres;
    let world: World;

    before(async () => {
      postgres = await startPostgres();
      world = await startWorld({ config: { databaseUrl: await postgres.newDatabase() } });
    });

    after(async () => {
      const violations = world?.github.violations;
      await world?.stop();
      await postgres?.stop();
      assert.deepEqual(violations, []);
    });

    it("answers webhooks with 503, reports not ready, and releases after their redelivery", async () => {
      const repo = await world.repo("gone", quickFiles("gone"));
      await postgres.pause();
      const one = await begin(world, repo);
      const hooks = world.github.hooks.filter((hook) => hook.answer !== null);
      assert.deepEqual([...new Set(hooks.map((hook) => hook.answer?.status))], [503]);
      const [push] = hooks;
      assert.ok(push);
      assert.equal(await retryAfter(world), "30");
      await until("readiness says so", async () => (await world.deliverd.fetch("/readyz")).status === 503);
      await postgres.resume();
      await until("it takes webhooks again", async () => (await world.github.redeliver(push)).status === 202);
      await settled(world, [one]);
    });

    it("resumes the build by itself when PostgreSQL is back, and releases once", async () => {
      const build = hold("during");
      const one = await begin(world, await world.repo("during", build.files));
      await build.held();
      await postgres.pause();
      await build.release();
      await build.gone();
      await postgres.resume();
      await settled(world, [one]);
    });
  });

  describe("because the disk under dataDir fills up,", () => {
    let world: World;
    let ballast: string;

    before(async () => {
      world = await startWorld();
      await world.deliverd.kill();
      const { dataDir } = world.deliverd;
      await run("mount", ["-t", "tmpfs", "-o", "size=64m,mode=700", "tmpfs", dataDir]);
      ballast = join(dataDir, "ballast");
      await world.deliverd.restart();
    });

    after(async () => {
      const violations = world?.github.violations;
      const dataDir = world?.deliverd.dataDir ?? "";
      await world?.deliverd.stop();
      if (dataDir !== "") await run("umount", ["--lazy", dataDir]);
      await world?.stop();
      assert.deepEqual(violations, []);
    });

    it("still accepts webhooks when little room is left, but starts no work until there is more", async () => {
      const repo = await world.repo("tight", quickFiles("tight"));
      await fill(60);
      const one = await begin(world, repo);
      assert.deepEqual([...new Set(world.github.hooks.slice(-3).map((hook) => hook.answer?.status))], [202]);
      await until("readiness says so", async () => {
        const readiness = (await (await world.deliverd.fetch("/readyz")).json()) as { degraded: string[] };
        return readiness.degraded.includes("disk");
      });
      await until("the log says that new work waits", () =>
        world.deliverd.output().includes("new work waits for room"),
      );
      assert.equal(await builds(world, repo, one.sha), 0);
      await rm(ballast);
      await settled(world, [one]);
    });

    it("answers 503 when no byte is left, writes nothing half, and releases all when there is room", async () => {
      const build = hold("brimful");
      const building = await begin(world, await world.repo("brimful", build.files));
      await build.held();
      const repo = await world.repo("refused", quickFiles("refused"));
      await shortenLog();
      await fillUp();
      const sent = world.github.hooks.length;
      const refused = await begin(world, repo);
      const hooks = world.github.hooks.slice(sent);
      const answers = new Set(hooks.map((hook) => hook.answer?.status));
      // What still finds room in pages that the ledger has is kept.
      assert.ok(
        answers.has(503) && [...answers].every((status) => status === 202 || status === 503),
        `${[...answers]}`,
      );
      await until("readiness says so", async () => (await world.deliverd.fetch("/readyz")).status === 503);
      await build.release();
      await build.gone();
      await rm(ballast);
      for (const hook of hooks.filter((one) => one.answer?.status === 503)) {
        await until("the webhook is accepted", async () => (await world.github.redeliver(hook)).status === 202);
      }
      await settled(world, [building, refused]);
      const { repo: about, sha } = building;
      const states = world.github.statusesOf(about, sha).map(({ state }) => state);
      assert.deepEqual(
        states.filter((state) => state === "failure" || state === "error"),
        [],
      );
      const ledger = new Database(join(world.deliverd.dataDir, "ledger.db"), { readonly: true });
      assert.deepEqual(ledger.prepare("PRAGMA integrity_check").all(), [{ integrity_check: "ok" }]);
      ledger.close();
    });

    /** Up to so many MB. */
    async function fill(megabytes: number): Promise<void> {
      const { stdout } = await run("df", ["--output=used", "--block-size=1", world.deliverd.dataDir]);
      const used = Number(stdout.split("\n")[1]);
      await writeFile(ballast, Buffer.alloc(Math.max(0, megabytes * 1_048_576 - used))).catch(() => {});
    }

    /** SQLite writes over the log that it has, and that needs no room: here it is to need some. */
    async function shortenLog(): Promise<void> {
      const ledger = new Database(join(world.deliverd.dataDir, "ledger.db"));
      await until("the ledger's log is written back", () => {
        const [{ busy } = { busy: 1 }] = ledger.prepare("PRAGMA wal_checkpoint(TRUNCATE)").all() as { busy: number }[];
        return busy === 0;
      });
      ledger.close();
    }

    /** Until not one byte more goes in. */
    async function fillUp(): Promise<void> {
      const file = await open(ballast, "w");
      try {
        for (let size = 1_048_576; size >= 1; size = Math.floor(size / 2)) {
          const piece = Buffer.alloc(size);
          while (
            await file.write(piece).then(
              ({ bytesWritten }) => bytesWritten === size,
              () => false,
            )
          );
        }
      } finally {
        await file.close();
      }
    }
  });
});

/** What a webhook is told, when it is refused for now. */
async function retryAfter(world: World): Promise<string | null> {
  // A status of our own that comes back is ignored, and costs the ledger nothing.
  const hook = world.github.hooks.findLast(({ event }) => event === "push");
  assert.ok(hook);
  const body = JSON.stringify(hook.payload);
  const answer = await fetch(`${world.deliverd.url}/webhooks/github`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-github-event": hook.event,
      "x-github-delivery": hook.id,
      "x-hub-signature-256": `sha256=${createHmac("sha256", WEBHOOK_SECRET).update(body).digest("hex")}`,
    },
    body,
  });
  return answer.status === 503 ? answer.headers.get("retry-after") : null;
}
