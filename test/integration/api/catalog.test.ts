import assert from "node:assert/strict";
import { hashToken } from "../../../src/api/access.ts";
import { recordBranchReleases } from "../../../src/ledger/branch-releases.ts";
import { ensureDelivery } from "../../../src/ledger/deliveries.ts";
import { recordLatestRelease } from "../../../src/ledger/latest-release.ts";
import { claimDelivery } from "../../../src/ledger/leases.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { type Release, recordRelease } from "../../../src/ledger/releases.ts";
import { saveRepos } from "../../../src/ledger/repos.ts";
import { removeWorker, reportWorker } from "../../../src/ledger/workers.ts";
import { acmeApi, eachLedger, REPO, SHA, withRepo } from "../../support/databases/ledgers.ts";
import { deliveryIn, startApi, type TestApi, TOKEN } from "./support.ts";

const WEB = { ...acmeApi, id: "github:2", name: "web" };
const digestOf = (text: string) => `sha256:${Buffer.from(text).toString("hex").padEnd(64, "0").slice(0, 64)}`;

describe("the catalog", function () {
  this.timeout(60_000);
  eachLedger((_name, open) => {
    let ledger: Ledger;
    let api: TestApi;
    let compared: string[];

    beforeEach(async () => {
      ledger = await withRepo(await open());
      await ledger.transaction((tx) => saveRepos(tx, [WEB]));
      compared = [];
      const tokens = (["viewer", "operator", "admin"] as const).map((role) => {
        return { name: `one-${role}`, role, hash: hashToken(`token-of-${role}`) };
      });
      api = await startApi(ledger, {
        tokens,
        compareCommits: async (repo, from, to) => {
          compared.push(`${repo} ${from.slice(0, 7)} ${to.slice(0, 7)}`);
          const commit = { sha: to, subject: "Mend it", author: "Sam", at: 1_000 };
          const file = { path: "a", status: "changed", added: 1, removed: null } as const;
          return { commits: [commit], commitsBack: [], files: [file], isCut: false };
        },
      });
    });
    afterEach(() => api.close());

    let count = 0;
    /** A release at its own time: times in a ledger are by its clock. */
    async function release(
      version: string,
      more: Partial<{ repo: string; artifact: string; ref: string; at: string }> = {},
    ) {
      const { repo = REPO, artifact = "api", ref = "refs/heads/main" } = more;
      count += 1;
      const sha = count.toString(16).padStart(8, "0").padEnd(40, "e");
      const facts = { ref, state: "queued" as const, because: "", message: "", author: "", committedAt: null };
      const { id: deliveryId } = await ensureDelivery(ledger, repo, sha, facts);
      const lease = await claimDelivery(ledger, deliveryId, "w", 60_000);
      assert.ok(lease);
      const content = { digest: digestOf(version), mediaType: "m", size: 1 };
      const made = await ledger.transaction((tx) =>
        recordRelease(tx, {
          ...{ repoId: repo, sha, artifact, kind: "image", versions: [version], tagged: [], ref, deliveryId },
          ...{ ...content, fence: lease.fence, committedAt: count, metadata: {} },
        }),
      );
      const releasedAt = more.at === undefined ? count * 1_000 : Date.parse(more.at);
      await ledger.db.updateTable("releases").set({ releasedAt }).where("id", "=", made.id).execute();
      return made;
    }
    const ask = async (path: string) => {
      const { status, text } = await api.get(`/api/v1/${path}`);
      return { status, body: JSON.parse(text) };
    };
    const versions = async (query: string): Promise<string[]> => {
      const { status, body } = await ask(`releases?${query}`);
      assert.equal(status, 200, JSON.stringify(body));
      return body.items.map((each: { version: string }) => each.version);
    };

    it("finds releases by a range of versions, with pre-releases only where the range names one", async () => {
      for (const version of ["1.0.0", "1.2.0-3.gab12cd3", "1.2.0", "1.10.0", "2.0.0-rc.1", "2.0.0"])
        await release(version);
      const inRange = (range: string) => versions(`version=${encodeURIComponent(range)}`);
      assert.deepEqual(await inRange("^1.0.0"), ["1.10.0", "1.2.0", "1.0.0"]);
      assert.deepEqual(await inRange(">=1.2.0-0 <1.2.0"), ["1.2.0-3.gab12cd3"]);
      assert.deepEqual(await inRange(">1.2 || 1.0.0"), ["2.0.0", "1.10.0", "1.0.0"]);
      assert.deepEqual(await inRange("3.x"), []);
      const { status, body } = await ask("releases?version=main");
      assert.deepEqual([status, /range of semantic versions/.test(body.detail)], [400, true]);
    });

    it("finds releases by the time of their release", async () => {
      await release("1.0.0", { at: "2026-11-01T10:00:00Z" });
      await release("1.1.0", { at: "2026-11-02T10:00:00Z" });
      await release("1.2.0", { at: "2026-11-03T10:00:00Z" });
      assert.deepEqual(await versions("since=2026-11-02"), ["1.2.0", "1.1.0"]);
      assert.deepEqual(await versions("until=2026-11-02T10:00:00Z"), ["1.0.0"]);
      assert.deepEqual(await versions("since=2026-11-02T12:00:00%2B02:00&until=2026-11-03"), ["1.1.0"]);
      assert.equal((await ask("releases?since=yesterday")).status, 400);
    });

    it("finds releases by a branch, and none of a branch that is unknown", async () => {
      await release("1.0.0");
      await release("1.1.0", { ref: "refs/heads/side" });
      await release("5.0.0", { repo: WEB.id, ref: "refs/heads/side" });
      assert.deepEqual(await versions("branch=side"), ["5.0.0", "1.1.0"]);
      assert.deepEqual(await versions("branch=side&repo=acme/api"), ["1.1.0"]);
      assert.deepEqual(await versions("branch=none&repo=acme/api"), []);
      assert.deepEqual(await versions("branch=none"), []);
    });

    it("finds releases by words: parts of names, versions and commit ids", async () => {
      const one = await release("1.2.3");
      await release("1.2.4-1.gabcdef1");
      await release("5.0.0", { repo: WEB.id, artifact: "shop" });
      assert.deepEqual(await versions("q=SHOP"), ["5.0.0"]);
      assert.deepEqual(await versions("q=acme%2Fweb"), ["5.0.0"]);
      assert.deepEqual(await versions("q=acme"), ["5.0.0", "1.2.4-1.gabcdef1", "1.2.3"]);
      assert.deepEqual(await versions("q=1.2"), ["1.2.4-1.gabcdef1", "1.2.3"]);
      assert.deepEqual(await versions("q=v1.2.3+api"), ["1.2.3"]);
      assert.deepEqual(await versions(`q=${one.sha.slice(0, 9)}`), ["1.2.3"]);
      assert.deepEqual(await versions(`q=web+${one.sha.slice(0, 9)}`), []);
      assert.deepEqual(await versions("q=nothing"), []);
      assert.deepEqual(await versions("q=%25"), []);
    });

    it("gives every release once, in pages that stay the same while releases are added", async () => {
      for (let number = 0; number < 7; number++) await release(`1.0.${number}`, { ref: "refs/heads/one" });
      for (const query of ["limit=3", "limit=3&q=api", "limit=3&branch=one", "limit=3&version=1.x"]) {
        const seen: string[] = [];
        for (let next: string | null = ""; next !== null; ) {
          const { body } = await ask(`releases?${query}&cursor=${next}`);
          seen.push(
            ...body.items
              .map((each: { version: string }) => each.version)
              .filter((one: string) => one.startsWith("1.0.")),
          );
          next = body.next;
          await release(`1.1.${count}`, { ref: "refs/heads/one" });
        }
        assert.deepEqual(seen, ["1.0.6", "1.0.5", "1.0.4", "1.0.3", "1.0.2", "1.0.1", "1.0.0"], query);
      }
    });

    it("has each repo with its artifacts, and what stands on each branch", async () => {
      const old = await release("1.0.0");
      const side = await release("1.0.1-1.gaaaaaaa", { ref: "refs/heads/side" });
      await release("3.0.0", { repo: WEB.id, artifact: "shop" });
      await recordLatestRelease(ledger, { repoId: REPO, artifact: "api", releaseId: old.id });
      const stand = (...all: [string, Release][]) =>
        recordBranchReleases(
          ledger,
          { repoId: REPO, artifact: "api" },
          new Map(all.map(([branch, { id }]) => [`refs/heads/${branch}`, id])),
        );
      await stand(["main", old], ["gone", old], ["side", old]);
      await stand(["main", old], ["side", side]);
      const { body } = await ask("artifacts?repo=acme/api");
      assert.deepEqual(body.next, null);
      const [entry] = body.items;
      assert.deepEqual(
        [entry.artifact, entry.repo, entry.kind, entry.newest.version, entry.latest.version],
        ["api", "github/acme/api", "image", "1.0.1-1.gaaaaaaa", "1.0.0"],
      );
      assert.deepEqual(
        entry.branches.map((each: { branch: string; release: { version: string } }) => [
          each.branch,
          each.release.version,
        ]),
        [
          ["main", "1.0.0"],
          ["side", "1.0.1-1.gaaaaaaa"],
        ],
      );
      const repos = (await ask("repos")).body.items;
      assert.deepEqual(
        repos.map((each: { repo: string; artifacts: { artifact: string }[] }) => [
          each.repo,
          each.artifacts.map(({ artifact }) => artifact),
        ]),
        [
          ["github/acme/web", ["shop"]],
          ["github/acme/api", ["api"]],
        ],
      );
      assert.deepEqual((await ask("repos?q=WEB")).body.items.length, 1);
      const first = (await ask("repos?limit=1")).body;
      assert.deepEqual((await ask(`repos?limit=1&cursor=${first.next}`)).body.items[0].repo, "github/acme/api");
      const page = (await ask("artifacts?limit=1")).body;
      const rest = (await ask(`artifacts?limit=1&cursor=${page.next}`)).body;
      assert.deepEqual([page.items[0].artifact, rest.items[0].artifact, rest.next], ["api", "shop", null]);
    });

    it("lists workers that are there, with their slots and what they work on", async () => {
      const worker = { owner: "dir/one", machine: "builder-1", version: "0.1.0", slots: 4, busy: 1, ahead: 1 };
      await reportWorker(ledger, worker);
      await reportWorker(ledger, { ...worker, owner: "dir/two" });
      await reportWorker(ledger, { ...worker, busy: 2 });
      await removeWorker(ledger, "dir/two");
      await ensureDelivery(ledger, REPO, SHA, {
        ...{ ref: null, state: "queued", because: "", message: "", author: "", committedAt: null },
      });
      const { body: deliveries } = await ask("deliveries");
      await claimDelivery(ledger, deliveries.items[0].id, "dir/one", 60_000);
      const { body } = await ask("workers");
      const [one, ...others] = body.items;
      assert.deepEqual(others, []);
      assert.deepEqual([one.machine, one.slots], ["builder-1", { total: 4, busy: 2, ahead: 1, free: 1 }]);
      assert.deepEqual(one.deliveries, [
        { id: deliveries.items[0].id, repo: "github/acme/api", sha: SHA, state: "queued" },
      ]);
    });

    it("shows what changed from one release to another of the same repo", async () => {
      const from = await release("1.0.0");
      const to = await release("1.1.0");
      await release("1.0.0", { repo: WEB.id });
      const { status, body } = await ask("releases/api/1.0.0..v1.1.0?repo=acme/api");
      assert.equal(status, 200);
      assert.deepEqual([body.from.version, body.to.version, body.sameContent], ["1.0.0", "1.1.0", false]);
      assert.deepEqual([body.commits.length, body.commits[0].subject, body.files[0].removed], [1, "Mend it", null]);
      assert.deepEqual(compared, [`${REPO} ${from.sha.slice(0, 7)} ${to.sha.slice(0, 7)}`]);
      assert.equal((await ask("releases/api/1.0.0..1.1.0")).status, 409);
      assert.equal((await ask("releases/api/1.1.0..9.9.9")).status, 404);
    });

    it("records who retried, cancelled or asked for a delivery, and shows it to administrators", async () => {
      const { id } = await deliveryIn(ledger, SHA);
      const as = (role: string) => ({ authorization: `Bearer token-of-${role}`, "content-type": "application/json" });
      assert.equal((await api.send("POST", `/api/v1/deliveries/${id}/cancel`, as("operator"))).status, 202);
      assert.equal((await api.send("POST", `/api/v1/deliveries/${id}/cancel`, as("operator"))).status, 409);
      assert.equal((await api.send("POST", `/api/v1/deliveries/${id}/retry`, as("admin"))).status, 202);
      const body = JSON.stringify({ repo: "acme/api", sha: SHA });
      const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
      assert.equal((await api.send("POST", "/api/v1/deliveries", headers, body)).status, 202);
      const { items } = (await ask("audit")).body;
      assert.deepEqual(
        items.map((each: Record<string, string>) => [
          each.person,
          each.via,
          each.action,
          each.repo,
          each.sha,
          each.outcome,
        ]),
        [
          ["admin", "token", "deliver", "github/acme/api", SHA, "the commit is evaluated"],
          ["one-admin", "token", "retry", "github/acme/api", SHA, "it is tried again"],
          ["one-operator", "token", "cancel", "github/acme/api", SHA, "it is cancelled"],
        ],
      );
      assert.match((await ask(`deliveries/${id}`)).body.because, /tried again by one-admin/);
      const first = (await ask("audit?limit=1")).body;
      assert.equal((await ask(`audit?limit=1&cursor=${first.next}`)).body.items[0].action, "retry");
    });

    it("lets a viewer read, an operator change, and only an administrator see the audit", async () => {
      const { id } = await deliveryIn(ledger, SHA);
      const statuses = async (method: string, path: string) => {
        const all = ["viewer", "operator", "admin"].map((role) =>
          api.send(method, path, { authorization: `Bearer token-of-${role}` }),
        );
        return (await Promise.all(all)).map(({ status }) => status);
      };
      assert.deepEqual(await statuses("GET", "/api/v1/deliveries"), [200, 200, 200]);
      assert.deepEqual(await statuses("POST", `/api/v1/deliveries/${id}/retry`), [403, 409, 409]);
      assert.deepEqual(await statuses("GET", "/api/v1/audit"), [403, 403, 200]);
      assert.equal((await api.send("GET", "/api/v1/audit", { authorization: "Bearer token-of-nobody" })).status, 401);
    });

    it("answers 304 to a client that has the same answer already", async () => {
      await release("1.0.0");
      const headers = { authorization: `Bearer ${TOKEN}` };
      for (const path of ["/api/v1/releases", "/api/v1/releases/api/1.0.0", "/api/v1/repos", "/api/v1/openapi.json"]) {
        const first = await api.send("GET", path, headers);
        assert.equal(first.headers["cache-control"], "private, no-cache");
        const etag = String(first.headers.etag);
        const again = await api.send("GET", path, { ...headers, "if-none-match": etag });
        assert.deepEqual([again.status, again.text], [304, ""], path);
      }
      const { etag } = (await api.send("GET", "/api/v1/releases", headers)).headers;
      await release("1.0.1");
      assert.equal(
        (await api.send("GET", "/api/v1/releases", { ...headers, "if-none-match": String(etag) })).status,
        200,
      );
    });
  });
});
