import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { until } from "../support/processes/process.ts";
import { image, pipeline, startWorld, stopAndCheck, type World } from "../support/world/world.ts";

const run = promisify(execFile);

/** test/integration/ledger/restore.test.ts runs the very commands of the page, on both databases. */
describe("A deliverd whose ledger is restored from a backup", function () {
  this.timeout(120_000);
  let world: World;

  before(async () => {
    world = await startWorld();
  });
  after(() => stopAndCheck(world));

  it("keeps what it knew, delivers again what it has forgotten, and goes on", async () => {
    const repo = await world.repo("restored", { ".deliverd.yml": pipeline([image("restored")]) });
    const known = await world.release(repo);
    const isDelivered = async () => (await world.delivery(repo, known)).state === "delivered";
    await until("it has ended", isDelivered);
    const { dataDir } = world.deliverd;
    const [ledger, copy] = [join(dataDir, "ledger.db"), join(dataDir, "backup.db")];
    await run("sqlite3", [ledger, `.backup ${copy}`]);

    const forgotten = await repo.commit({ "greeting.txt": "after the backup" });
    await world.release(repo);
    const [before] = await world.releases(repo, forgotten);
    await world.deliverd.stop();
    for (const file of [ledger, `${ledger}-wal`, `${ledger}-shm`]) await rm(file, { force: true });
    await cp(copy, ledger);
    await world.deliverd.restart();

    assert.ok(await isDelivered());
    const again = await until("the forgotten commit is found and ends", async () => {
      const delivery = await world.delivery(repo, forgotten).catch(() => null);
      return delivery?.finishedAt != null && delivery;
    });
    // Its build makes the same bytes again, so the names that stand are the right ones.
    assert.equal(again.state, "delivered", again.because);
    const digest = await world.digest("acme/restored", before?.version ?? "");
    assert.equal(digest, before?.digest, "an immutable name is never overwritten");
    const next = await repo.commit({ "greeting.txt": "after the restore" });
    await world.release(repo);
    assert.equal((await world.releases(repo, next)).length, 1);
  });
});
