import assert from "node:assert/strict";
import fc from "fast-check";
import type { Report } from "../../../src/hosts/host.ts";
import { recordHeads } from "../../../src/ledger/heads.ts";
import { addHints } from "../../../src/ledger/hints.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { outboxOfCommit } from "../../../src/ledger/outbox.ts";
import { eachLedger, OTHER_SHA, REPO, SHA, withRepo } from "../../support/databases/ledgers.ts";
import { deliveryIn, startApi, type TestApi, TOKEN } from "./support.ts";

describe("the API's answers", function () {
  this.timeout(60_000);
  eachLedger((_name, open) => {
    let ledger: Ledger;
    let api: TestApi;

    beforeEach(async () => {
      ledger = await withRepo(await open());
      api = await startApi(ledger);
    });
    afterEach(() => api.close());

    const json = async (path: string) => JSON.parse((await api.get(path)).text);
    const post = (path: string, body?: unknown) =>
      api.send(
        "POST",
        path,
        { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
        JSON.stringify(body),
      );

    it("list deliveries newest first, page by page, each once", async () => {
      const shas = Array.from({ length: 120 }, (_, number) => number.toString(16).padStart(40, "0"));
      for (const sha of shas) await deliveryIn(ledger, sha);
      const seen: string[] = [];
      let cursor: string | null = "";
      let pages = 0;
      while (cursor !== null) {
        const page: { items: { sha: string }[]; next: string | null } = await json(
          `/api/v1/deliveries?cursor=${encodeURIComponent(cursor)}`,
        );
        seen.push(...page.items.map((each) => each.sha));
        cursor = page.next;
        pages += 1;
      }
      assert.equal(pages, 3);
      assert.deepEqual(seen.toSorted(), shas);
    });

    it("accept a repo's short and full name", async () => {
      const { id } = await deliveryIn(ledger, SHA);
      for (const repo of ["acme/api", "github/acme/api", "ACME/Api"]) {
        const { items } = await json(`/api/v1/deliveries?repo=${repo}`);
        assert.deepEqual(
          items.map((each: { id: string }) => each.id),
          [id],
          repo,
        );
      }
      for (const repo of ["acme/other", "gitlab/acme/api", "api", ""]) {
        const { items } = await json(`/api/v1/deliveries?repo=${repo}`);
        assert.equal(items.length, repo === "" ? 1 : 0, repo);
      }
    });

    it("are 200 to why, also for what is unknown", async () => {
      for (const [name, because] of [
        ["acme/none", /^no webhook named the repo acme\/none, and its host does not list it/],
        ["strangers/none", /^strangers\/none is in no entry of repos/],
        ["none", /^none is not the name of a repo: write <owner>\/<name>/],
      ] as const) {
        const repo = await json(`/api/v1/why?repo=${name}&sha=${SHA}`);
        assert.deepEqual([repo.state, repo.events], ["unknown", []]);
        assert.match(repo.because, because);
      }
      const commit = await json(`/api/v1/why?repo=acme/api&sha=${SHA}`);
      assert.deepEqual([commit.repo, commit.sha, commit.state, commit.events], ["github/acme/api", SHA, "unknown", []]);
      assert.match(commit.because, /^nothing is on record: no webhook named this commit/);
      assert.equal((await api.get("/api/v1/why?repo=acme/api")).status, 400);
    });

    it("explain in why what is missing for a commit without a decision", async () => {
      const because = async (sha: string) => (await json(`/api/v1/why?repo=acme/api&sha=${sha}`)).because;
      await recordHeads(ledger, REPO, [{ ref: "refs/heads/old", sha: SHA }]);
      assert.match(
        await because(SHA),
        /^old pointed to it when deliverd first read the repo .*, and commits of before are not delivered/,
      );
      const repo = { id: REPO, host: "github", owner: "acme", name: "api", defaultBranch: "main" };
      await addHints(ledger, [{ repo, event: "push", deliveryId: "d", ref: null, sha: SHA }]);
      assert.equal(await because(SHA), "a webhook named it, and it is not evaluated yet");
    });

    it("are 202 to a person's request for a commit, and 400 to anything else", async () => {
      assert.equal((await post("/api/v1/deliveries", { repo: "acme/api", sha: SHA })).status, 202);
      assert.deepEqual(api.asked, [["acme/api", SHA]]);
      for (const body of [
        undefined,
        null,
        [],
        "text",
        7,
        {},
        { repo: "acme/api" },
        { sha: SHA },
        { repo: 1, sha: SHA },
        { repo: "acme/api", sha: SHA.slice(0, 6) },
        { repo: "acme/api", sha: SHA.toUpperCase() },
        { repo: "acme/api", sha: "--upload-pack=x" },
        { repo: { toString: "x" }, sha: SHA },
      ]) {
        const answer = await post("/api/v1/deliveries", body);
        assert.deepEqual(
          [answer.status, answer.headers["content-type"]],
          [400, "application/problem+json"],
          JSON.stringify(body),
        );
      }
      const broken = await api.send(
        "POST",
        "/api/v1/deliveries",
        { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
        "{",
      );
      assert.equal(broken.status, 400);
      const huge = await post("/api/v1/deliveries", { repo: "x".repeat(20_000), sha: SHA });
      assert.equal(huge.status, 413);
      assert.equal(api.asked.length, 1);
    });

    it("are 409 to retry and cancel in a wrong state, and wake the workers in a right one", async () => {
      const failed = await deliveryIn(ledger, SHA, { state: "failed" });
      const done = await deliveryIn(ledger, OTHER_SHA, { state: "delivered" });
      for (const what of ["retry", "cancel"]) {
        const answer = await post(`/api/v1/deliveries/${done.id}/${what}`);
        assert.deepEqual([answer.status, answer.headers["content-type"]], [409, "application/problem+json"]);
      }
      assert.equal((await post(`/api/v1/deliveries/${failed.id}/cancel`)).status, 409);
      assert.deepEqual(api.woken, []);
      const retried = await post(`/api/v1/deliveries/${failed.id}/retry`);
      assert.deepEqual([retried.status, JSON.parse(retried.text).state], [202, "queued"]);
      assert.deepEqual(api.woken, [failed.id]);
      assert.equal((await post(`/api/v1/deliveries/${failed.id}/retry`)).status, 409);
      assert.equal((await post(`/api/v1/deliveries/${failed.id}/cancel`)).status, 202);
    });

    it("to a retry and a cancel come after the new status of the commit is in the outbox", async () => {
      const { id } = await deliveryIn(ledger, SHA, { state: "failed" });
      const status = async () => {
        const payloads = (await outboxOfCommit(ledger, REPO, SHA)).map(({ payload }) => payload as Report);
        return payloads.map(({ context, state, description }) => `${context} ${state}: ${description}`);
      };
      await post(`/api/v1/deliveries/${id}/retry`);
      assert.deepEqual(await status(), ["deliverd/api pending: tried again by a person"]);
      await post(`/api/v1/deliveries/${id}/cancel`);
      assert.deepEqual(await status(), ["deliverd/api error: cancelled by a person"]);
    });

    it("are problem details for what is not there", async () => {
      for (const path of [
        "/api/v1/deliveries/none",
        "/api/v1/deliveries/none/log",
        "/api/v1/releases/api/1.0.0",
        "/api/v1/releases/api/latest",
        "/api/v1/releases/api/1.0.0/content",
        "/api/v1/releases/api/1.0.0?repo=acme/none",
        "/api/v2/deliveries",
        "/api",
      ]) {
        const answer = await api.get(path);
        assert.deepEqual([answer.status, answer.headers["content-type"]], [404, "application/problem+json"], path);
        const problem = JSON.parse(answer.text);
        assert.deepEqual(Object.keys(problem), ["type", "title", "status", "detail"]);
        assert.deepEqual([problem.type, problem.title, problem.status], ["about:blank", "Not Found", 404]);
      }
    });

    it("name what is not there", async () => {
      for (const [path, detail] of [
        ["/api/v1/deliveries/none", /^There is no delivery "none"\. List/],
        ["/api/v1/deliveries/none/log", /^There is no delivery "none"\. List/],
        ["/api/v1/releases/api/1.0.0", /^"api" has no release "1\.0\.0"\./],
        ["/api/v1/releases/api/1.0.0?repo=acme/none", /^There is no repo "acme\/none" here: no webhook named/],
        ["/api/v1/releases/api/1.0.0?repo=other/none", /^There is no repo "other\/none" here: .* no entry of repos/],
        ["/api/v1/releases/api/latest/content?repo=none", /^There is no repo "none" here: none is not the name/],
      ] as const) {
        assert.match(JSON.parse((await api.get(path)).text).detail, detail, path);
      }
      const page = await api.get("/deliveries/%3Cnone%3E");
      assert.match(page.text, /There is no delivery &#34;&#60;none&#62;&#34;\./);
    });

    it("are never a 5xx, whatever the query or path contains", async () => {
      await deliveryIn(ledger, SHA);
      const odd = [
        "%00",
        "a%00b",
        "%ff",
        "%",
        "%E2%80%A8",
        "'",
        '"',
        "a".repeat(5_000),
        "[]",
        "..",
        "%0d%0aX:1",
        "1e999",
        "NaN",
        "__proto__",
        "eyJhdCI6IngifQ",
        "e30",
        "bnVsbA",
        "WzFd",
      ];
      const paths = odd.flatMap((value) => [
        ...["repo", "sha", "state", "cursor"].map((key) => `/api/v1/deliveries?${key}=${value}`),
        ...["repo", "artifact", "sha", "branch", "cursor"].map((key) => `/api/v1/releases?${key}=${value}`),
        ...[`/api/v1/why?repo=${value}&sha=${value}`, `/api/v1/why?repo=acme/api&sha=${value}`],
        ...[`/api/v1/deliveries/${value}`, `/api/v1/deliveries/${value}/log`, `/api/v1/releases/${value}/${value}`],
        ...[`/api/v1/releases/${value}/latest/content`, `/deliveries/${value}`, `/sign-in?to=${value}`],
      ]);
      paths.push("/api/v1/deliveries?repo=a&repo=b", "/api/v1/deliveries?repo[x]=a", "/api/v1/deliveries?repo[]=a");
      for (const path of paths) {
        const answer = await api.get(path);
        assert.ok(answer.status < 500, `${path.slice(0, 80)}: ${answer.status} ${answer.text.slice(0, 200)}`);
      }
      await fc.assert(
        fc.asyncProperty(fc.string({ unit: "binary", maxLength: 30 }), async (value) => {
          const text = encodeURIComponent(value);
          for (const path of [
            `/api/v1/deliveries?cursor=${text}`,
            `/api/v1/releases/${text}/${text}`,
            `/api/v1/why?repo=${text}&sha=${text}`,
          ]) {
            assert.ok((await api.get(path)).status < 500, path);
          }
        }),
        { numRuns: 60 },
      );
    });
  });
});
