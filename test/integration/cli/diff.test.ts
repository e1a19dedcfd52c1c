import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { hashToken } from "../../../src/api/access.ts";
import { ensureDelivery } from "../../../src/ledger/deliveries.ts";
import { claimDelivery } from "../../../src/ledger/leases.ts";
import { recordRelease } from "../../../src/ledger/releases.ts";
import { REPO, useLedger } from "../../support/databases/ledgers.ts";
import { BIN } from "../../support/world/deliverd.ts";
import { startApi, type TestApi, TOKEN } from "../api/support.ts";

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

function deliverd(args: string[], env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [BIN, ...args], { env: { PATH: process.env.PATH, ...env } }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === "number" ? error.code : 0, stdout, stderr }),
    );
  });
}

describe("deliverd diff", function () {
  this.timeout(60_000);
  const suite = useLedger();
  let api: TestApi;

  beforeEach(async () => {
    api = await startApi(suite.ledger, {
      compareCommits: async (_repo, _from, sha) => ({
        commits: [{ sha, subject: "Mend \u001b[31mit", author: "Sam", at: 1_000 }],
        commitsBack: [],
        files: [{ path: "src/a.ts", status: "changed", added: 3, removed: null }],
        isCut: true,
      }),
    });
    for (const [number, version] of ["1.0.0", "1.1.0"].entries()) {
      const sha = String(number + 1).repeat(40);
      const facts = { ref: null, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
      const { id: deliveryId } = await ensureDelivery(suite.ledger, REPO, sha, facts);
      const lease = await claimDelivery(suite.ledger, deliveryId, "tests", 60_000);
      assert.ok(lease);
      const content = { digest: `sha256:${String(number + 1).repeat(64)}`, mediaType: "m", size: 1 };
      await suite.ledger.transaction((tx) =>
        recordRelease(tx, {
          ...{ repoId: REPO, sha, artifact: "api", kind: "file", versions: [version], tagged: [], ref: null },
          ...{ ...content, deliveryId, fence: lease.fence, committedAt: number, metadata: {} },
        }),
      );
    }
  });
  afterEach(() => api.close());

  const diff = (...args: string[]) => deliverd(["diff", ...args], { DELIVERD_SERVER: api.url, DELIVERD_TOKEN: TOKEN });

  it("prints the commits and files between two releases, and says that there are more", async () => {
    const { code, stdout, stderr } = await diff("api", "1.0.0", "v1.1.0");
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^api of github\/acme\/api: 1\.0\.0 to 1\.1\.0\nsha256:1{64} became sha256:2{64}\n/);
    assert.match(stdout, /New commits\n2{40} {2}Mend .*it {2}Sam {2}1970-01-01T00:00:01\.000Z\n/);
    assert.match(stdout, /Files\nsrc\/a\.ts {2}changed {2}3 {2}-\n/);
    assert.equal(stdout.includes("\u001b"), false);
    assert.match(stderr, /There are more commits or files/);
    const { from, to } = JSON.parse((await diff("api", "1.0.0", "1.1.0", "--repo", "acme/api", "--json")).stdout);
    assert.deepEqual([from.version, to.version], ["1.0.0", "1.1.0"]);
  });

  it("ends with 3 if there is no such release, and with 2 if a version is none", async () => {
    assert.equal((await diff("api", "1.0.0", "9.9.9")).code, 3);
    assert.equal((await diff("api", "1.0.0", "main")).code, 2);
  });
});

describe("deliverd token", function () {
  this.timeout(60_000);

  it("makes a new token each time, and the line with its hash", async () => {
    const { stdout } = await deliverd(["token", "ci", "--role", "operator"]);
    const [, token = "", hash = ""] =
      /^(deliverd_[\w-]{43})\n[\s\S]*name: ci, role: operator, hash: "(\S+)" }/.exec(stdout) ?? [];
    assert.equal(hash, hashToken(token));
    const other = JSON.parse((await deliverd(["token", "ci", "--role", "viewer", "--json"])).stdout);
    assert.deepEqual([other.name, other.role, other.hash], ["ci", "viewer", hashToken(other.token)]);
    assert.notEqual(other.token, token);
  });

  it("ends with 2 without a role, or with a name that the configuration refuses", async () => {
    for (const args of [["ci"], ["ci", "--role", "root"], ["admin", "--role", "admin"], ["a b", "--role", "viewer"]])
      assert.equal((await deliverd(["token", ...args])).code, 2, args.join(" "));
  });
});
