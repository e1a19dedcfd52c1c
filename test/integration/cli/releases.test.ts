import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { ensureDelivery } from "../../../src/ledger/deliveries.ts";
import { claimDelivery } from "../../../src/ledger/leases.ts";
import { type Ledger, openLedger } from "../../../src/ledger/ledger.ts";
import { recordRelease } from "../../../src/ledger/releases.ts";
import { REPO, SHA, withRepo } from "../../support/databases/ledgers.ts";
import { tempDir } from "../../support/processes/process.ts";
import { BIN } from "../../support/world/deliverd.ts";
import { startApi, type TestApi, TOKEN } from "../api/support.ts";

/** More than two of the API's largest pages. */
const COUNT = 405;

interface Page {
  items: { version: string; versions: string[]; digest: string }[];
  next: string | null;
}

describe("deliverd releases", function () {
  this.timeout(60_000);
  let ledger: Ledger;
  let api: TestApi;
  let dir: { path: string; remove(): Promise<void> };

  before(async () => {
    dir = await tempDir();
    ledger = await withRepo(await openLedger({ dataDir: dir.path }));
    api = await startApi(ledger);
    const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
    const { id: deliveryId } = await ensureDelivery(ledger, REPO, SHA, facts);
    const lease = await claimDelivery(ledger, deliveryId, "tests", 60_000);
    if (lease === null) throw new Error("the delivery is another's");
    await ledger.transaction(async (tx) => {
      for (let number = 0; number < COUNT; number++) {
        const version = `1.0.${number}`;
        const content = { digest: `sha256:${"0".repeat(64)}`, mediaType: "m", size: 1 };
        const commit = { sha: number.toString(16).padStart(40, "0"), ref: "refs/heads/main", committedAt: number };
        const what = { repoId: REPO, artifact: "api", deliveryId, kind: "file" as const, metadata: {} };
        await recordRelease(tx, {
          ...{ ...what, ...commit, ...content, fence: lease.fence },
          ...{ versions: [version, `${version}-again`], tagged: [] },
        });
      }
    });
  });
  after(async () => {
    await api.close();
    await ledger.close();
    await dir.remove();
  });

  function releases(...args: string[]): Promise<string> {
    const env = { PATH: process.env.PATH, DELIVERD_SERVER: api.url, DELIVERD_TOKEN: TOKEN };
    return new Promise((resolve, reject) => {
      execFile(process.execPath, [BIN, "releases", ...args], { env, maxBuffer: 1e8 }, (error, stdout) =>
        error === null ? resolve(stdout) : reject(error),
      );
    });
  }

  it("lists all versions, each once, over many pages", async () => {
    const { items, next } = JSON.parse(await releases("--json")) as Page;
    const versions = new Set(items.flatMap((each) => each.versions));
    assert.deepEqual([items.length, versions.size, next], [COUNT, 2 * COUNT, null]);
    assert.ok(versions.has("1.0.0"));
    const lines = (await releases("--artifact", "api")).trim().split("\n");
    assert.equal(lines.length, COUNT);
    assert.ok(
      lines.some((line) => /^api {2}1\.0\.0, 1\.0\.0-again {2,}github\/acme\/api {2}sha256:0{64} {2}/.test(line)),
    );
  });

  it("lists the newest ones up to a limit, with the cursor of the older ones", async () => {
    const all = JSON.parse(await releases("--json")) as Page;
    const some = JSON.parse(await releases("--json", "--limit", "250")) as Page;
    assert.deepEqual(some.items, all.items.slice(0, 250));
    assert.notEqual(some.next, null);
    const rest = JSON.parse((await api.get(`/api/v1/releases?limit=200&cursor=${some.next}`)).text) as Page;
    assert.deepEqual([rest.items, rest.next], [all.items.slice(250), null]);
  });

  it("requests 50 releases from the API at a time, or up to 200 if asked", async () => {
    for (const path of ["releases", "deliveries"]) {
      for (const limit of ["0", "201", "-1", "many", "1.5"]) {
        assert.equal((await api.get(`/api/v1/${path}?limit=${limit}`)).status, 400, limit);
      }
    }
    const count = async (query: string) => JSON.parse((await api.get(`/api/v1/releases${query}`)).text).items.length;
    assert.deepEqual([await count(""), await count("?limit=1"), await count("?limit=200")], [50, 1, 200]);
  });
});
