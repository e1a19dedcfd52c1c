import assert from "node:assert/strict";
import { get, type IncomingMessage } from "node:http";
import { createInterface } from "node:readline";
import { brotliDecompressSync, gzipSync } from "node:zlib";
import { hashToken } from "../../../src/api/access.ts";
import { setState } from "../../../src/ledger/deliveries.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { appendLog } from "../../../src/ledger/logs.ts";
import { eachLedger, SHA, withRepo } from "../../support/databases/ledgers.ts";
import { deliveryIn, startApi, type TestApi, TOKEN } from "./support.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded" };

describe("a page of deliverd", function () {
  this.timeout(60_000);
  eachLedger((_name, open) => {
    let ledger: Ledger;
    let api: TestApi;

    beforeEach(async () => {
      ledger = await withRepo(await open());
      api = await startApi(ledger, {
        tokens: [
          { name: "sam", role: "operator", hash: hashToken("token-of-sam") },
          { name: "wall", role: "viewer", hash: hashToken("token-of-wall") },
        ],
      });
    });
    afterEach(() => api.close());

    const signIn = async (token: string) => {
      const answer = await api.send("POST", "/sign-in", FORM, `token=${token}`);
      assert.equal(answer.status, 303);
      return answer.headers["set-cookie"]?.[0]?.split(";")[0] ?? "";
    };
    const tokenIn = (text: string) => /name="form" value="([\w-]+)"/.exec(text)?.[1] ?? "";

    it("shows a change by an event with the region of the page that it changed, and nothing else", async () => {
      const delivery = await deliveryIn(ledger, SHA, { because: "CI runs" });
      const response = await new Promise<IncomingMessage>((resolve, reject) => {
        const headers = { authorization: `Bearer ${TOKEN}` };
        get(`${api.url}/events?topics=delivery:${delivery.id}`, { headers }, resolve).on("error", reject);
      });
      const lines = createInterface({ input: response })[Symbol.asyncIterator]();
      /** The next region that passes. */
      const region = async (isMeant: (id: string, html: string) => boolean) => {
        const passed: string[] = [];
        for (let line = await lines.next(); !line.done; line = await lines.next()) {
          if (!line.value.startsWith("data: ")) continue;
          const { id, html } = JSON.parse(line.value.slice("data: ".length)) as { id: string; html: string };
          if (isMeant(id, html)) return { html, passed };
          passed.push(id);
        }
        throw new Error("the stream has ended");
      };
      try {
        const first = await region((id) => id === "title");
        assert.match(first.html, /^<section id="title"><h1><span class="state idle">.*waiting/s);
        await region((id) => id === "facts");
        await appendLog(ledger, delivery.id, "Step 1\n");
        assert.match((await region((id) => id === "log-tail")).html, /Step 1/);
        await setState(ledger, delivery.id, { from: ["waiting"], to: "failed", because: "<b>the build failed" });
        const { html } = await region((id) => id === "title");
        assert.match(html, /failed.*&#60;b&#62;the build failed/s);
      } finally {
        response.destroy();
      }
      assert.equal((await api.get("/events?topics=delivery:none")).status, 404);
      assert.equal((await api.send("GET", "/events?topics=now")).status, 401);
    });

    it("retries and cancels by forms that work without a script, under the name of the person", async () => {
      const { id } = await deliveryIn(ledger, SHA);
      const cookie = await signIn("token-of-sam");
      const { text } = await api.send("GET", `/deliveries/${id}`, { cookie });
      assert.match(text, new RegExp(`action="/deliveries/${id}/cancel"`));
      const sent = await api.send("POST", `/deliveries/${id}/cancel`, { ...FORM, cookie }, `form=${tokenIn(text)}`);
      assert.deepEqual([sent.status, sent.headers.location], [303, `/deliveries/${id}`]);
      const after = (await api.send("GET", `/deliveries/${id}`, { cookie })).text;
      assert.match(after, /cancelled by sam/);
      assert.match(after, new RegExp(`action="/deliveries/${id}/retry"`));
      assert.doesNotMatch(after, /action="[^"]*cancel"/);
      const audit = JSON.parse((await api.get("/api/v1/audit")).text).items;
      assert.deepEqual([audit[0].person, audit[0].via, audit[0].action], ["sam", "session", "cancel"]);
      assert.deepEqual([audit[1].person, audit[1].action], ["sam", "sign-in"]);
    });

    it("changes nothing by a form of another site, of another session, or without a token", async () => {
      const { id } = await deliveryIn(ledger, SHA);
      const cookie = await signIn("token-of-sam");
      const own = tokenIn((await api.send("GET", `/deliveries/${id}`, { cookie })).text);
      const wall = await signIn("token-of-wall");
      const other = tokenIn((await api.send("GET", `/deliveries/${id}`, { cookie: wall })).text);
      assert.notEqual(own, "");
      for (const [headers, form, status] of [
        [{ cookie }, "", 403],
        [{ cookie }, "form=", 403],
        [{ cookie }, `form=${other}`, 403],
        [{ cookie, "sec-fetch-site": "same-site" }, `form=${own}`, 403],
        [{ cookie, "sec-fetch-site": "cross-site" }, `form=${own}`, 403],
        [{}, `form=${own}`, 401],
        [{ cookie: wall }, `form=${other}`, 403],
      ] as [Record<string, string>, string, number][]) {
        const answer = await api.send("POST", `/deliveries/${id}/cancel`, { ...FORM, ...headers }, form);
        assert.equal(answer.status, status, JSON.stringify([headers, form]));
      }
      assert.deepEqual(api.woken, []);
    });

    it("ends a session by its own form only", async () => {
      const cookie = await signIn("token-of-sam");
      const { text } = await api.send("GET", "/", { cookie });
      assert.match(text, /sam, operator/);
      assert.equal((await api.send("POST", "/sign-out", { ...FORM, cookie }, "")).headers["set-cookie"], undefined);
      const out = await api.send("POST", "/sign-out", { ...FORM, cookie }, `form=${tokenIn(text)}`);
      assert.match(out.headers["set-cookie"]?.[0] ?? "", /^deliverd_session=;.*Expires=Thu, 01 Jan 1970/);
    });

    it("is small: HTML within 15 kB, script within 15 kB and style within 6 kB, compressed", async () => {
      for (let number = 0; number < 40; number++)
        await deliveryIn(ledger, number.toString(16).padStart(40, "0"), {
          message: `Change ${number}`,
          because: "CI runs",
        });
      const { text } = await api.get("/");
      const compressed = async (path: string) => {
        const url = `${api.url}${path}`;
        const size = await new Promise<number>((resolve, reject) => {
          get(url, { headers: { "accept-encoding": "br" } }, (response) => {
            assert.equal(response.headers["content-encoding"], "br");
            assert.match(String(response.headers["cache-control"]), /immutable/);
            const chunks: Buffer[] = [];
            response.on("data", (chunk: Buffer) => chunks.push(chunk));
            response.on("end", () => {
              assert.ok(brotliDecompressSync(Buffer.concat(chunks)).length > 1_000);
              resolve(Buffer.concat(chunks).length);
            });
          }).on("error", reject);
        });
        return size;
      };
      const script = /src="(\/assets\/app-[^"]+)"/.exec(text)?.[1] ?? "";
      const style = /href="(\/assets\/style-[^"]+)"/.exec(text)?.[1] ?? "";
      assert.ok((await compressed(script)) < 15_000);
      assert.ok((await compressed(style)) < 6_000);
      assert.ok(gzipSync(text).length < 15_000, `${gzipSync(text).length}`);
      assert.equal((await api.send("GET", "/assets/app-000000000000.js")).status, 404);
    });

    it("shows a log of many lines in blocks, by whose numbers a line is found", async () => {
      const { id } = await deliveryIn(ledger, SHA, { state: "failed" });
      for (let chunk = 0; chunk < 12; chunk++) {
        const lines = Array.from({ length: 100 }, (_, line) => `\u001b[32mline\u001b[0m ${chunk * 100 + line + 1}\n`);
        await appendLog(ledger, id, lines.join(""));
      }
      const { text } = await api.get(`/deliveries/${id}/log`);
      assert.deepEqual(
        [...text.matchAll(/<pre id="(L\d+)">(.*)\n/g)].map(([, block, first]) => [block, first]),
        [
          ["L1", "line 1"],
          ["L501", "line 501"],
          ["L1001", "line 1001"],
        ],
      );
      assert.match(text, /line 1200\n<\/pre><\/div><p class="muted">1200 lines<\/p><\/main>/);
      assert.match((await api.get(`/deliveries/${id}`)).text, /line 1200/);
    });
  });
});
