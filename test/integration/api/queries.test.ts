import assert from "node:assert/strict";
import { recordHeads } from "../../../src/ledger/heads.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { saveRepos } from "../../../src/ledger/repos.ts";
import { acmeApi, eachLedger, REPO, SHA, withRepo } from "../../support/databases/ledgers.ts";
import { deliveryIn, startApi, type TestApi, TOKEN } from "./support.ts";

const ONE = `abcdef1${"0".repeat(33)}`;
const TWO = `abcdef12${"0".repeat(32)}`;
const SHA256 = `12345678${"9".repeat(56)}`;

describe("a query of the API", function () {
  this.timeout(60_000);
  eachLedger((_name, open) => {
    let ledger: Ledger;
    let api: TestApi;

    beforeEach(async () => {
      ledger = await withRepo(await open());
      api = await startApi(ledger);
    });
    afterEach(() => api.close());

    const ask = async (path: string) => {
      const { status, text } = await api.get(`/api/v1/${path}`);
      return { status, body: JSON.parse(text) };
    };
    const request = async (body: object) => {
      const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
      const { status, text } = await api.send("POST", "/api/v1/deliveries", headers, JSON.stringify(body));
      return { status, body: JSON.parse(text) };
    };

    it("finds a commit by 7 digits or more of its id, also of one with 64 digits", async () => {
      await deliveryIn(ledger, ONE);
      await deliveryIn(ledger, SHA256);
      for (const [full, digits] of [
        [ONE, 7],
        [ONE, 39],
        [ONE, 40],
        [SHA256, 7],
        [SHA256, 41],
        [SHA256, 64],
      ] as const) {
        const short = full.slice(0, digits);
        for (const repo of ["", "&repo=acme/api"]) {
          const { body } = await ask(`deliveries?sha=${short}${repo}`);
          assert.deepEqual(
            body.items.map((each: { sha: string }) => each.sha),
            [full],
          );
        }
        assert.equal((await ask(`why?repo=acme/api&sha=${short}`)).body.sha, full);
      }
      assert.deepEqual((await request({ repo: "acme/api", sha: ONE.slice(0, 7) })).body.sha, ONE);
      assert.deepEqual(api.asked, [["acme/api", ONE]]);
    });

    it("finds a commit that has no delivery yet, in why and in a request", async () => {
      await recordHeads(ledger, REPO, [{ ref: "refs/heads/old", sha: SHA }]);
      const why = await ask(`why?repo=acme/api&sha=${SHA.slice(0, 8)}`);
      assert.deepEqual([why.body.sha, why.body.state], [SHA, "unknown"]);
      assert.equal((await request({ repo: "acme/api", sha: SHA.slice(0, 8) })).status, 202);
      assert.deepEqual(api.asked, [["acme/api", SHA]]);
    });

    it("is 409 with the candidates if several commits begin with these digits", async () => {
      await deliveryIn(ledger, ONE);
      await deliveryIn(ledger, TWO);
      const candidates = [ONE, TWO].map((sha) => ({ repo: "github/acme/api", sha }));
      for (const { status, body } of [
        await ask("deliveries?sha=abcdef1"),
        await ask("deliveries?sha=abcdef1&repo=acme/api"),
        await ask("why?repo=acme/api&sha=abcdef1"),
        await request({ repo: "acme/api", sha: "abcdef1" }),
      ]) {
        assert.deepEqual([status, body.candidates], [409, candidates]);
        assert.match(body.detail, new RegExp(`github/acme/api@${ONE}, github/acme/api@${TWO}\\. Write more digits`));
      }
      assert.equal((await ask("why?repo=acme/api&sha=abcdef12")).body.sha, TWO);
      assert.deepEqual(api.asked, []);
    });

    it("takes a commit that two repos share for one", async () => {
      await deliveryIn(ledger, ONE);
      const fork = { ...acmeApi, id: "github:2", name: "fork" };
      await ledger.transaction((tx) => saveRepos(tx, [fork]));
      await deliveryIn(ledger, ONE, { repo: fork.id });
      assert.equal((await ask("deliveries?sha=abcdef1")).body.items.length, 2);
      assert.equal((await ask("deliveries?sha=abcdef1&repo=acme/fork")).body.items.length, 1);
    });

    it("is 404 if no commit begins with these digits, and 400 if they are no digits of a commit", async () => {
      await deliveryIn(ledger, ONE);
      const statuses = async (sha: string) => [
        (await ask(`deliveries?sha=${sha}`)).status,
        (await ask(`releases?sha=${sha}`)).status,
        (await ask(`why?repo=acme/api&sha=${sha}`)).status,
        (await request({ repo: "acme/api", sha })).status,
      ];
      assert.deepEqual(await statuses("1234567"), [404, 404, 404, 404]);
      for (const malformed of ["abcdef", "abcdefg", "ABCDEF1", "abcdef1%25", "a".repeat(65), "main"])
        assert.deepEqual(await statuses(malformed), [400, 400, 400, 400], malformed);
      assert.equal((await request({ repo: "acme/none", sha: "abcdef1" })).status, 404);
      // All digits name a commit, also one that nobody knows yet.
      assert.deepEqual((await ask(`deliveries?sha=${SHA}`)).body.items, []);
      assert.deepEqual(api.asked, []);
    });

    it("is 400 if it has an unknown key, which the answer names with the nearest known one", async () => {
      const { id } = await deliveryIn(ledger, ONE);
      for (const [path, said] of [
        ["deliveries?stat=failed", 'an unknown key: "stat" (did you mean "state"?)'],
        ["deliveries?artifact=api", "Known keys: repo, sha, state, cursor, limit."],
        ["releases?Artifact=api", '"Artifact" (did you mean "artifact"?)'],
        [
          "releases?branhc=main&limt=3",
          'unknown keys: "branhc" (did you mean "branch"?), "limt" (did you mean "limit"?)',
        ],
        ["releases/api/latest?sha=abcdef1", 'an unknown key: "sha"'],
        ["releases/api/latest/content?registri=hub", '(did you mean "registry"?)'],
        ["why?repository=acme/api", 'an unknown key: "repository"'],
        [`deliveries/${id}?json=1`, "This path takes no query."],
        [`deliveries/${id}/log?follow=1`, "This path takes no query."],
      ] as const) {
        const { status, body } = await ask(path);
        assert.equal(status, 400, path);
        assert.ok(body.detail.includes(said), `${path}: ${body.detail}`);
      }
    });

    it("is 400 if its cursor is none", async () => {
      for (const cursor of ["nonsense", "1", ".abc", "1.", "-1.abc", "1e5.abc"]) {
        for (const list of ["deliveries", "releases"]) {
          const { status, body } = await ask(`${list}?cursor=${cursor}`);
          assert.deepEqual([status, /^cursor must be/.test(body.detail)], [400, true], cursor);
        }
      }
      assert.equal((await ask("deliveries?cursor=")).status, 200);
    });
  });
});
